"""How the demo's work ended: the same whenever it is told, of customers only."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from outlay_collector.demo.day import traces
from outlay_collector.demo.endings import FEE, RESOLVED, endings
from outlay_collector.units.outcomes import read_outcomes

DAY = date(2026, 11, 18)


def test_a_day_ends_the_same_whenever_it_is_told() -> None:
    told = traces(1, DAY)
    rows = endings(DAY, told)
    assert rows == endings(DAY, told)
    # What is told at noon is told in the evening, too.
    noon = endings(DAY, traces(1, DAY, datetime(2026, 11, 18, 12, tzinfo=UTC)))
    assert {str(row) for row in noon} <= {str(row) for row in rows}


def test_some_work_fails_and_every_customer_pays_once_a_day() -> None:
    told = traces(1, DAY)
    found = list(read_outcomes(endings(DAY, told), ZoneInfo("UTC")))
    judged = [one for one in found if one.name == RESOLVED]
    assert 0 < sum(not one.success for one in judged) < len(judged) / 3
    paying = [one.customer for one in found if one.name == FEE and one.revenue]
    assert sorted(paying, key=str) == sorted({trace[0].whom.customer for trace in told} - {None}, key=str)
