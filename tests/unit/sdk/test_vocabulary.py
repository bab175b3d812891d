"""Estimates by a real vocabulary, where one is asked for and there: exact for its own family, by factor for others."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import outlay
import pytest
from outlay import estimating, safety, vocabulary
from outlay.estimating import tokens

ENGLISH = "Thank you for writing to us. We have looked into your order and it left the warehouse this morning."
KOREAN = "문의해 주셔서 감사합니다. 주문하신 상품은 오늘 아침에 창고에서 출발했습니다."
JAPANESE = "お問い合わせいただきありがとうございます。ご注文の商品は今朝倉庫から発送されました。"
CHINESE = "感谢您的来信。我们已经查看了您的订单,商品今天早上已从仓库发出。"
NUMBERS = '[{"id": 10231, "total": 129.99, "items": [{"sku": "A-1009", "qty": 2}, {"sku": "B-22", "qty": 1}]}]'


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    safety.forget_notices()
    yield
    estimating.exact = None
    safety.forget_notices()


def test_exact_for_its_own_family_and_by_factor_for_others() -> None:
    estimating.exact = lambda text: 100
    assert tokens(KOREAN, "gpt-4o") == tokens(ENGLISH, None) == 100
    assert tokens(ENGLISH, "claude-sonnet-4-5") == 110
    assert 170 < tokens(KOREAN, "claude-sonnet-4-5") < 180  # the dots and blanks of a Korean text are Latin
    assert tokens(KOREAN, "llama-4-scout") < 90
    assert tokens("", "gpt-4o") == 0


@pytest.mark.parametrize("damaged", [False, True])
def test_without_ranks_characters_are_counted_and_it_says_so(
    damaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    if damaged:
        (tmp_path / vocabulary.RANKS).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING, "outlay"):
        assert vocabulary.load({"TIKTOKEN_CACHE_DIR": str(tmp_path)}) is None
    assert "is not on this machine" in caplog.text
    assert abs(tokens(KOREAN, "gpt-4o") - 23) < 6


def test_setting_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="tokenizer"):
        outlay.configure(tokenizer="spacy")


@pytest.mark.parametrize(("text", "count"), [(ENGLISH, 21), (KOREAN, 23), (JAPANESE, 19), (CHINESE, 23), (NUMBERS, 50)])
def test_known_texts_are_counted_exactly(text: str, count: int) -> None:
    estimating.exact = vocabulary.load(os.environ)
    if estimating.exact is None:
        pytest.skip("tiktoken or its ranks are not on this machine")
    assert tokens(text, "gpt-4o") == count
