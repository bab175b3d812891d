from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads.question import (
    Filter,
    Interval,
    Question,
    Sources,
    parse_filters,
    parse_group_by,
    parse_window,
    parse_zone,
    sources,
)

UTC_ZONE = ZoneInfo("UTC")
SEOUL = ZoneInfo("Asia/Seoul")
KOLKATA = ZoneInfo("Asia/Kolkata")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def question(start: str, end: str, **more: object) -> Question:
    return Question(project_ids=(1,), window=Window(at(start), at(end)), **more)  # type: ignore[arg-type]


def test_whole_days_of_the_instance_zone_come_from_day_sums() -> None:
    asked = question("2026-01-01T00:00:00", "2026-01-31T00:00:00", interval=Interval.DAY, zone=UTC_ZONE)
    assert sources(asked, UTC_ZONE) == Sources(days=(date(2026, 1, 1), date(2026, 1, 31)))


def test_ragged_ends_come_from_hours_and_rows() -> None:
    asked = question("2026-01-01T22:30:00", "2026-01-03T01:15:00", zone=UTC_ZONE)
    assert sources(asked, UTC_ZONE) == Sources(
        days=(date(2026, 1, 2), date(2026, 1, 3)),
        hours=(
            Window(at("2026-01-01T23:00:00"), at("2026-01-02T00:00:00")),
            Window(at("2026-01-03T00:00:00"), at("2026-01-03T01:00:00")),
        ),
        rows=(
            Window(at("2026-01-01T22:30:00"), at("2026-01-01T23:00:00")),
            Window(at("2026-01-03T01:00:00"), at("2026-01-03T01:15:00")),
        ),
    )


def test_days_of_another_zone_are_made_of_hours() -> None:
    asked = question("2026-01-01T15:00:00", "2026-01-02T15:00:00", interval=Interval.DAY, zone=SEOUL)
    assert sources(asked, UTC_ZONE).hours == (asked.window,)


def test_zones_whose_hours_begin_elsewhere_are_answered_from_rows() -> None:
    asked = question("2026-01-01T18:30:00", "2026-01-02T18:30:00", interval=Interval.DAY, zone=KOLKATA)
    assert sources(asked, UTC_ZONE) == Sources(rows=(asked.window,))


def test_dimensions_that_only_rows_know_are_answered_from_rows() -> None:
    asked = question("2026-01-01T00:00:00", "2026-01-02T00:00:00", group_by=("user",))
    assert sources(asked, UTC_ZONE) == Sources(rows=(asked.window,))


def test_filters_of_one_dimension_are_alternatives() -> None:
    assert parse_filters(["team:a", "team:b", "model!:x", "user:*", "tag:tier:gold"]) == (
        Filter("team", ("a", "b")),
        Filter("model", ("x",), negated=True),
        Filter("user", ()),
        Filter("tag:tier", ("gold",)),
    )


@pytest.mark.parametrize("bad", ["team", "nonsense:1", ""])
def test_a_filter_that_is_none_says_what_is_wrong(bad: str) -> None:
    with pytest.raises(BadRequest):
        parse_filters([bad])


def test_an_unknown_dimension_names_those_there_are() -> None:
    with pytest.raises(BadRequest, match="there are project, environment"):
        parse_group_by("model,colour")


def test_a_bare_date_is_midnight_of_the_zone_asked_in() -> None:
    window = parse_window("2026-01-01", "2026-01-02", SEOUL, at("2026-05-01T00:00:00"))
    assert window == Window(at("2025-12-31T15:00:00"), at("2026-01-01T15:00:00"))


def test_a_window_backwards_is_refused() -> None:
    with pytest.raises(BadRequest, match="must be before"):
        parse_window("2026-01-02", "2026-01-01", UTC_ZONE, at("2026-05-01T00:00:00"))


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(BadRequest, match="no IANA time zone"):
        parse_zone("Mars/Olympus", UTC_ZONE)
