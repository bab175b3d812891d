"""Tokens from characters: within a quarter of what real vocabularies count, and marked as estimates by those who use it."""

from __future__ import annotations

import time

import pytest
from outlay_collector.calls.estimate import factors, has_answer, of_content, reasons_in_secret, tokens

ENGLISH = "Thank you for writing to us. We have looked into your order and it left the warehouse this morning."
KOREAN = "문의해 주셔서 감사합니다. 주문하신 상품은 오늘 아침에 창고에서 출발했습니다."
JAPANESE = "お問い合わせいただきありがとうございます。ご注文の商品は今朝倉庫から発送されました。"
CHINESE = "感谢您的来信。我们已经查看了您的订单,商品今天早上已从仓库发出。"
NUMBERS = '[{"id": 10231, "total": 129.99, "items": [{"sku": "A-1009", "qty": 2}, {"sku": "B-22", "qty": 1}]}]'


@pytest.mark.parametrize(
    ("text", "o200k"),
    # Counted with tiktoken's o200k_base.
    [(ENGLISH, 21), (KOREAN, 23), (JAPANESE, 19), (CHINESE, 23), (NUMBERS, 50)],
)
def test_the_rule_is_within_a_third_of_a_real_vocabulary(text: str, o200k: int) -> None:
    assert abs(tokens(text) - o200k) <= 0.34 * o200k


def test_families_have_vocabularies_of_their_own() -> None:
    assert tokens(KOREAN, "claude-sonnet-4-5") > 1.6 * tokens(KOREAN, "gpt-4o")
    assert tokens(ENGLISH, "claude-opus-4-8") > tokens(ENGLISH, "claude-sonnet-4-5") > tokens(ENGLISH, "gpt-4o-mini")
    assert factors("gpt-4.1") == factors("gpt-4o") == factors(None) == (1.0, 1.0, 1.0)
    assert factors("gpt-4-0613")[1] == 1.7


def test_blanks_and_repeated_signs_count_once() -> None:
    assert tokens("a" + " " * 1000 + "b") == tokens("a b")
    assert tokens("-" * 1000) == tokens("-")


def test_long_texts_are_counted_by_samples_in_little_time() -> None:
    began = time.process_time()
    whole, sampled = tokens(ENGLISH * 1000), tokens(ENGLISH * 20_000)
    assert time.process_time() - began < 2
    assert abs(sampled - 20 * whole) < 0.02 * sampled


def test_texts_repeated_under_several_names_are_counted_once() -> None:
    messages = f'[{{"role": "user", "parts": [{{"type": "text", "content": "{ENGLISH}"}}]}}]'
    once = of_content({"gen_ai.input.messages": messages}, None)
    twice = of_content(
        {"gen_ai.input.messages": messages, "input.value": messages, "llm.input_messages.0.message.content": ENGLISH},
        None,
    )
    assert once == twice
    assert once[0] is not None
    assert abs(once[0] - tokens(ENGLISH)) <= 4


def test_an_empty_answer_is_no_answer() -> None:
    assert not has_answer({"output.value": '{"generations": [[{"text": ""}]]}'})
    assert not has_answer({"gen_ai.completion": '{"output":null}', "gen_ai.prompt": "Hi"})
    assert has_answer({"gen_ai.output.messages": '[{"parts": [{"content": "Hi"}]}]'})


def test_models_that_reason_in_secret_are_known() -> None:
    assert reasons_in_secret("o4-mini-2025-04-16")
    assert not reasons_in_secret("gpt-4o")
