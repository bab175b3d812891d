"""Results of a batch, recorded hours after they were asked for: at batch prices, and only once.

python examples/batch_job.py results.jsonl batch_abc123
"""

from __future__ import annotations

import sys

import outlay


def main() -> None:
    """Record a result file; running it again adds nothing."""
    path, batch_id = sys.argv[1:3]
    outlay.configure(service="nightly-batch")
    calls = outlay.record_batch(path, batch_id=batch_id, provider="openai", team="data", feature="labelling")
    delivered = outlay.flush(timeout=30)
    sys.stdout.write(f"{calls} calls recorded, delivered: {delivered}\n")
    raise SystemExit(0 if delivered else 1)


if __name__ == "__main__":
    main()
