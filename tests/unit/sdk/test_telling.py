"""Evidence, estimates and content: what leaves the process of what was said, and what does not."""

from __future__ import annotations

import json
from typing import Any

import outlay
import pytest
from outlay.estimating import tokens
from outlay.evidence import FIRST_PREFIX, evidence, salt_of
from outlay.hearing import Answer, ToolCall
from outlay.masking import masked
from outlay.testing import capture

SALT = salt_of("key")
SECRET = "sk-abcdefghijklmnopqrstuvwxyz123456"


def response(**more: Any) -> dict[str, Any]:
    return {
        "id": "r",
        "object": "chat.completion",
        "model": "gpt-4o",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "It is 7."}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        **more,
    }


def told(
    answer: Any = None, *, content: str = "none", capture_it: bool | None = None, **arguments: Any
) -> dict[str, Any]:
    """The attributes of one call that was given ``arguments``."""
    with capture(content=content, evidence=True) as calls:

        @outlay.observe(capture=capture_it)
        def ask(**kwargs: Any) -> Any:
            return response() if answer is None else answer

        ask(**arguments)
    return dict(calls.only().attributes)


# Evidence


def hashes(*said: tuple[str, str], settings: tuple[object, ...] = (), salt: bytes = SALT) -> dict[str, Any]:
    return dict(evidence(list(said), [], settings=settings, salt=salt))


def test_equal_prompts_have_equal_hashes_and_others_have_not() -> None:
    one = hashes(("system", "Be brief."), ("user", "Why?"))
    assert one == hashes(("system", "Be brief."), ("user", "Why?"))
    different = [
        hashes(("system", "Be brief."), ("user", "Why not?")),
        hashes(("system", "Be brief.Why?"), ("user", "")),
        hashes(("user", "Be brief."), ("user", "Why?")),
        hashes(("system", "Be brief."), ("user", "Why?"), salt=salt_of("another project")),
    ]
    assert one["outlay.evidence.input"] not in {other["outlay.evidence.input"] for other in different}


def test_input_is_the_same_whoever_is_asked_and_the_prompt_is_not() -> None:
    small, large = (hashes(("user", "Why?"), settings=(model, 0.0, None)) for model in ("gpt-4o-mini", "gpt-4o"))
    assert small["outlay.evidence.input"] == large["outlay.evidence.input"]
    assert small["outlay.evidence.prompt"] != large["outlay.evidence.prompt"]


def test_common_beginnings_have_common_prefix_hashes() -> None:
    shared = "x" * (FIRST_PREFIX * 3)
    one, other = (hashes(("system", shared), ("user", end * 20_000)) for end in ("a", "b"))
    prefixes = [item["outlay.evidence.prefixes"] for item in (one, other)]
    assert [item.partition(":")[0] for item in prefixes[0]] == ["4096", "8192", "16384"]
    assert [a == b for a, b in zip(*prefixes, strict=True)] == [True, True, False]


def test_beginning_is_the_same_however_it_is_divided_among_messages_of_one_role() -> None:
    whole = hashes(("user", "x" * 5_000))["outlay.evidence.prefixes"]
    assert whole[0] == hashes(("user", "x" * 9_000))["outlay.evidence.prefixes"][0]


def test_sizes_by_role() -> None:
    found = hashes(("tools", "12345"), ("system", "123"), ("user", "12"), ("user", "1"))
    assert found["outlay.evidence.sizes"] == ("tools:5", "system:3", "user:3")


def test_equal_tool_calls_are_seen() -> None:
    answered = [
        Answer("", (ToolCall("search", '{"q":1}'), ToolCall("search", '{"q":1}'), ToolCall("search", '{"q":2}')))
    ]
    found = dict(evidence([], answered, settings=(), salt=SALT))["outlay.evidence.tools"]
    assert isinstance(found, tuple)
    first, again, other = found
    assert first == again != other
    assert str(first).startswith("search:")


def test_very_long_prompt_is_hashed_in_part_and_counted_whole() -> None:
    found = hashes(("user", "x" * 1_000_000))
    assert found["outlay.evidence.sizes"] == ("user:1000000",)
    assert len(found["outlay.evidence.prefixes"]) == 7


def test_nothing_said_can_be_read_from_a_call_by_default() -> None:
    attributes = told(
        messages=[{"role": "user", "content": f"a secret {SECRET}"}],
        system="another secret",
        tools=[{"name": "secret tool"}],
    )
    assert "secret" not in str(attributes)
    assert attributes["outlay.evidence.sizes"] == ("tools:24", "system:14", "user:44")


@pytest.mark.parametrize(
    "arguments",
    [
        {"messages": [{"role": "user", "content": "Why?"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]},
        {"input": "Why?"},
        {"input": ["Why?"]},
        {"prompt": "Why?"},
        {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]},
    ],
)
def test_input_is_found_in_every_clients_spelling(arguments: dict[str, Any]) -> None:
    assert told(**arguments)["outlay.evidence.sizes"] == ("user:4",)


def test_what_the_program_appends_later_is_not_part_of_the_call() -> None:
    messages = [{"role": "user", "content": "Why?"}]
    with capture(evidence=True) as calls:

        @outlay.observe
        def stream(messages: list[Any]) -> Any:
            yield {**response(), "object": "chat.completion.chunk"}

        stream_of_chunks = stream(messages)
        next(stream_of_chunks)
        messages.append({"role": "assistant", "content": "Because."})
        stream_of_chunks.close()
    assert calls.only().attributes["outlay.evidence.sizes"] == ("user:4",)


def test_strange_messages_do_no_harm() -> None:
    class Strange:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    told(messages=[Strange(), None, 3, {"role": None}, {"content": Strange()}, [["x"]]], tools=Strange())


# Estimates

ENGLISH = "Thank you for writing to us. We have looked into your order and it left the warehouse this morning."
KOREAN = "문의해 주셔서 감사합니다. 주문하신 상품은 오늘 아침에 창고에서 출발했습니다."
CHINESE = "感谢您的来信。我们已经查看了您的订单,商品今天早上已从仓库发出。"


@pytest.mark.parametrize(("text", "o200k"), [(ENGLISH, 21), (KOREAN, 23), (CHINESE, 23)])
def test_estimate_is_within_a_third_of_a_real_vocabulary(text: str, o200k: int) -> None:
    assert abs(tokens(text, "gpt-4o") - o200k) <= 0.34 * o200k


def test_families_have_vocabularies_of_their_own() -> None:
    assert tokens(KOREAN, "claude-sonnet-4-5") > 1.6 * tokens(KOREAN, "gpt-4o")
    assert tokens(KOREAN, "gpt-4") > 1.5 * tokens(KOREAN, "gpt-4o")
    assert tokens("", "gpt-4o") == 0


def test_stream_without_usage_is_estimated_from_its_texts() -> None:
    def chunk(text: str) -> dict[str, Any]:
        return {
            "object": "chat.completion.chunk",
            "model": "gpt-4o",
            "choices": [{"index": 0, "delta": {"content": text}}],
        }

    attributes = _estimated(chunk)
    assert attributes["outlay.usage_source"] == "estimated"
    assert attributes["gen_ai.usage.input_tokens"] == tokens(KOREAN, "gpt-4o") + 4
    assert abs(attributes["gen_ai.usage.output_tokens"] - 21) < 7


def _estimated(chunk: Any, model: str = "gpt-4o") -> dict[str, Any]:
    with capture(evidence=True) as calls:

        @outlay.observe
        def stream(messages: list[Any]) -> Any:
            for word in ENGLISH.split(" "):
                yield {**chunk(word + " "), "model": model}

        for _ in stream(messages=[{"role": "user", "content": KOREAN}]):
            pass
    return dict(calls.only().attributes)


def test_hidden_reasoning_is_not_guessed() -> None:
    attributes = _estimated(lambda text: {"object": "chat.completion.chunk", "choices": []}, model="o4-mini")
    assert attributes["outlay.usage_source"] == "missing"
    assert "gen_ai.usage.input_tokens" not in attributes


# Content


def test_content_is_sent_when_asked_for_and_without_secrets() -> None:
    attributes = told(
        content="full", system="Be brief.", messages=[{"role": "user", "content": f"My key is {SECRET}, a@b.com."}]
    )
    (message,) = json.loads(attributes["gen_ai.input.messages"])
    assert message == {
        "role": "user",
        "parts": [{"type": "text", "content": "My key is [masked key], a@b.com."}],
    }
    assert json.loads(attributes["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    (answer,) = json.loads(attributes["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "It is 7."}]


def test_masked_content_hides_persons_too() -> None:
    attributes = told(content="masked", messages=[{"role": "user", "content": "Mail a@b.com."}])
    assert "[masked e-mail]" in attributes["gen_ai.input.messages"]


@pytest.mark.parametrize(("content", "capture_it", "sent"), [("none", True, True), ("full", False, False)])
def test_functions_own_capture_beats_the_configuration(content: str, capture_it: bool, sent: bool) -> None:
    attributes = told(content=content, capture_it=capture_it, messages=[{"role": "user", "content": "Hi"}])
    assert ("gen_ai.input.messages" in attributes) is sent


def test_step_that_asks_no_model_tells_its_arguments_and_its_result() -> None:
    attributes = told(7, content="full", number=3, password="hunter22", thing=object())
    assert json.loads(attributes["outlay.content.input"].replace("[masked secret]", "")) == {
        "number": 3,
        "password": "",
        "thing": "object",
    }
    assert attributes["outlay.content.output"] == "7"


def test_tool_call_is_content_too() -> None:
    call = {"function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    attributes = told(
        response(choices=[{"finish_reason": "tool_calls", "message": message}]), content="full", prompt="Weather?"
    )
    (answer,) = json.loads(attributes["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "tool_call", "name": "weather", "arguments": '{"city":"Paris"}'}]
    (tool,) = attributes["outlay.evidence.tools"]
    assert tool.startswith("weather:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {SECRET}.", "key [masked key]."),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer [masked credentials]"),
        ("postgres://user:hunter22@db/x", "postgres://user:[masked password]@db/x"),
        ('{"api_key": "0123456789"}', '{"api_key": "[masked secret]"}'),
        ("AKIAABCDEFGHIJKLMNOP", "[masked key]"),
        ("a task-list, 2026-03-01, sk-short", "a task-list, 2026-03-01, sk-short"),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    assert masked(text, personal=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b+c@mail.example.org", "[masked e-mail]"),
        ("4111 1111 1111 1111", "[masked card]"),
        ("+82 10-1234-5678", "[masked phone]"),
        ("order 1234567 of 2026-03-01", "order 1234567 of 2026-03-01"),
    ],
)
def test_personal_data_is_masked_on_request(text: str, expected: str) -> None:
    assert masked(text, personal=True) == expected
    assert masked(text, personal=False) == text


def test_masking_long_texts_takes_little_time() -> None:
    import time

    began = time.process_time()
    for text in ("a" * 300_000, "sk-" * 100_000, "1 " * 150_000, "@a." * 100_000, "-----BEGIN " * 20_000):
        masked(text, personal=True)
    assert time.process_time() - began < 3
