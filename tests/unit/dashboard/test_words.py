"""One catalogue, two languages, nothing missing in either."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import outlay_dashboard
import pytest
from outlay_dashboard.words import CATALOGUE, LANGUAGES, Words, language_for

_SOURCES = Path(outlay_dashboard.__file__).parent


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", CATALOGUE)
def test_every_entry_is_in_both_languages_with_the_same_placeholders(key):
    entry = CATALOGUE[key]
    assert entry.en.strip()
    assert entry.ko.strip()
    assert _fields(entry.en) == _fields(entry.ko)
    assert entry.one is None or _fields(entry.one) | {"n"} == _fields(entry.en) | {"n"}


@pytest.mark.parametrize("key", CATALOGUE)
def test_no_entry_shouts(key):
    assert "!" not in CATALOGUE[key].en + CATALOGUE[key].ko


def test_every_key_the_pages_use_is_in_the_catalogue():
    used = {
        key
        for file in _SOURCES.rglob("*.py")
        for key in re.findall(r"words\(\s*[\"']([a-z0-9_.]+)[\"']", file.read_text(encoding="utf-8"))
    }
    assert len(used) > 50
    assert used <= set(CATALOGUE)


def test_every_entry_of_the_catalogue_is_used():
    sources = "".join(f.read_text(encoding="utf-8") for f in _SOURCES.rglob("*.py") if f.name != "words.py")
    # Families whose members are put together from a code: words(f"window.{name}").
    families = set(re.findall(r"f\"([a-z_]+)\.\{", sources)) | {"dimension"}
    unused = {
        key
        for key in CATALOGUE
        if not re.search(f"[\"']{re.escape(key)}[\"']", sources) and key.split(".")[0] not in families
    }
    assert unused == set()


def test_one_is_said_in_the_singular():
    words = Words()
    assert words("trace.calls", n=1) == "1 counted call"
    assert words("trace.calls", n=1200) == "1,200 counted calls"


def test_a_code_the_catalogue_does_not_know_is_shown_as_it_is():
    assert Words().known("reason.from_the_future", "from the future") == "from the future"
    assert Words().dimension("tag:cost_unit") == "cost_unit"


def test_the_browser_decides_the_language():
    assert [language_for(locale) for locale in ("ko-KR", "en-GB", None)] == ["ko", "en", "en"]
    assert set(LANGUAGES) == {"en", "ko"}
