"""A file of attribution rules: what it may say, and what a mistake in it is answered with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.attribution.reading import read
from outlay_collector.ledger.attribution.rules import Condition, Rule
from outlay_collector.ledger.attribution.sharing import SharedRule

SEOUL = ZoneInfo("Asia/Seoul")

WHOLE = """
rules:
  - name: search keys
    when:
      key: [k1, k2]
      service: {prefix: [search-, find-]}
      team: {missing: true}
      customer: {exists: false}
      tag:tier: gold
    set: {team: search, cost_center: 0042}
    override: true
    valid_from: 2026-01-01
    valid_to: 2026-07-01T00:00:00Z
  - name: everything
    set: {owner: kim}
shared:
  - name: platform
    costs: {project: platform}
    split: fixed
    shares: {search: 60, ads: 40%}
  - name: gateway
    costs: {service: [gateway, router]}
    split: even
    over: [search, ads]
"""


def test_everything_a_file_may_say() -> None:
    found = read(WHOLE, SEOUL)
    assert found.rules == (
        Rule(
            name="search keys",
            conditions=(
                Condition("api_key", "in", ("k1", "k2")),
                Condition("service", "prefix", ("search-", "find-")),
                Condition("team", "missing"),
                Condition("customer", "missing"),
                Condition("tag:tier", "in", ("gold",)),
            ),
            assigns={"team": "search", "cost_center": "0042"},
            override=True,
            valid_from=datetime(2025, 12, 31, 15, tzinfo=UTC),
            valid_to=datetime(2026, 7, 1, tzinfo=UTC),
        ),
        Rule(name="everything", assigns={"owner": "kim"}),
    )
    assert found.shared == (
        SharedRule(
            name="platform",
            costs=(Condition("project", "in", ("platform",)),),
            split="fixed",
            shares={"search": Decimal(60), "ads": Decimal(40)},
        ),
        SharedRule(
            name="gateway",
            costs=(Condition("service", "in", ("gateway", "router")),),
            split="even",
            over=("search", "ads"),
        ),
    )


def test_an_empty_file_has_no_rules() -> None:
    assert read("", SEOUL).rules == ()
    assert read("rules:\n", SEOUL).rules == ()


MISTAKES = {
    "rules: [": "line 1: this is no YAML",
    "rules:\n  - name: a\n    set: {team: x}\n    set: {team: y}": "line 4: 'set' stands twice",
    "rule: []": "the file: 'rule' is no key here; there are rules, shared.",
    "rules: {a: b}": "no list; begin each rule with a dash",
    "rules: [a]": "rule 1: 'a' stands where keys with values are expected",
    "rules: [{set: {team: x}}]": "rule 1: name: a rule needs one",
    "rules: [{name: a}]": "rule 'a': set: nothing is set; name at least one of team, cost_center",
    "rules: [{name: a, set: {model: x}}]": "rule 'a': set: 'model' cannot be set by a rule; what can is team",
    "rules: [{name: a, set: {team: ''}}]": "rule 'a': set: team: '' is empty",
    "rules: [{name: a, set: {team: [x]}}]": "rule 'a': set: team: ['x'] is no plain text",
    "rules: [{name: a, set: {team: x}, override: yes}]": "rule 'a': override: 'yes' is neither true nor false",
    "rules: [{name: a, set: {team: x}, when: {teem: y}}]": "rule 'a': when: 'teem' is no dimension",
    "rules: [{name: a, set: {team: x}, when: {team: {like: y}}}]": "rule 'a': when: team: 'like' is no key here",
    "rules: [{name: a, set: {team: x}, when: {team: {}}}]": "rule 'a': when: team: nothing is asked",
    "rules: [{name: a, set: {team: x}, when: {team: []}}]": "rule 'a': when: team: the list is empty",
    "rules: [{name: a, set: {team: x}, valid_from: soon}]": "rule 'a': valid_from: 'soon' is no date; write one such as",
    "rules: [{name: a, set: {team: x}, valid_from: 2026-02-01, valid_to: 2026-02-01}]": "is not after valid_from",
    "rules: [{name: a, set: {team: x}}, {name: a, set: {team: y}}]": "rule 'a': name: two rules have it",
    "shared: [{name: a, costs: {project: p}, split: half}]": "split: 'half' is no way to share; there are even",
    "shared: [{name: a, split: even}]": "shared rule 'a': costs: say which spend is shared",
    "shared: [{name: a, costs: {user: u}, split: even}]": "costs: 'user' is no dimension that can be asked about",
    "shared: [{name: a, costs: {project: p}, split: fixed, shares: {x: 60}}]": "they add up to 60 percent",
    "shared: [{name: a, costs: {project: p}, split: fixed, shares: {x: many}}]": "shares: x: 'many' is no number",
    "shared: [{name: a, costs: {project: p}, split: fixed, shares: {x: 0, y: 100}}]": "x: '0' is not more than 0",
    "shared: [{name: a, costs: {project: p}, split: even, shares: {x: 100}}]": "only split: fixed has shares",
    "shared: [{name: a, costs: {project: p}, split: fixed, over: [x], shares: {x: 100}}]": "leave over out",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_named_with_its_place_and_the_way_out(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(text, SEOUL, "teams.yaml")
    assert str(caught.value).startswith("teams.yaml: ")
    assert MISTAKES[text] in str(caught.value)
