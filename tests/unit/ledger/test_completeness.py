"""A total says up to when it is complete and what it leaves out, in one sentence and in numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_collector.ledger.reads.completeness import Completeness, as_json, completeness

UNTIL = datetime(2026, 11, 21, 5, 7, 59, tzinfo=UTC)
SUMS = {
    "calls": 10, "estimated_calls": 3, "missing_usage_calls": 0, "unpriced_calls": 0, "cost": Decimal("12.345"),
}  # fmt: skip


def found(counts: dict[str, int] | None = None, *, dropped: int = 0, **sums: object) -> Completeness:
    return completeness(SUMS | sums, counts or {}, dropped_by_clients=dropped, complete_until=UNTIL, currency="USD")


def test_what_is_left_out_is_said_in_one_sentence() -> None:
    said = found({"refused:too_old": 2}, dropped=4, unpriced_calls=1).sentence(ZoneInfo("Asia/Seoul"))
    assert said == (
        "complete to 14:07; 3 estimated, 0 without usage, 1 not priced, 2 refused, 4 dropped by clients; at least 12.34 USD"
    )


def test_an_estimate_is_no_gap() -> None:
    assert found().is_complete
    assert found().sentence(ZoneInfo("UTC")).endswith("0 dropped by clients; 12.34 USD")


def test_whatever_is_known_to_be_missing_makes_the_total_a_lower_bound() -> None:
    for gap in (found(dropped=1), found({"refused:future": 1}), found(missing_usage_calls=1), found(unpriced_calls=1)):
        assert not gap.is_complete
        assert "at least" in gap.sentence(ZoneInfo("UTC"))


def test_what_was_refused_and_accepted_later_is_not_missing() -> None:
    counts = {"refused:future": 3, "retried:future": 3, "refused:too_old": 5, "retried:too_old": 1, "metric:x": 9}
    assert dict(found(counts).refused) == {"too_old": 4}


def test_nothing_priced_is_unknown_and_not_zero() -> None:
    nothing = found(cost=None, unpriced_calls=10)
    assert as_json(nothing, ZoneInfo("UTC"))["at_least"] is None
    assert nothing.sentence(ZoneInfo("UTC")).endswith("nothing has a price")


def test_little_money_is_not_rounded_away() -> None:
    assert "0.00027 USD" in found(cost=Decimal("0.00027")).sentence(ZoneInfo("UTC"))
    assert as_json(found(cost=Decimal("1E-7")), ZoneInfo("UTC"))["at_least"] == "0.0000001"
