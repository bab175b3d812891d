"""Kept content reads as a conversation, whoever recorded it."""

import json

from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard.messages import Message, messages


def test_opentelemetry_messages_are_a_conversation_in_the_order_it_was_said():
    content = {
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": "Seoul."}], "finish_reason": "stop"}]
        ),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Capital?"}]}]),
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be short."}]),
    }
    assert messages(content) == [
        Message("gen_ai.system_instructions", "Be short."),
        Message("user", "Capital?"),
        Message("assistant", "Seoul."),
    ]


def test_messages_spread_over_attributes_are_put_together():
    content = {
        "gen_ai.completion.0.content": "Seoul.",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.prompt.1.content": "Capital?",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.0.content": "Be short.",
        "gen_ai.prompt.0.role": "system",
        "llm.input_messages.0.message.content": "hello",
        "llm.input_messages.0.message.role": "user",
    }
    assert [(one.role, one.text) for one in messages(content)] == [
        ("system", "Be short."),
        ("user", "Capital?"),
        ("user", "hello"),
        ("assistant", "Seoul."),
    ]


def test_a_tool_call_is_shown_as_it_is():
    call = {"type": "tool_call", "name": "search", "arguments": {"q": "cost"}}
    content = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [call]}])}
    assert json.loads(messages(content)[0].text) == call


def test_what_has_no_known_shape_is_shown_as_it_came():
    assert messages({"prompt": "plain words", "odd": 3}) == [Message("prompt", "plain words"), Message("odd", "3")]


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=30),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_no_content_breaks_the_page(content: dict[str, object]):
    for one in messages(content):
        assert isinstance(one.role, str)
        assert isinstance(one.text, str)
