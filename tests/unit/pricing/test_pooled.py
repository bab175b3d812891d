"""Calls to models that run on GPUs of one's own wait for allocation, from and to the instants that were declared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from outlay_collector.pricing.book import Book
from outlay_collector.pricing.price import PENDING
from outlay_collector.pricing.rows import Pooled
from outlay_collector.pricing.usage import Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
BOOK = Book(
    pooled=[
        Pooled(providers=frozenset({"vllm"}), model="llama", project_id=1, valid_from=AT, valid_to=AT + timedelta(1))
    ]
)


def status(at: datetime = AT, *, provider: str = "vLLM", model: str = "Llama", project_id: int = 1) -> str:
    usage = Usage(input_tokens=1, output_tokens=1)
    return BOOK.charge(provider=provider, model=model, usage=usage, at=at, project_id=project_id).status


def test_a_call_waits_for_allocation_if_model_provider_project_and_time_are_the_pools() -> None:
    assert status() == PENDING
    others = [
        status(AT - timedelta(seconds=1)), status(AT + timedelta(1)), status(provider="together_ai"),
        status(model="llama-2"), status(project_id=2),
    ]  # fmt: skip
    assert set(others) == {"unpriced"}


def test_repricing_has_a_rule_for_them_and_cuts_where_the_pool_begins_and_ends() -> None:
    key = ("vllm", "llama", None, None, 1)
    day = timedelta(1)
    assert BOOK.cuts(key, AT - day, AT + 2 * day).instants == (AT, AT + day)
    assert BOOK.rule(key, at=AT, prompt=0, used=["input"]).status == PENDING  # type: ignore[union-attr]
    assert BOOK.rule(key, at=AT - day, prompt=0, used=["input"]).status == "unpriced"  # type: ignore[union-attr]
