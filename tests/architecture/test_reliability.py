"""What the page about failures names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_fault_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_fault_\w+)`", page))
    written = {
        name
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for name in re.findall(r"^def (test_fault_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named - written == set(), "docs/reliability.md names tests that do not exist"
