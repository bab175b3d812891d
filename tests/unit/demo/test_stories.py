"""What the demo is there to show, seen in its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median

import pytest
from outlay_collector.calls.providers import provider_of
from outlay_collector.demo import stories
from outlay_collector.demo.company import FEATURES, MODELS, SELF_HOSTED_MODEL, UNPRICED_MODEL
from outlay_collector.demo.shapes import Recording
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.usage import Usage

from tests.unit.demo.conftest import NOW, Month

STORM_NIGHT = date(2026, 11, 13)
OUTAGE_DAY = date(2026, 11, 18)


def at(span: Recording) -> datetime:
    return datetime.fromtimestamp(span.start_ns / 1e9, UTC)


def of(feature: str, calls: Iterable[Recording]) -> list[Recording]:
    return [call for call in calls if call.whom.feature == feature]


def different(calls: Iterable[Recording], what: Callable[[Recording], object]) -> set[object]:
    return {what(call) for call in calls} - {None}


@pytest.fixture(scope="module")
def book() -> Book:
    return default_book()


def cost(book: Book, call: Recording) -> float:
    """In USD; 0 for what has no price or no usage."""
    if call.usage is None:
        return 0.0
    charge = book.charge(
        provider=call.provider,
        model=call.response_model,
        usage=Usage(**call.usage),
        at=at(call),
        tier=call.service_tier,
    )
    return float(charge.cost or 0)


# The company


def test_it_has_many_teams_features_providers_and_models(calls: list[Recording]) -> None:
    assert len(different(calls, lambda call: call.whom.team)) >= 5
    assert len(different(calls, lambda call: call.whom.feature)) >= 10
    assert len(different(calls, lambda call: call.provider)) >= 4
    assert len(different(calls, lambda call: call.response_model)) >= 10
    assert different(calls, lambda call: call.whom.feature) == {feature.name for feature in FEATURES}


def test_calls_say_for_whom_they_were(calls: list[Recording]) -> None:
    assert len(different(calls, lambda call: call.whom.customer)) >= 10
    assert len(different(calls, lambda call: call.whom.user)) >= 100
    assert len(different(calls, lambda call: call.whom.session)) >= 1_000
    assert different(calls, lambda call: call.whom.environment) == {"production", "staging"}
    assert len(different(calls, lambda call: call.whom.release)) >= 5
    assert len(different(of("ask-data", calls), lambda call: call.whom.prompt_version)) >= 3


def test_providers_are_called_by_the_names_the_collector_knows() -> None:
    for model in MODELS.values():
        assert provider_of(model.provider, model.name, None)[0] == model.provider


def test_every_model_has_a_price_today_but_for_the_one_nobody_has_one_for(book: Book, calls: list[Recording]) -> None:
    unpriced = {
        call.response_model
        for call in calls
        if call.usage
        and book.charge(
            provider=call.provider,
            model=call.response_model,
            usage=Usage(**call.usage),
            at=at(call),
            tier=call.service_tier,
        ).status
        != "priced"
    }
    assert unpriced == {UNPRICED_MODEL}


def test_models_that_take_over_later_have_prices_too(book: Book) -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100)
    for model in MODELS.values():
        if model.name not in (UNPRICED_MODEL, "text-embedding-3-small"):
            name = model.answers_as or model.name
            assert book.charge(provider=model.provider, model=name, usage=usage, at=NOW).status == "priced", name


def test_a_few_features_make_most_of_the_bill(book: Book, calls: list[Recording]) -> None:
    spend = {feature.name: 0.0 for feature in FEATURES}
    for call in calls:
        spend[call.whom.feature] += cost(book, call)
    total = sum(spend.values())
    assert total > 1_000
    assert sum(sorted(spend.values())[-4:]) > 0.7 * total


def test_an_own_model_serves_many_calls(calls: list[Recording]) -> None:
    own = [call for call in calls if call.model == SELF_HOSTED_MODEL]
    assert {call.provider for call in own} == {"vllm"}
    assert len(own) > 3_000


# What calls are like


def test_streams_say_when_their_first_token_came(calls: list[Recording]) -> None:
    streams = [call for call in calls if call.streaming and not call.error]
    assert len(streams) > 5_000
    for call in streams:
        assert call.time_to_first_token is not None
        assert 0 < call.time_to_first_token <= (call.end_ns - call.start_ns) / 1e9 + 0.002


def test_some_streams_were_closed_early_and_their_usage_is_estimated(calls: list[Recording]) -> None:
    assert 20 < sum(call.usage_source == "estimated" for call in calls) < 500


def test_some_answers_came_without_usage(calls: list[Recording]) -> None:
    silent = [call for call in calls if call.usage_source == "missing"]
    assert 10 < len(silent) < 200
    assert all(call.usage is None for call in silent)


def test_prompts_are_cached_where_they_are_laid_out_for_it(calls: list[Recording]) -> None:
    answers = [call for call in of("answer-ticket", calls) if call.name == "write_answer" and call.usage]
    assert mean("cache_read_tokens" in (call.usage or {}) for call in answers) > 0.7
    written = [call for call in calls if (call.usage or {}).get("cache_write_5m_tokens")]
    assert {call.provider for call in written} == {"anthropic"}


def test_jobs_use_the_batch_tier(calls: list[Recording]) -> None:
    assert {call.whom.feature for call in calls if call.service_tier == "batch"} == {"extract-clauses"}


def test_a_few_calls_fail_and_used_nothing(calls: list[Recording]) -> None:
    failed = [call for call in calls if call.error]
    assert 0.002 < len(failed) / len(calls) < 0.02
    assert all(call.usage is None and call.response_id is None for call in failed)
    assert len({call.error for call in failed}) >= 6


def test_a_call_that_failed_is_asked_again_in_the_same_place(calls: list[Recording]) -> None:
    failed = [call for call in calls if call.error and call.parent_span_id]
    again = {(call.trace_id, call.parent_span_id, call.name) for call in calls if not call.error}
    assert mean((call.trace_id, call.parent_span_id, call.name) in again for call in failed) > 0.6


def test_agents_use_tools_and_other_agents(spans: list[Recording]) -> None:
    by_id = {(span.trace_id, span.span_id): span for span in spans}

    def parent(span: Recording) -> Recording | None:
        return by_id.get((span.trace_id, span.parent_span_id or 0))

    agents = [span for span in spans if span.kind == "agent"]
    assert {agent.name for agent in agents} == {"route-planner", "customs-checker", "code-reviewer", "data-analyst"}
    helpers = [agent for agent in agents if (above := parent(agent)) is not None and above.kind == "agent"]
    assert {helper.name for helper in helpers} == {"customs-checker"}
    tools = [span for span in spans if span.kind == "tool" and (above := parent(span)) and above.kind == "agent"]
    assert len({tool.name for tool in tools}) >= 6
    assert any(tool.error for tool in tools)


def test_an_agents_prompt_grows_from_round_to_round(spans: list[Recording]) -> None:
    rounds: dict[tuple[int, int], list[int]] = {}
    for span in spans:
        if span.is_call and span.agent == "code-reviewer" and span.usage and span.parent_span_id:
            rounds.setdefault((span.trace_id, span.parent_span_id), []).append(span.usage["input_tokens"])
    assert all(prompts == sorted(prompts) for prompts in rounds.values())
    assert mean(prompts[-1] / prompts[0] for prompts in rounds.values() if len(prompts) > 4) > 1.15


def test_now_and_then_an_agent_runs_in_circles(spans: list[Recording]) -> None:
    rounds: dict[int, int] = {}
    for span in spans:
        if span.kind == "tool" and span.agent == "route-planner":
            rounds[span.trace_id] = rounds.get(span.trace_id, 0) + 1
    circling = [trace for trace, count in rounds.items() if count > 20]
    assert 1 <= len(circling) < 0.05 * len(rounds)


def test_conversations_have_several_turns(calls: list[Recording]) -> None:
    turns: dict[str, set[int]] = {}
    for call in of("answer-ticket", calls):
        if call.whom.session:
            turns.setdefault(call.whom.session, set()).add(call.trace_id)
    assert 1.5 < mean(map(len, turns.values())) < 4


# What happened


def test_one_friday_night_nearly_every_answer_is_asked_for_again(book: Book, month: Month) -> None:
    def bill(day: date) -> float:
        return sum(cost(book, call) for call in of("review-contract", month[day]) if call.is_call)

    ordinary = median(bill(day) for day in month if day.weekday() == 4 and day != STORM_NIGHT)
    assert bill(STORM_NIGHT) > 4 * ordinary
    unread = [span for span in month[STORM_NIGHT] if span.name == "parse_assessment" and span.error]
    assert len(unread) > 150
    assert all(at(span).hour >= stories.STORM.from_hour or at(span).date() > STORM_NIGHT for span in unread[5:])


def test_a_provider_is_in_trouble_one_afternoon(month: Month) -> None:
    def hit(call: Recording) -> bool:
        return call.is_call and call.provider == "anthropic" and at(call).hour in (14, 15)

    during = [call for call in month[OUTAGE_DAY] if hit(call)]
    before = [call for call in month[OUTAGE_DAY - timedelta(days=1)] if hit(call)]
    assert mean(call.error is not None for call in during) > 0.25
    assert mean(call.error is not None for call in before) < 0.05


def test_a_deployment_made_a_prompt_grow(calls: list[Recording]) -> None:
    def prompt(first: date, last: date) -> float:
        return median(
            call.usage["input_tokens"]
            for call in of("ask-data", calls)
            if call.usage and first <= at(call).date() <= last
        )

    before, after = prompt(date(2026, 11, 2), date(2026, 11, 9)), prompt(date(2026, 11, 11), date(2026, 11, 20))
    assert after > 2 * before


def test_the_grown_prompt_came_with_a_release_and_a_version_of_its_own(calls: list[Recording]) -> None:
    tuesday = [call.whom for call in of("ask-data", calls) if at(call).date() == date(2026, 11, 10)]
    assert len({(whom.release.removesuffix("-rc"), whom.prompt_version) for whom in tuesday}) == 2


def test_a_team_moves_to_a_cheaper_model_and_saves(book: Book, calls: list[Recording]) -> None:
    answers = [call for call in of("answer-ticket", calls) if call.name == "write_answer" and call.usage]
    before = [call for call in answers if at(call).date() < date(2026, 11, 16)]
    after = [call for call in answers if at(call).date() >= date(2026, 11, 19)]
    assert {call.model for call in before} == {"gpt-5.5"}
    assert {call.model for call in after} == {"gpt-6.1-sol"}
    assert mean(cost(book, call) for call in after) < 0.6 * mean(cost(book, call) for call in before)


def test_while_it_moves_both_models_answer(calls: list[Recording]) -> None:
    answers = [call for call in of("answer-ticket", calls) if call.name == "write_answer"]
    assert {call.model for call in answers if at(call).date() == date(2026, 11, 17)} == {"gpt-5.5", "gpt-6.1-sol"}


@pytest.mark.parametrize("days", range(0, 330, 7))
def test_any_thirty_days_of_the_coming_year_hold_every_story(days: int) -> None:
    window = [NOW.date() + timedelta(days=days - back) for back in range(1, 31)]
    cycle_days = {stories.day_of_cycle(day) for day in window}
    assert cycle_days == set(range(stories.CYCLE_DAYS))
    assert any(move.begins in window for move in stories.MOVES)


def test_a_move_never_goes_back() -> None:
    for feature in {move.feature for move in stories.MOVES}:
        models = [model for move in stories.MOVES if move.feature == feature for model in (move.old, move.new)]
        assert models[1:-1:2] == models[2::2]
        assert len(set(models)) == len(models) - len(models[2::2])
