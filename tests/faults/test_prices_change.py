"""Faults of prices: catalogues that are missing, broken or absurd, and prices that change while calls come in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.purse import Purse
from tests.integration.shop import DAY_ONE, a_call
from tests.servers import outlay


@pytest.fixture
def purse(database_url: str) -> Iterator[Purse]:
    made = Purse(database_url)
    yield made
    made.close()


def a_catalogue(**price: object) -> str:
    model = {"id": "gpt-4o-mini", "match": {"equals": "gpt-4o-mini"}, "prices": price}
    return json.dumps([{"id": "openai", "name": "OpenAI", "api_pattern": "openai", "models": [model]}])


BROKEN = {
    "no json": "{not json",
    "a newer layout": '{"version": 99, "layout": "of tomorrow"}',
    "a negative price": a_catalogue(input_mtok=-1),
    "missing": None,
}


def test_fault_30_a_catalogue_that_is_none_changes_nothing_and_unknown_prices_stay_unknown(
    purse: Purse, database_url: str, tmp_path: Path
) -> None:
    version = purse.book.version
    for name, content in BROKEN.items():
        file = tmp_path / f"{name}.json"
        if content is not None:
            file.write_text(content)
        ran = outlay("price", "import", str(file), env={"OUTLAY_DATABASE_URL": database_url})
        assert ran.returncode != 0, name
        assert "Traceback" not in ran.stderr
        assert purse.book.version == version
    purse.send(a_call(), a_call(model="a-model-of-tomorrow"))
    purse.settle()
    assert sorted(purse.costs(), key=str) == [Decimal("0.21"), None]
    assert purse.spent() == Decimal("0.21")


def test_fault_31_prices_that_change_while_calls_come_in_leave_sums_exact_and_repeat_no_alert(purse: Purse) -> None:
    purse.budget(amount="2", thresholds=[{"percent": 50}], starts=DAY_ONE.date().isoformat())
    purse.send(*(a_call() for _ in range(8)))
    purse.follow()
    told = purse.types()
    assert told.count("budget.crossed") == 1
    stop = threading.Event()

    def keep_sending() -> None:
        while not stop.is_set():
            purse.send(a_call(), book=book)

    book = purse.book
    sending = threading.Thread(target=keep_sending)
    sending.start()
    try:
        for rate in ("0.30", "0.10", "0.15"):
            purse.override(rates_usd_per_mtok={"input": rate, "output": "0.6"})
            purse.reprice(purse.scope())
            purse.settle()
    finally:
        stop.set()
        sending.join()
    purse.reprice(purse.scope())
    purse.follow()
    calls = len(purse.costs())
    assert set(purse.costs()) == {Decimal("0.21")}
    assert purse.spent() == calls * Decimal("0.21")
    assert purse.types().count("budget.crossed") == 1
    assert len(purse.rows()) == 1
