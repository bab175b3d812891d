"""Each call is counted once: what joins two descriptions, what keeps two calls apart, and what stands for lost ones."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlay_collector.calls import flags
from outlay_collector.calls.settle import Candidate, Verdict, settle
from outlay_collector.pricing.usage import Usage

from tests.unit.calls.builders import a_candidate


def counted(*spans: Candidate) -> list[Candidate]:
    keys = {verdict.key for verdict in settle(spans) if verdict.counted}
    return [span for span in spans if span.key in keys]


def verdict_on(span: Candidate, *others: Candidate) -> Verdict:
    return next(verdict for verdict in settle([span, *others]) if verdict.key == span.key)


def an_agent(**fields: Any) -> Candidate:
    return a_candidate(**({"span_type": "aggregate", "operation": "invoke_agent", "scope": "agents"} | fields))


def test_an_aggregate_above_a_call_is_not_counted() -> None:
    agent = an_agent(trace=1, span=1, tokens=(300, 60))
    one, two = a_candidate(trace=1, span=2, parent=1), a_candidate(trace=1, span=3, parent=1, at=2, tokens=(200, 40))
    assert counted(agent, one, two) == [one, two]
    assert verdict_on(agent, one, two).reason == "aggregate"


def test_two_descriptions_with_one_response_id_are_one_call_also_in_two_traces() -> None:
    plain = a_candidate(response_id="msg_1", scope="wrapper", user="u1", feature="search")
    rich = a_candidate(
        response_id="msg_1", scope="native", at=0.001,
        usage=Usage(input_tokens=100, output_tokens=20, cache_write_tokens=9, cache_write_1h_tokens=9),
    )  # fmt: skip
    assert counted(plain, rich) == [rich]
    assert verdict_on(rich, plain).joined == {"user": "u1", "feature": "search"}
    assert verdict_on(plain, rich).reason == "duplicate"


@pytest.mark.parametrize(
    "difference",
    [
        {"tokens": (101, 20)},
        {"model": "claude-sonnet-4-5"},
        {"at": 601.0},
    ],
    ids=["other totals", "other model", "eleven minutes later"],
)
def test_a_repeated_response_id_does_not_join_what_cannot_be_one_call(difference: dict[str, Any]) -> None:
    one, other = a_candidate(response_id="chatcmpl-0"), a_candidate(**({"response_id": "chatcmpl-0"} | difference))
    assert counted(one, other) == [one, other]


def test_a_dated_snapshot_and_its_alias_are_one_model() -> None:
    one = a_candidate(response_id="r", model="openai/gpt-4o", scope="gateway")
    other = a_candidate(response_id="r", model="gpt-4o-2024-08-06")
    assert len(counted(one, other)) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Usage(input_tokens=400, output_tokens=40), Usage(input_tokens=2600, output_tokens=40, cache_read_tokens=2200)),
        (Usage(input_tokens=10, output_tokens=30), Usage(input_tokens=10, output_tokens=286, reasoning_tokens=256)),
        (Usage(input_tokens=10, output_tokens=61), Usage(input_tokens=10, output_tokens=60)),
    ],
    ids=["cache left out", "reasoning left out", "a chunk twice"],
)
def test_totals_that_two_sources_count_differently_do_not_part_one_response(first: Usage, second: Usage) -> None:
    spans = [a_candidate(response_id="r", scope=scope, usage=usage) for scope, usage in (("a", first), ("b", second))]
    assert len(counted(*spans)) == 1


def test_equal_calls_of_one_source_stay_two() -> None:
    one, other = a_candidate(trace=1, response_id="a"), a_candidate(trace=1, response_id="b")
    assert counted(one, other) == [one, other]
    assert len(counted(*(a_candidate(trace=2) for _ in range(5)))) == 5


def test_a_call_inside_an_equal_call_is_one_call_with_or_without_ids() -> None:
    outer, inner = (
        a_candidate(trace=1, span=1, scope="framework"),
        a_candidate(trace=1, span=2, parent=1, at=0.1, seconds=0.8),
    )
    assert len(counted(outer, inner)) == 1
    invented = replace(outer, response_id="chatcmpl-made-up")
    assert len(counted(invented, replace(inner, response_id="msg_real"))) == 1
    # The same source nests too (a callback around its own patched client), unless both ids are real.
    assert len(counted(outer, replace(inner, scope="framework"))) == 1
    assert len(counted(replace(outer, response_id="a"), replace(inner, scope="framework", response_id="b"))) == 2


def test_plain_spans_between_two_descriptions_do_not_part_them_but_tools_do() -> None:
    outer = a_candidate(trace=1, span=1, scope="framework", tokens=None)
    between = a_candidate(trace=1, span=2, parent=1, span_type="other", tokens=None)
    inner = a_candidate(trace=1, span=3, parent=2, at=0.1)
    assert counted(outer, between, inner) == [inner]
    assert len(counted(outer, replace(between, span_type="tool"), inner)) == 2


def test_an_outer_call_that_sums_up_several_is_an_aggregate() -> None:
    outer = a_candidate(trace=1, span=1, scope="framework", tokens=(300, 60), seconds=5)
    inner = [a_candidate(trace=1, span=2, parent=1), a_candidate(trace=1, span=3, parent=1, at=2, tokens=(200, 40))]
    assert counted(outer, *inner) == inner
    assert verdict_on(outer, *inner).reason == "aggregate"
    assert counted(replace(outer, usage=None, usage_source="missing"), *inner) == inner


def test_failed_attempts_inside_a_call_that_came_through_are_attempts_of_their_own() -> None:
    outer = a_candidate(trace=1, span=1, scope="framework", seconds=5)
    failed = a_candidate(trace=1, span=2, parent=1, tokens=None, error_type="RateLimitError")
    passed = a_candidate(trace=1, span=3, parent=1, at=2)
    assert counted(outer, failed, passed) in ([outer, failed], [failed, passed])


def test_a_failure_seen_by_two_sources_is_one_failure() -> None:
    outer = a_candidate(trace=1, span=1, scope="wrapper", tokens=None, error_type="anthropic.OverloadedError")
    inner = a_candidate(trace=1, span=2, parent=1, at=0.001, seconds=0.99, tokens=None, error_type="overloaded_error")
    assert len(counted(outer, inner)) == 1
    elsewhere = replace(inner, trace_id=b"2" * 16, parent_span_id=None)
    assert len(counted(outer, elsewhere)) == 1


def test_unlinked_descriptions_of_one_service_are_one_call_where_one_lies_within_the_other() -> None:
    framework = a_candidate(scope="langchain", seconds=1.0, session="s")
    client = a_candidate(scope="openai", at=0.006, seconds=0.99, response_id="chatcmpl-1")
    assert counted(framework, client) == [client]
    assert verdict_on(client, framework).joined == {"session": "s"}


@pytest.mark.parametrize(
    "difference",
    [{"service": "billing"}, {"tokens": (100, 21)}, {"at": 0.5}, {"model": "gpt-4o"}, {"scope": "langchain"}],
    ids=["other service", "other totals", "overlapping only", "other model", "same source"],
)
def test_unlinked_calls_that_differ_stay_two(difference: dict[str, Any]) -> None:
    framework = a_candidate(scope="langchain")
    client = a_candidate(**({"scope": "openai", "at": 0.006, "seconds": 0.99} | difference))
    assert len(counted(framework, client)) == 2


def test_unlinked_equal_calls_with_ids_of_their_own_stay_two() -> None:
    framework = a_candidate(scope="langchain", response_id="chatcmpl-1")
    assert len(counted(framework, a_candidate(scope="openai", at=0.006, seconds=0.99, response_id="chatcmpl-2"))) == 2


def test_a_count_as_it_came_is_preferred_to_a_corrected_one() -> None:
    corrected = a_candidate(response_id="r", scope="a", tokens=(20, 62), flags=(flags.OUTPUT_CORRECTED,), at=-0.1)
    native = a_candidate(response_id="r", scope="b", tokens=(20, 60))
    assert counted(corrected, native) == [native]


def test_unlinked_parallel_twins_are_matched_one_to_one() -> None:
    spans = [
        a_candidate(scope=scope, at=at, seconds=1 - 2 * at) for at in (0.0, 0.0) for scope in ("langchain", "openai")
    ]
    assert len(counted(*spans)) == 2


def test_the_halves_of_a_logged_stream_are_one_call_of_the_streams_length() -> None:
    request = a_candidate(scope="logfire.openai", tokens=None, seconds=0.1, flags=(flags.STREAM_REQUEST,))
    log = a_candidate(scope="logfire.openai", at=4.0, seconds=0, flags=(flags.STREAM_LOG,))
    assert counted(request, log) == [log]
    assert verdict_on(request, log).reason == "stream_half"
    assert verdict_on(log, request).joined == {"duration_us": 4_000_000}
    assert counted(request) == [request]


def test_streams_at_once_are_as_many_calls() -> None:
    requests = [a_candidate(trace=9, scope="logfire.openai", tokens=None, seconds=0.1, at=at, flags=(flags.STREAM_REQUEST,))
                for at in (0.0, 0.01, 5.0)]  # fmt: skip
    logs = [
        a_candidate(trace=9, scope="logfire.openai", at=at, seconds=0, flags=(flags.STREAM_LOG,))
        for at in (2.0, 3.0, 9.0)
    ]
    assert counted(*requests, *logs) == logs


def test_one_span_id_with_two_start_times_is_one_span() -> None:
    early, late = a_candidate(trace=1, span=1), a_candidate(trace=1, span=1, at=3)
    verdicts = settle([early, late])
    assert [verdict.counted for verdict in verdicts] == [True, False]
    assert verdicts[1].reason == "same_span"


def test_placeholders_are_dropped() -> None:
    pending = a_candidate(flags=(flags.PENDING,), span_type="other", tokens=None)
    assert verdict_on(pending).reason == "pending"
    assert not counted(pending)


def test_reported_usage_that_comes_later_replaces_an_estimate() -> None:
    estimate = a_candidate(response_id="r", usage_source="estimated", tokens=(90, 25))
    late = a_candidate(response_id="r", at=120, usage_source="reported", tokens=(100, 20))
    assert counted(estimate, late) == [late]


def test_an_aggregate_of_calls_that_never_arrived_is_counted_as_an_estimate() -> None:
    outer, inner = an_agent(trace=1, span=1, tokens=(300, 60)), an_agent(trace=1, span=2, parent=1, tokens=(300, 60))
    assert counted(outer, inner) == [inner]
    assert verdict_on(inner, outer).joined == {"usage_source": "estimated", "flags": [flags.AGGREGATE_COUNTED]}
    assert not counted(an_agent(tokens=None))


def test_calls_whose_parents_are_lost_still_cover_the_aggregate_around_them() -> None:
    agent = an_agent(trace=1, span=1, tokens=(100, 20), seconds=5)
    orphan = a_candidate(trace=1, span=3, parent=2, at=1)
    assert counted(agent, orphan) == [orphan]
    assert len(counted(agent, replace(orphan, trace_id=b"7" * 16))) == 2


def test_an_aborted_stream_of_which_only_the_outer_span_came_is_a_call_without_usage() -> None:
    outer = a_candidate(span_type="aggregate", tokens=None, flags=(flags.WRAPS_ONE_CALL,), scope="ai")
    assert counted(outer) == [outer]
    assert not counted(replace(outer, error_type="AI_InvalidPrompt"))


def test_a_request_seen_only_by_the_http_client_is_a_call_without_usage() -> None:
    http = a_candidate(trace=1, span=2, parent=1, span_type="aggregate", tokens=None, flags=(flags.LLM_HTTP_REQUEST,))
    assert counted(http) == [http]
    assert verdict_on(http).joined == {"flags": [flags.SEEN_ONLY_AS_HTTP]}
    assert counted(http, a_candidate(trace=1, span=1)) != [http]
    assert not counted(replace(http, parent_span_id=None))


def test_a_gateways_raw_span_adds_details_and_the_true_id() -> None:
    request = a_candidate(trace=1, span=1, scope="litellm")
    raw = a_candidate(
        trace=1, span=2, parent=1, span_type="aggregate", scope="litellm", response_id="msg_9", flags=(flags.DESCRIBES_PARENT,),
        usage=Usage(input_tokens=100, output_tokens=20, cache_write_tokens=7, cache_write_1h_tokens=7),
    )  # fmt: skip
    native = a_candidate(trace=2, span=3, scope="native", response_id="msg_9", at=0.01)
    assert counted(request, raw) == [request]
    joined = verdict_on(request, raw).joined or {}
    assert joined["usage"] == {"cache_write_tokens": 7, "cache_write_1h_tokens": 7}
    assert joined["response_id"] == "msg_9"
    assert len(counted(request, raw, native)) == 1


def test_a_local_server_knows_better_than_its_client_who_answered() -> None:
    client = a_candidate(trace=1, span=1, provider="openai", response_id="cmpl-1", user="u", service="shop")
    server = a_candidate(
        trace=1, span=2, parent=1, provider="vllm", response_id="cmpl-1", scope="vllm.engine", service="vllm"
    )
    best = counted(client, server)
    assert len(best) == 1
    joined = verdict_on(best[0], client, server).joined or {}
    assert (joined.get("provider") or best[0].provider) == "vllm"


def test_automatic_function_calling_is_flagged_as_a_lower_bound() -> None:
    call = a_candidate(trace=1, span=1, scope="opentelemetry.instrumentation.google_genai")
    tool = a_candidate(trace=1, span=2, parent=1, span_type="tool", tokens=None)
    assert verdict_on(call, tool).joined == {"flags": [flags.LAST_CALL_ONLY]}


def test_a_loop_of_parents_is_survived() -> None:
    one, two = (
        a_candidate(trace=1, span=1, parent=2),
        a_candidate(trace=1, span=2, parent=1, span_type="other", tokens=None),
    )
    assert counted(one, two) == [one]
    assert counted(a_candidate(trace=1, span=1, parent=1))


_SPAN = st.builds(
    lambda trace, span, parent, start, length, kind, scope, tokens, answer, source: a_candidate(
        trace=trace, span=span, parent=parent, at=start, seconds=length, span_type=kind, scope=scope, tokens=tokens,
        response_id=answer, usage_source="missing" if tokens is None else source,
    ),
    trace=st.integers(1, 2),
    span=st.integers(1, 8),
    parent=st.none() | st.integers(1, 8),
    start=st.sampled_from([0.0, 0.005, 0.5, 700.0]),
    length=st.sampled_from([0.5, 0.99, 1.0]),
    kind=st.sampled_from(["call", "call", "call", "aggregate", "tool", "other"]),
    scope=st.sampled_from(["a", "b", "c"]),
    tokens=st.sampled_from([None, (100, 20), (100, 20), (200, 40)]),
    answer=st.sampled_from([None, None, "r1", "r2"]),
    source=st.sampled_from(["reported", "estimated"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(spans=st.lists(_SPAN, max_size=12), data=st.data())
def test_order_and_repetition_change_nothing(spans: list[Candidate], data: st.DataObject) -> None:
    unique = list({span.key: span for span in spans}.values())
    shuffled = data.draw(
        st.permutations(unique + data.draw(st.lists(st.sampled_from(unique), max_size=4) if unique else st.just([])))
    )
    expected = settle(unique)
    assert settle(shuffled) == expected
    assert {verdict.key for verdict in expected} == {span.key for span in unique}


@settings(max_examples=200, deadline=None)
@given(spans=st.lists(_SPAN, max_size=12))
def test_a_group_with_calls_counts_at_least_one_and_never_more_than_there_are(spans: list[Candidate]) -> None:
    unique = list({span.key: span for span in spans}.values())
    calls = sum(span.span_type == "call" for span in unique)
    number = sum(
        verdict.counted for verdict in settle(unique) if verdict.joined is None or "flags" not in verdict.joined
    )
    assert (calls > 0) <= number <= calls or calls == 0


@settings(max_examples=200, deadline=None)
@given(spans=st.lists(_SPAN, max_size=10))
def test_calls_of_one_source_in_flat_traces_without_ids_are_all_counted(spans: list[Candidate]) -> None:
    flat = [replace(span, scope="a", parent_span_id=None, response_id=None, span_type="call") for span in spans]
    unique = list({(span.trace_id, span.span_id): span for span in flat}.values())
    assert len(counted(*unique)) == len(unique)


@pytest.mark.parametrize("shape", ["chain", "star", "one id", "equal twins", "halves"])
def test_ten_thousand_spans_are_settled_in_seconds(shape: str) -> None:
    number = 10_000
    twin: dict[str, Any] = {"trace": 1, "seconds": 60.0}
    if shape == "chain":
        spans = [a_candidate(trace=1, span=n + 1, parent=n or None, tokens=(n, 1), seconds=60) for n in range(number)]
    elif shape == "star":
        spans = [a_candidate(trace=1, span=n + 1, parent=1 if n else None, tokens=(n, 1)) for n in range(number)]
    elif shape == "one id":
        spans = [a_candidate(trace=1, span=n + 1, response_id="chatcmpl-0", tokens=(n, 1)) for n in range(number)]
    elif shape == "equal twins":
        spans = [a_candidate(span=n + 1, at=n / 1e4, scope="ab"[n % 2], **twin) for n in range(number)]
    else:
        half = ((flags.STREAM_REQUEST,), (flags.STREAM_LOG,))
        spans = [
            a_candidate(span=n + 1, at=n / 1e4, scope="l", flags=half[n % 2], trace=1, seconds=0) for n in range(number)
        ]
    began = time.process_time()
    settle(spans)
    assert time.process_time() - began < 10
