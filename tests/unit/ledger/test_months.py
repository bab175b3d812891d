from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months.calendar import month_window, pieces


def test_a_month_is_one_of_the_instances_calendar() -> None:
    seoul = month_window("2026-12", ZoneInfo("Asia/Seoul"))
    assert seoul == Window(datetime(2026, 11, 30, 15, tzinfo=UTC), datetime(2026, 12, 31, 15, tzinfo=UTC))


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "October", "2026-10-01", ""])
def test_what_is_no_month_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadRequest, match="write it as 2026-10"):
        month_window(text, ZoneInfo("UTC"))


@given(
    bounds=st.tuples(st.integers(0, 400), st.integers(1, 100)),
    closed=st.frozensets(st.sampled_from(["2026-01", "2026-02", "2026-04", "2026-12"])),
)
def test_the_pieces_of_a_window_meet_and_are_each_open_or_closed(
    bounds: tuple[int, int], closed: frozenset[str]
) -> None:
    first = datetime(2025, 12, 15, tzinfo=UTC).timestamp() + bounds[0] * 86_400
    window = Window(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(first + bounds[1] * 86_400 + 3_600, UTC))
    months = [month_window(month, ZoneInfo("UTC")) for month in closed]
    found = pieces(window, months)
    assert [found[0][0].start, *(piece.end for piece, _ in found)] == [
        *(piece.start for piece, _ in found), window.end,
    ]  # fmt: skip
    assert found[0][0].start == window.start
    for piece, is_closed in found:
        for month in months:
            inside = month.start <= piece.start and piece.end <= month.end
            outside = piece.end <= month.start or month.end <= piece.start
            assert inside or outside
        assert is_closed is any(month.start <= piece.start and piece.end <= month.end for month in months)
