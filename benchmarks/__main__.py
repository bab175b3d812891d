"""``make bench``: every benchmark in turn, or those named (``make bench BENCH="pricing sdk_overhead"``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Each benchmark runs in a process of its own, so that none measures what another left behind."""
    there = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:] or there
    if unknown := set(wanted) - set(there):
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(there)}.", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        print(f"\n{name}", flush=True)
        failed |= subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False
        ).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
