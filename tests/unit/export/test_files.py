"""Files of an export are opened in spreadsheets, and names in them come from whoever sends telemetry."""

import pytest
from outlay_collector.export.files import harmless


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://evil")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]
)
def test_a_name_that_a_spreadsheet_would_run_is_quoted(name):
    assert harmless(name) == f"'{name}"


@pytest.mark.parametrize("name", ["search", "gpt-4o", "", "a=b", "검색"])
def test_other_names_stay_as_they_are(name):
    assert harmless(name) == name
