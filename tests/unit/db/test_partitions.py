"""Which partitions there should be, as a plan."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from outlay_collector.db.partitions import Part, Plan, plan

TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)


def planned(*parts: Part, **more: Any) -> Plan:
    return plan(parts, ("span",), **{"today": TODAY, "ahead": 2, "retention": 30 * DAY} | more)


def test_today_and_the_coming_days_are_made() -> None:
    assert planned(Part("span", TODAY + DAY, "attached")).create == (TODAY, TODAY + 2 * DAY)


def test_a_day_is_made_again_when_one_table_lacks_it() -> None:
    have = [Part("span", TODAY + n * DAY, "attached") for n in range(3)]
    assert plan(have, ("span", "response_ref"), today=TODAY, ahead=2, retention=30 * DAY).create == tuple(
        TODAY + n * DAY for n in range(3)
    )


def test_the_day_of_the_horizon_is_kept_and_the_one_before_is_dropped_however_it_stands() -> None:
    oldest_kept = TODAY - 30 * DAY
    past = (oldest_kept - 3 * DAY, oldest_kept - 2 * DAY, oldest_kept - DAY)
    found = planned(
        Part("span", oldest_kept, "attached"),
        Part("span", past[0], "apart"),
        Part("span", past[1], "detaching"),
        Part("span", past[2], "attached"),
    )
    assert found.drop == past


def test_a_part_that_stands_apart_within_the_horizon_is_attached_again() -> None:
    assert planned(Part("span", TODAY - 5 * DAY, "apart"), ahead=0).create == (TODAY - 5 * DAY, TODAY)
