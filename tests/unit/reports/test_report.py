"""What a report says of the ledger's rows."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.reads.completeness import Completeness
from outlay_collector.reports import facts
from outlay_collector.reports.page import page
from outlay_collector.reports.period import parse_period
from outlay_collector.reports.report import Outlook, Report, as_json, breakdown, by_day, total
from outlay_collector.reports.text import text
from outlay_collector.reports.words import LANGUAGES, Words
from rich.console import Console

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERIOD = parse_period("2026-W46", ZoneInfo("UTC"), NOW)
EN = Words("en")


def row(cost: str | None, *, calls: int = 1, unpriced: int = 0, tokens: int = 100, **of: str | None) -> dict[str, Any]:
    dimensions: dict[str, Any] = dict.fromkeys(("team", "feature", "provider", "model")) | of
    return dimensions | {
        "cost": None if cost is None else Decimal(cost),
        "calls": calls,
        "errors": 0,
        "unpriced_calls": unpriced,
        "unpriced_tokens": 0,
        "input_tokens": tokens,
        "cache_read_tokens": 0,
        "output_tokens": 0,
    }


def made(now: list[dict[str, Any]], before: list[dict[str, Any]] = [], **changes: Any) -> Report:  # noqa: B006 - read only
    found = [breakdown(now, before, dimension) for dimension in ("team", "feature", "model")]
    sums = total(now)
    report = Report(
        period=PERIOD,
        scope=(),
        currency="USD",
        now=sums,
        before=total(before),
        days=((date(2026, 11, 9), sums.cost), (date(2026, 11, 10), Decimal(0))),
        breakdowns=tuple(part for part in found if part is not None),
        change={},
        gaps=(),
        completeness=Completeness(
            complete_until=NOW,
            currency="USD",
            at_least=sums.cost,
            calls=sums.calls,
            estimated_calls=0,
            missing_usage_calls=0,
            unpriced_calls=sums.unpriced_calls,
            refused={},
            dropped_by_clients=0,
        ),
    )
    return replace(report, **changes)


def printed(report: Report, language: str = "en") -> str:
    console = Console(width=100, file=StringIO())
    console.print(text(report, Words(language)))
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_total_is_the_sum_to_the_last_digit():
    assert total([row("0.1"), row("0.2"), row(None, unpriced=1)]).cost == Decimal("0.3")


def test_a_total_of_nothing_with_a_price_is_unknown_and_never_zero():
    report = made([row(None, unpriced=1, team="search")])
    assert report.now.cost is None
    assert "not priced" in printed(report)
    assert facts.headline(report, EN) == facts.lines(report.breakdowns[0], report, EN)[0].money == "not priced"


def test_calls_that_used_nothing_are_a_dash_and_not_called_unpriced():
    line = facts.lines(made([row("5", team="a"), row(None, team="b")]).breakdowns[0], made([row("5")]), EN)[1]
    assert (line.name, line.money) == ("b", "–")


def test_the_largest_part_comes_first_and_a_part_that_is_gone_is_shown_at_nothing():
    report = made([row("3", team="a"), row("7", team="b")], [row("4", team="gone"), row("6", team="a")])
    lines = facts.lines(report.breakdowns[0], report, EN)
    assert [(line.name, line.money, line.share, line.change) for line in lines] == [
        ("b", "$7.00", "70.0 %", "new"),
        ("a", "$3.00", "30.0 %", "−50.0 %"),
        ("gone", "$0.00", "", "−100.0 %"),
    ]


def test_more_parts_than_fit_are_the_others_and_the_lines_still_add_up():
    rows = [row(str(n), model=f"m{n}") for n in range(1, 12)]
    part = breakdown(rows, [], "model")
    assert part is not None
    assert part.others == 5
    assert sum((one.now.cost or Decimal(0) for one in part.parts), part.rest.cost or Decimal(0)) == Decimal(66)


@given(st.lists(st.tuples(st.decimals(0, 1000, places=6), st.sampled_from("abcdefghijkl")), max_size=40))
def test_the_parts_and_the_rest_are_the_total(spent: list[tuple[Decimal, str]]):
    rows = [row(str(cost), team=team) for cost, team in spent]
    part = breakdown(rows, [], "team")
    if part is not None:
        shown = sum((one.now.cost or Decimal(0) for one in part.parts), Decimal(0))
        assert shown + (part.rest.cost or 0) == (total(rows).cost or 0)


def test_a_dimension_that_no_call_has_is_left_out():
    assert breakdown([row("1")], [], "team") is None


def test_a_day_without_calls_cost_nothing_and_one_without_prices_nobody_knows():
    rows = [row("2", calls=1) | {"period_start": datetime(2026, 11, 9, tzinfo=UTC)}]
    rows.append(row(None, unpriced=1) | {"period_start": datetime(2026, 11, 10, tzinfo=UTC)})
    assert by_day(rows, PERIOD)[:3] == (
        (date(2026, 11, 9), Decimal(2)),
        (date(2026, 11, 10), None),
        (date(2026, 11, 11), Decimal(0)),
    )


def test_a_change_is_said_with_the_figure_before():
    assert facts.comparison(made([row("12")], [row("10")]), EN) == "+20.0 %; $10.00 in the period before"


def test_without_a_period_before_no_change_is_claimed():
    assert facts.comparison(made([row("12")]), EN) == "Nothing was recorded in the period before."


def test_what_is_missing_from_the_total_is_said():
    report = made([row("1"), row(None, unpriced=1)])
    assert facts.sureness(report, EN) == (
        "Complete to 2026-11-16 00:00 UTC: 1 not priced, so the total is at least this."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_has_the_same_total(language: str):
    report = made(
        [row("1234.5", team="search", model="gpt-5")],
        [row("1000", team="search", model="gpt-5")],
        change={"volume": Decimal("300"), "price": Decimal("-65.5")},
        outlook=Outlook(low=Decimal(4000), middle=Decimal(5000), high=Decimal(6000), low_confidence=True),
    )
    for shown in (printed(report, language), page(report, Words(language))):
        assert "$1,234.50" in shown
        assert "+$300.00" in shown
        assert "−$65.50" in shown
        assert "$5,000.00" in shown
    assert as_json(report)["now"]["cost"] == "1234.5"


def test_names_are_text_and_never_markup():
    hostile = "<script>alert(1)</script>"
    document = page(made([row("1", team=hostile, model=hostile)], scope=(hostile,)), EN, link="/?a=%22<b>")
    assert "<script" not in document
    assert document.count("&lt;script&gt;") == 3


def test_the_page_needs_nothing_from_elsewhere():
    document = page(made([row("1", team="a")]), EN)
    assert "http" not in document
    assert "<script" not in document
