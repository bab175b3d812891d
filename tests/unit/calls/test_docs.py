"""``docs/dialects.md`` says what the tables do."""

from __future__ import annotations

import os
from pathlib import Path

from outlay_collector.calls.dialects import describe

from tests.unit.calls.corpus import limits

PAGE = Path(__file__).parents[3] / "docs" / "dialects.md"


def test_the_page_is_written_from_the_tables() -> None:
    written = describe.document(limits())
    if os.environ.get("OUTLAY_WRITE_DOCS"):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(written)
    assert PAGE.read_text() == written, "run OUTLAY_WRITE_DOCS=1 pytest tests/unit/calls/test_docs.py"
