"""Every payload of the corpus gives the calls in the provider's ledger; what a payload does not carry is listed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from outlay_collector.calls import flags
from outlay_collector.calls.dialects import DIALECTS
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.settle import settle

from tests.unit.calls.builders import candidate_of
from tests.unit.calls.corpus import (
    CASES,
    Settled,
    counted,
    groups,
    limited,
    limits,
    spans,
    spans_from_json,
    truth,
    unknown_facts,
)

_PROVIDERS = {"gemini": "gcp.gemini"}
_REASONS = {
    "stop": "stop", "end_turn": "stop", "completed": "done", "tool_calls": "tools", "tool_use": "tools",
    "tool_call": "tools", "tool-calls": "tools", "length": "cut", "max_tokens": "cut", "incomplete": "cut",
}  # fmt: skip
_COUNTS = {
    "input_tokens_total": "input_tokens",
    "output_tokens_total": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_output_tokens": "output_audio_tokens",
}
_FACTS = ("provider", "request_model", "response_model", "streaming", "finish_reasons")


def _pairs(case: str) -> Iterable[tuple[dict[str, Any], Settled]]:
    """The ledger's billed calls with ours: by response id, the others in order."""
    billed = [call for call in truth(case)["calls"] if call["error"] is None]
    ours = [settled for settled in counted(spans(case)) if not settled.failed]
    by_id = {settled.response_id: settled for settled in ours if settled.response_id}
    rest = [settled for settled in ours if settled.response_id not in {call["response_id"] for call in billed}]
    # Parallel calls without ids are compared by what they used.
    rest.sort(key=lambda settled: (settled.count("output_tokens") or 0, settled.call.span.start_ns))
    for call in sorted(billed, key=lambda call: (call["output_tokens_total"], call["seq"])):
        match = by_id.get(call["response_id"]) if call["response_id"] else None
        if match is None and rest:
            match = rest.pop(0)
        if match is not None:
            yield call, match


def _is_unknown(case: str, fact: str) -> bool:
    folder, _, name = case.partition("/")
    cases = unknown_facts().get(folder, {}).get(fact, [])
    return "*" in cases or name in cases


@pytest.mark.parametrize("case", CASES)
def test_as_many_calls_are_counted_as_the_provider_billed(case: str) -> None:
    ledger = truth(case)["calls"]
    ours = counted(spans(case))
    billed = sum(call["error"] is None for call in ledger)
    if "unreported" in limited(case):
        assert len(ours) < len(ledger)
    elif "calls" in limited(case):
        assert 0 < len(ours) < billed
        assert any(flags.LAST_CALL_ONLY in settled.all_flags for settled in ours)
    else:
        assert sum(not settled.failed for settled in ours) == billed
    failures = 0 if "attempts" in limited(case) else len(ledger) - billed
    assert sum(settled.failed for settled in ours) == failures


@pytest.mark.parametrize("case", CASES)
def test_tokens_are_those_of_the_ledger(case: str) -> None:
    for call, settled in _pairs(case):
        if "usage" in limited(case):
            assert settled.usage_source in ("estimated", "missing")
            continue
        assert settled.usage_source == "reported"
        for theirs, ours in _COUNTS.items():
            if theirs.removesuffix("_tokens") in limited(case):
                assert settled.count(ours) is None
            elif not (theirs.startswith("audio") and settled.count(ours) is None):
                assert (settled.count(ours) or 0) == (call[theirs] or 0), theirs


@pytest.mark.parametrize("case", CASES)
def test_a_lifetime_of_cache_writes_is_right_or_flagged_as_assumed(case: str) -> None:
    for call, settled in _pairs(case):
        if call["provider"] != "anthropic" or not call["cache_write_tokens"] or "cache_write" in limited(case):
            continue
        told = (settled.count("cache_write_5m_tokens"), settled.count("cache_write_1h_tokens"))
        if told == (None, None):
            assert flags.TTL_ASSUMED in settled.all_flags
        else:
            assert told == (call["cache_write_5m_tokens"], call["cache_write_1h_tokens"])


@pytest.mark.parametrize("case", [case for case in CASES if limited(case) & {"cache_read", "cache_write"}])
def test_missing_cache_counts_are_said_on_the_call(case: str) -> None:
    for _, settled in _pairs(case):
        assert settled.all_flags & {flags.CACHE_NOT_REPORTED, flags.CACHE_WRITE_NOT_REPORTED}


@pytest.mark.parametrize("fact", _FACTS)
@pytest.mark.parametrize("case", CASES)
def test_models_provider_stream_and_reasons_are_those_of_the_ledger(case: str, fact: str) -> None:
    for call, settled in _pairs(case):
        ours, theirs = getattr(settled, fact), call[fact]
        if _is_unknown(case, fact):
            assert ours in (None, (), [])
        elif fact == "finish_reasons":
            assert _same_reasons(ours, theirs) or "finish_reasons" in limited(case)
        else:
            assert ours == (_PROVIDERS.get(theirs, theirs) if fact == "provider" else theirs)


def _same_reasons(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    one, other = ([_REASONS[reason.lower()] for reason in reasons] for reasons in (ours, theirs))
    # The responses API says "completed" of whatever came to its end; libraries tell tools from texts.
    return one == other or (other == ["done"] and one in (["stop"], ["tools"]))


@pytest.mark.parametrize("case", CASES)
def test_failed_calls_name_their_error_and_have_no_usage(case: str) -> None:
    for settled in counted(spans(case)):
        if settled.failed:
            assert settled.error_type not in (None, "_OTHER")
            assert settled.usage is None


@pytest.mark.parametrize("case", CASES)
def test_json_and_protobuf_say_the_same(case: str) -> None:
    # As text, because the AI SDK's NaN equals nothing, not even itself.
    assert list(map(repr, map(normalise, spans_from_json(case)))) == list(map(repr, map(normalise, spans(case))))


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_arrival_and_repetition_change_nothing(case: str) -> None:
    payload = spans(case)
    expected = [settled.verdict for settled in counted(payload)]
    shuffled = payload + payload
    random.Random(case).shuffle(shuffled)
    assert [settled.verdict for settled in counted(shuffled)] == expected
    assert [settled.verdict for settled in counted(payload[::-1])] == expected


@pytest.mark.parametrize("case", CASES)
def test_all_spans_in_one_group_settle_as_in_the_groups_the_collector_makes(case: str) -> None:
    calls = [normalise(span) for span in spans(case)]
    together = settle([candidate_of(call) for call in calls])
    apart = [verdict for group in groups(calls) for verdict in settle([candidate for _, candidate in group])]
    assert sorted(map(repr, together)) == sorted(map(repr, apart))


def test_the_whole_corpus_at_once_settles_like_its_cases() -> None:
    # Cases repeat the same requests, so ids repeat too; the cases of one library do not.
    for folder in sorted({case.partition("/")[0] for case in CASES}):
        cases = [case for case in CASES if case.startswith(f"{folder}/") and "sdkdual" not in case]
        payload = [span for case in cases for span in spans(case)]
        alone = sum(len(counted(spans(case))) for case in cases)
        assert len(counted(payload)) <= alone


@pytest.mark.parametrize("case", CASES)
def test_no_text_is_left_among_attributes_and_events(case: str) -> None:
    # The fake provider's answers are made of these words, and "[[" is in the prompts.
    words = ("quartz", "fjord", "zephyr", "lantern", "nectar", "[[")
    for call in map(normalise, spans(case)):
        kept = repr((call.attributes, [event.attributes for event in call.events if event.name != "exception"]))
        assert not [word for word in words if word in kept]


def test_every_limit_names_cases_that_exist() -> None:
    assert {case for limit in limits() for case in limit.cases} <= set(CASES)


def test_every_source_in_the_corpus_is_recognised_by_its_scope() -> None:
    names = {dialect.name for dialect in DIALECTS} - {"gen-ai", "other"}
    unknown = {
        (span.scope_name, normalise(span).dialect) for case in CASES for span in spans(case)
        if normalise(span).dialect not in names
    }  # fmt: skip
    assert unknown == set()
