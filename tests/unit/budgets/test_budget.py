"""Budgets as people write them: what is understood, and what is refused with the key, the value and the way out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.budgets import file
from outlay_collector.budgets.budget import Budget, as_json, parse
from outlay_collector.budgets.check import Level, decide
from outlay_collector.budgets.periods import period_at
from outlay_collector.budgets.scope import contains, dimensions_of, may_be_in
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.reads.question import Filter

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_budget(**said: Any) -> Budget:
    return parse(
        {"name": "b", "amount": "100", **said}, where="budgets.yaml", project="shop", currency="USD", zone=UTC_ZONE
    )


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"amount": "0"}, r"budgets.yaml, budget b: amount cannot be '0'; write an amount above 0"),
        ({"amount": "NaN"}, "amount cannot be 'NaN'"),
        ({"amount": True}, "amount cannot be True"),
        ({"ammount": "3"}, "there is no key 'ammount'; there are project, name"),
        ({"period": "fortnight"}, "period cannot be 'fortnight'; write one of day, week, month"),
        ({"time_zone": "Mars/Base"}, "time_zone cannot be 'Mars/Base'; write an IANA name"),
        ({"anchor_day": 31}, "anchor_day cannot be 31; write a whole number from 1 to 28"),
        ({"period": "week", "anchor_day": 3}, "anchor_day cannot be 3; it belongs to period month or quarter or year"),
        ({"currency": "EUR"}, r"currency cannot be 'EUR'; this instance counts in USD"),
        ({"filter": {"teem": ["a"]}}, "filter: There is no dimension 'teem'"),
        ({"filter": {"team": [1]}}, "filter team cannot be 1; values are texts"),
        ({"filter": {"team": {"is": "a"}}}, "filter team: there is no key 'is'; there are in, not, exists"),
        ({"filter": {"project": ["a"]}}, "a budget is of the project that its own key project names"),
        ({"per": "teem"}, "per: There is no dimension"),
        ({"thresholds": [80]}, r"thresholds cannot be 80; write {kind: actual, percent: 80}"),
        ({"thresholds": [{"percent": 80}, {"percent": 80.0}]}, "stands there twice"),
        ({"thresholds": [{"kind": "maybe", "percent": 1}]}, "kind cannot be 'maybe'"),
        ({"thresholds": [{"percent": -1}]}, "percent cannot be -1"),
        ({"plan": {"from": "2026-11", "amounts": ["1"]}}, "write either amount .* or plan"),
        ({"amount": None, "plan": {"amounts": ["1"]}}, "plan: from cannot be None; write the day"),
        ({"amount": None, "plan": {"from": "2026-11", "amounts": []}}, "amounts cannot be"),
        ({"amount": None, "period": "rolling", "plan": {"from": "2026-11", "amounts": ["1"]}}, "no periods to plan"),
        ({"webhooks": ["x"]}, "webhooks cannot be 'x'; write a webhook's id"),
        ({"enforce": "yes"}, "enforce cannot be 'yes'; write one of block, warn, none"),
        ({"starts": "soon"}, "starts cannot be 'soon'; write a day as 2026-11-01"),
        ({"name": ""}, "name cannot be ''"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(said: dict[str, Any], refusal: str) -> None:
    with pytest.raises(BadRequest, match=refusal):
        a_budget(**said)


def test_what_is_kept_is_read_back_the_same() -> None:
    budget = a_budget(
        filter={"team": "search", "model": {"not": ["gpt-4o"]}, "customer": {"exists": True}, "tag:tier": ["gold", "silver"]},
        per="customer", period="quarter", fiscal_start=2, anchor_day=15, time_zone="Asia/Seoul", amount=None,
        plan={"from": "2026-11", "amounts": ["100", 120.5], "growth_percent": "5"},
        thresholds=[{"percent": 80}, {"kind": "forecast", "percent": 100, "on": "p90"}, {"amount": "50"}],
        parent="all", strict=True, enforce="warn", re_alert=True, starts=date(2026, 11, 1), max_instances=9,
    )  # fmt: skip
    kept = as_json(budget)
    assert parse(kept, where="", project=None, currency="USD", zone=UTC_ZONE) == budget
    assert kept["filter"] == {
        "customer": {"exists": True}, "model": {"not": ["gpt-4o"]}, "tag:tier": ["gold", "silver"], "team": ["search"]
    }  # fmt: skip
    assert [one.key for one in budget.thresholds] == ["actual:80%", "forecast:p90:100%", "actual:50"]


@pytest.mark.parametrize(
    ("day", "amount"),
    [
        ("2026-09-30", "100"),
        ("2026-11-30", "100"),
        ("2026-12-01", "120"),
        ("2027-01-01", "132"),
        ("2027-02-01", "145.2"),
    ],
)
def test_a_plan_lists_amounts_and_grows_on(day: str, amount: str) -> None:
    budget = a_budget(amount=None, plan={"from": "2026-11", "amounts": ["100", "120"], "growth_percent": "10"})
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert budget.plan.amount(budget.calendar, period_at(budget.calendar, at)) == Decimal(amount)


@pytest.mark.parametrize(
    ("outer", "inner", "held"),
    [
        ([], [Filter("team", ("a",))], True),
        ([Filter("team", ("a", "b"))], [Filter("team", ("a",))], True),
        ([Filter("team", ("a",))], [Filter("team", ("a", "b"))], False),
        ([Filter("team", ("a",))], [], False),
        ([Filter("team", ("a",))], [Filter("team", ("a",)), Filter("model", ("m",))], True),
        ([Filter("team", ("a",), negated=True)], [Filter("team", ("b",))], True),
        ([Filter("team", ("a",), negated=True)], [Filter("team", ("a", "b"), negated=True)], True),
        ([Filter("team", ("a", "b"), negated=True)], [Filter("team", ("a",), negated=True)], False),
        ([Filter("team", ("a",), negated=True)], [Filter("team", (), negated=True)], True),
        ([Filter("team", ())], [Filter("team", ("a",))], True),
        ([Filter("team", ())], [Filter("team", ("a",), negated=True)], False),
        ([Filter("team", (), negated=True)], [Filter("team", (), negated=True)], True),
    ],
)
def test_a_scope_holds_another_as_far_as_filters_show(outer: list[Filter], inner: list[Filter], held: bool) -> None:
    assert contains(outer, inner) is held


def test_attributes_say_whether_a_call_can_be_in_a_scope() -> None:
    known = dimensions_of({"outlay.team": "search", "user.id": "u1", "outlay.tag.tier": "gold"})
    assert known == {"team": "search", "user": "u1", "tag:tier": "gold"}
    assert may_be_in([Filter("team", ("search", "ads")), Filter("model", ("m",))], known)
    assert not may_be_in([Filter("team", ("ads",))], known)
    assert not may_be_in([Filter("team", ("search",), negated=True)], known)
    assert may_be_in([Filter("user", ())], known)
    assert not may_be_in([Filter("user", (), negated=True)], known)


def a_level(actual: str, **said: Any) -> Level:
    budget = a_budget(**said)
    period = period_at(budget.calendar, NOW)
    return Level(
        budget=budget, period=period, amount=budget.plan.amount(budget.calendar, period), actual=Decimal(actual)
    )


def test_the_most_restrictive_decides() -> None:
    assert decide([]).verdict == "allow"
    assert decide([a_level("79.99")]).verdict == "allow"
    assert decide([a_level("80")]).verdict == "warn"
    blocked = decide([a_level("80"), a_level("100", name="above")])
    assert (blocked.verdict, blocked.level and blocked.level.budget.name) == ("block", "above")
    assert blocked.until == datetime(2026, 12, 1, tzinfo=UTC)
    assert decide([a_level("100", enforce="warn")]).verdict == "warn"
    assert decide([a_level("999", enforce="none")]).verdict == "allow"
    assert decide([a_level("99", thresholds=[])], estimate=Decimal("1.01")).verdict == "block"
    assert decide([a_level("99", thresholds=[])], estimate=Decimal("1")).verdict == "warn"


FILE = """
project: shop
budgets:
  - {name: all, amount: 1000}
  - name: search
    filter: {team: [search]}
    amount: "100.50"
"""


def test_a_file_is_compared_with_what_is_in_force() -> None:
    wanted = file.read(FILE, file="budgets.yaml", project=None, currency="USD", zone=UTC_ZONE)
    there = [a_budget(name="all", amount="900"), wanted[1], a_budget(name="old")]
    steps = file.steps(wanted, there, prune=True)
    assert [(step.act, step.name, step.differences) for step in steps] == [
        ("change", "all", (("amount", "900", "1000"),)), ("same", "search", ()), ("prune", "old", ()),
    ]  # fmt: skip
    assert [step.act for step in file.steps(wanted, wanted, prune=True)] == ["same", "same"]
    assert file.steps(wanted, there, prune=False)[-1].act == "leave"


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("budgets: [", "x.yaml is no YAML"),
        ("a: 1", "x.yaml: write budgets:"),
        ("budgets: []\nmore: 1", "no key 'more' at the top"),
        ("budgets: [3]", "x.yaml, item 1: a budget is a mapping"),
        ("budgets: [{amount: 1}]", "x.yaml, item 1: a budget needs a name"),
        ("budgets: [{name: a, amount: 1}]", "x.yaml, budget a: project is missing"),
        ("project: p\nbudgets: [{name: a, amount: 1}, {name: a, amount: 2}]", "name stands there twice"),
        ("project: p\nbudgets: [{name: a, amount: -1}]", "x.yaml, budget a: amount cannot be -1"),
    ],
)
def test_a_file_that_cannot_be_says_where(text: str, refusal: str) -> None:
    with pytest.raises(BadRequest, match=refusal):
        file.read(text, file="x.yaml", project=None, currency="USD", zone=UTC_ZONE)
