"""Which attribution rule decides: laws of their order, and the two sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.attribution.moves import Moves, Path, Sum
from outlay_collector.ledger.attribution.rules import SETTABLE, Condition, Rule, Rules, decide

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
VALUES = st.sampled_from(["a", "ab", "b"])
SAID = st.fixed_dictionaries(dict.fromkeys(("service", "team", "feature", "tag:x"), st.none() | VALUES))
CONDITION = st.builds(
    Condition,
    st.sampled_from(["service", "team", "feature", "tag:x"]),
    st.sampled_from(["in", "prefix", "exists", "missing"]),
    st.lists(VALUES, min_size=1, max_size=2).map(tuple),
)
RULES = st.lists(
    st.builds(
        lambda conditions, assigns, override: (tuple(conditions), assigns, override),
        st.lists(CONDITION, max_size=2),
        st.dictionaries(st.sampled_from(["team", "feature", "owner"]), VALUES, min_size=1),
        st.booleans(),
    ),
    max_size=5,
).map(
    lambda parts: [
        Rule(name=f"r{n}", conditions=conditions, assigns=assigns, override=override)
        for n, (conditions, assigns, override) in enumerate(parts)
    ]
)


def a_rule(name: str = "r", *conditions: Condition, override: bool = False, **assigns: str) -> Rule:
    return Rule(name=name, conditions=conditions, assigns=assigns, override=override)


def laid(rules: list[Rule], **said: str | None) -> dict[str, str]:
    return {one.dimension: one.value for one in decide(rules, said)}


def test_the_first_rule_that_may_set_a_dimension_decides() -> None:
    rules = [a_rule("one", team="search"), a_rule("two", team="ads", owner="kim")]
    assert laid(rules) == {"team": "search", "owner": "kim"}


def test_a_rule_that_fills_leaves_what_was_reported_and_one_that_overrides_does_not() -> None:
    assert laid([a_rule(team="search")], team="ads") == {}
    assert laid([a_rule(team="search", override=True)], team="ads") == {"team": "search"}
    assert laid([a_rule("fills", team="x"), a_rule("overrides", team="search", override=True)], team="ads") == {
        "team": "search"
    }


def test_nothing_is_laid_over_what_says_the_same() -> None:
    assert laid([a_rule(team="ads", override=True)], team="ads") == {}


def test_rules_do_not_build_on_each_other() -> None:
    assert laid([a_rule(team="search"), a_rule("two", Condition("team", "exists"), owner="kim")]) == {"team": "search"}


def test_a_rule_holds_from_its_first_instant_to_before_its_last() -> None:
    rule = Rule(name="r", assigns={"team": "search"}, valid_from=NOON, valid_to=NOON + timedelta(hours=1))
    rules = Rules([rule])
    found = [
        bool(rules.decide(rules.segment(at), (None,)))
        for at in (NOON - MOMENT, NOON, NOON + timedelta(hours=1) - MOMENT, NOON + timedelta(hours=1))
    ]
    assert found == [False, True, True, False]


@given(RULES, SAID)
def test_a_later_rule_never_changes_what_an_earlier_one_decided(rules: list[Rule], said: dict[str, str | None]) -> None:
    whole = {one.dimension: one.value for one in decide(rules, said)}
    for length in range(len(rules)):
        for one in decide(rules[:length], said):
            assert whole[one.dimension] == one.value


@given(RULES, SAID, st.randoms(use_true_random=False))
def test_the_order_of_rules_that_set_different_dimensions_does_not_matter(
    rules: list[Rule], said: dict[str, str | None], random: object
) -> None:
    apart = [
        Rule(name=rule.name, conditions=rule.conditions, assigns={dimension: "b"}, override=rule.override)
        for rule, dimension in zip(rules, SETTABLE, strict=False)
    ]
    shuffled = sorted(apart, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert set(decide(apart, said)) == set(decide(shuffled, said))


@given(RULES, SAID)
def test_what_was_reported_changes_by_override_only(rules: list[Rule], said: dict[str, str | None]) -> None:
    by_name = {rule.name: rule for rule in rules}
    for one in decide(rules, said):
        assert said.get(one.dimension) is None or by_name[one.rule].override
        assert by_name[one.rule].assigns[one.dimension] == one.value
        assert by_name[one.rule].holds(said)


@given(RULES, st.lists(st.tuples(SAID, st.integers(0, 10)), max_size=8))
def test_moves_of_one_dimension_go_out_of_and_into_groups_by_the_same_sum(
    rules: list[Rule], calls: list[tuple[dict[str, str | None], int]]
) -> None:
    found = Moves()
    groups: dict[str | None, int] = {}
    for said, cost in calls:
        found.add(1, said, {}, decide(rules, said), 1, Sum(1, 0, cost))  # type: ignore[arg-type]
        groups[said["team"]] = groups.get(said["team"], 0) + cost
    after = dict(groups)
    for path, sums in found.paths.items():
        if path.dimension == "team":
            after[path.before] = after.get(path.before, 0) - int(sums.cost or 0)
            after[path.after] = after.get(path.after, 0) + int(sums.cost or 0)
    wanted: dict[str | None, int] = {}
    for said, cost in calls:
        team = {one.dimension: one.value for one in decide(rules, said)}.get("team", said["team"])
        wanted[team] = wanted.get(team, 0) + cost
    assert {team: cost for team, cost in after.items() if cost} == {team: cost for team, cost in wanted.items() if cost}


def test_without_the_rule_what_was_reported_stands_again() -> None:
    found = Moves()
    assert found.add(1, {"team": "ads"}, {"team": "search"}, (), 2, Sum(2, 1, None)) == {}
    assert found.paths == {Path(1, None, "team", "search", "ads"): Sum(2, 1, None)}
