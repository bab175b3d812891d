"""The FOCUS export: every row explained by a meter, unknown prices as quantities, and the sum is the spend to the last digit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.export import store
from outlay_collector.export.columns import DEFAULT_VERSION, VERSIONS
from outlay_collector.export.files import as_csv, as_parquet
from outlay_collector.export.focus import Export, exact_sum
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Question, parse_filters, sources
from psycopg.types.json import Jsonb

from tests.builders import SpanSpec, a_model_call
from tests.integration.shop import DAY_ONE, UTC_ZONE
from tests.integration.test_months import Books
from tests.servers import Collector, outlay

MONTH = f"{DAY_ONE:%Y-%m}"


class Exporting(Books):
    def export(self, *filters: str, month: str = MONTH) -> Export:
        found = store.focus(
            self.connection,
            month,
            projects={self.project_id: "shop"},
            filters=parse_filters(filters),
            zone=UTC_ZONE,
            currency="USD",
        )
        self.connection.commit()
        return found

    def spend(self, *filters: str, month: str = MONTH) -> Decimal:
        """What the API says of the same month."""
        question = Question(
            project_ids=(self.project_id,), window=month_window(month, UTC_ZONE), filters=parse_filters(filters)
        )
        rows = reads.spend(self.connection, question, sources(question, UTC_ZONE), "UTC")
        self.connection.commit()
        return (rows[0]["cost"] if rows else None) or Decimal(0)

    def add_line(self, kind: str, cost: str, *, at: datetime = DAY_ONE, **more: Any) -> None:
        dimensions = more.pop("dimensions", {})
        row = {"charge_time": at, "incurred_time": at, "cause": "test", "quantity": None, "unit": None, **more}
        self.connection.execute(
            """
            INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, quantity, unit, dimensions)
            VALUES (%(project)s, %(charge_time)s, %(incurred_time)s, %(kind)s, %(cause)s, %(cost)s, %(quantity)s, %(unit)s,
                    %(dimensions)s)
            """,
            row | {"project": self.project_id, "kind": kind, "cost": Decimal(cost), "dimensions": Jsonb(dimensions)},
        )
        for moment in (row["charge_time"], row["incurred_time"]):
            self.connection.execute(
                "INSERT INTO dirty_minute (project_id, minute) VALUES (%s, date_trunc('minute', %s::timestamptz))",
                (self.project_id, moment),
            )
        self.connection.commit()


@pytest.fixture
def shop(database_url: str) -> Iterator[Exporting]:
    made = Exporting(database_url)
    yield made
    made.close()


def rows_of(export: Export) -> list[dict[str, str]]:
    """As somebody reads them who has only the file."""
    return list(csv.DictReader(io.StringIO(as_csv(export.sorted_rows(), DEFAULT_VERSION).decode())))


def a_cached_call(**more: Any) -> SpanSpec:
    return a_model_call(
        start=DAY_ONE + timedelta(hours=1),
        input_tokens=1_000,
        output_tokens=100,
        attributes={"gen_ai.usage.cache_read.input_tokens": 400, **more},
    )


def test_a_call_is_a_row_for_each_meter_at_its_unit_price(shop: Exporting) -> None:
    shop.send(a_cached_call(**{"outlay.tag.tier": "gold", "outlay.team": "search"}), a_cached_call())
    shop.settle()
    rows = {(row["x_Meter"], "gold" in row["Tags"]): row for row in rows_of(shop.export())}
    assert len(rows) == 6  # three meters, with and without tags
    read = rows["cache_read", True]
    assert (read["ConsumedQuantity"], read["ConsumedUnit"]) == ("400.0", "Tokens")
    assert (read["PricingQuantity"], read["PricingUnit"]) == ("0.0004", "1000000 Tokens")
    assert (read["ListUnitPrice"], read["ListCost"], read["BilledCost"]) == ("0.075", "0.00003", "0.00003")
    assert json.loads(read["Tags"]) == {"tier": "gold", "outlay/team": "search", "outlay/service": "shop"}
    assert read["ChargePeriodStart"] == f"{DAY_ONE:%Y-%m-%d}T00:00:00Z"
    assert (rows["input", True]["ConsumedQuantity"], rows["output", True]["BilledCost"]) == ("600.0", "0.00006")


def test_a_discount_is_between_list_cost_and_billed_cost_also_within_a_day(shop: Exporting) -> None:
    noon = DAY_ONE + timedelta(hours=12)
    shop.override(discount_percent="10", valid_from=noon.isoformat())
    shop.send(*(a_model_call(start=noon + timedelta(hours=hours), output_tokens=0) for hours in (-1, 1)))
    shop.settle()
    rows = sorted(rows_of(shop.export()), key=lambda row: row["BilledCost"])
    assert [(row["ListCost"], row["ContractedCost"], row["BilledCost"]) for row in rows] == [
        ("0.00015", "0.000135", "0.000135"),
        ("0.00015", "0.00015", "0.00015"),
    ]
    assert {row["x_Meter"] for row in rows} == {"input"}


def test_what_has_no_price_is_a_quantity_with_a_flag(shop: Exporting) -> None:
    shop.send(
        a_model_call(start=DAY_ONE, model="nobodys-model", provider="nobody"),
        a_model_call(start=DAY_ONE, model="nobodys-model", provider="nobody", input_tokens=None, output_tokens=None),
        a_model_call(start=DAY_ONE),
    )
    shop.settle()
    export = shop.export()
    unknown = [row for row in rows_of(export) if row["x_Provider"] == "nobody"]
    assert {(row["x_Meter"], row["ConsumedQuantity"]) for row in unknown} == {
        ("input", "1000.0"),
        ("output", "200.0"),
        ("request", "1.0"),
    }
    assert {(row["x_Unpriced"], row["x_Cost"], row["BilledCost"]) for row in unknown} == {("true", "", "0.0")}
    known = [row for row in rows_of(export) if row["x_Provider"] == "openai"]
    assert {row["x_Unpriced"] for row in known} == {"false"}
    said = store.metadata(
        shop.connection, export, version=DEFAULT_VERSION, project_ids=(shop.project_id,), now=datetime.now(UTC)
    )
    assert (said["unpriced_rows"], said["unpriced_quantity"], said["rows"]) == (3, "1201", 5)


def test_corrections_of_closed_months_seats_and_credits_are_rows_of_their_own(shop: Exporting) -> None:
    shop.send(a_model_call(start=DAY_ONE))
    shop.close_month()
    shop.send(a_model_call(start=DAY_ONE + timedelta(days=3)))
    shop.settle()
    now = datetime.now(UTC)
    month = f"{now:%Y-%m}"
    shop.add_line("seat", "40", at=now, quantity=2, unit="Seats", dimensions={"team": "search"})
    shop.add_line("credit", "-5", at=now)
    shop.settle()
    by_kind = {row["x_LedgerKind"]: row for row in rows_of(shop.export(month=month))}
    late, seat, credit = by_kind["adjustment"], by_kind["seat"], by_kind["credit"]
    assert (late["ChargeCategory"], late["ChargeClass"], late["BilledCost"]) == ("Adjustment", "Correction", "0.00027")
    assert late["x_IncurredPeriodStart"] == f"{DAY_ONE + timedelta(days=3):%Y-%m-%d}T00:00:00Z"
    assert (seat["ChargeFrequency"], seat["PricingQuantity"], seat["ListUnitPrice"]) == ("Recurring", "2.0", "20.0")
    assert (seat["ConsumedUnit"], json.loads(seat["Tags"])) == ("Seats", {"outlay/team": "search"})
    assert (credit["ChargeCategory"], credit["BilledCost"]) == ("Credit", "-5.0")
    assert shop.export(month=month).total() == shop.spend(month=month)
    assert shop.export().total() == shop.spend() == Decimal("0.00027")


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "hour": st.integers(0, 24 * 27),
            "model": st.sampled_from(["gpt-4o-mini-2024-07-18", "o3", "gpt-4o-audio-preview", "nobodys-model"]),
            "tier": st.sampled_from([None, "batch", "flex", "unheard-of"]),
            "input": st.one_of(st.none(), st.integers(0, 300_000)),
            "output": st.one_of(st.none(), st.integers(0, 9_999)),
            "cached": st.integers(0, 3_000),
            "reasoning": st.integers(0, 300),
            "audio": st.sampled_from([0, 0, 7]),
            "team": st.sampled_from([None, "search", "chat"]),
            "tag": st.sampled_from([None, "gold", 'a "b", c']),
            "customer": st.sampled_from([None, "acme"]),
        }
    ),
    min_size=1,
    max_size=12,
)
FILTERS = st.sampled_from(
    [(), ("team:search",), ("team!:search",), ("model:o3",), ("tag:grade:gold",), ("customer:acme",), ("team:*",)]
)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    calls=CALLS, filters=st.lists(FILTERS, min_size=3, max_size=3), lines=st.lists(st.integers(-999, 999), max_size=3)
)
def test_billed_cost_sums_to_the_spend_under_any_filter(
    database_url: str, calls: list[dict[str, Any]], filters: list[tuple[str, ...]], lines: list[int]
) -> None:
    shop = Exporting(database_url)
    try:
        shop.send(*map(_span, calls))
        for number, amount in enumerate(lines):
            kind = ("seat", "adjustment", "gpu_idle")[number]
            shop.add_line(kind, f"{amount}.000000000000000000001", dimensions={"team": "search"})
        shop.settle()
        for wanted in filters:
            export = shop.export(*wanted)
            assert export.total() == shop.spend(*wanted)
            rows = rows_of(export)
            assert exact_sum(Decimal(row["BilledCost"]) for row in rows) == export.total()
            assert exact_sum(Decimal(row["x_Cost"]) for row in rows if row["x_Cost"]) == export.total()
            assert all((row["x_Unpriced"] == "true") == (row["x_Cost"] == "") for row in rows)
            assert not [row for row in rows if row["x_Meter"] == "all"]
    finally:
        shop.close()


def _span(call: dict[str, Any]) -> SpanSpec:
    said = {
        "gen_ai.usage.cache_read.input_tokens": min(call["cached"], call["input"] or 0) or None,
        "gen_ai.usage.reasoning.output_tokens": min(call["reasoning"], call["output"] or 0) or None,
        "gen_ai.usage.input_audio_tokens": call["audio"] or None,
        "openai.response.service_tier": call["tier"],
        "outlay.team": call["team"],
        "outlay.tag.grade": call["tag"],
        "outlay.customer": call["customer"],
    }
    return a_model_call(
        start=DAY_ONE + timedelta(hours=call["hour"]),
        model=call["model"],
        input_tokens=call["input"],
        output_tokens=call["output"],
        attributes={name: value for name, value in said.items() if value is not None},
    )


def test_parquet_holds_the_same_as_csv(shop: Exporting) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    shop.send(a_cached_call(), a_model_call(start=DAY_ONE, model="nobodys-model"))
    shop.settle()
    export = shop.export()
    table = parquet.read_table(io.BytesIO(as_parquet(export.sorted_rows(), DEFAULT_VERSION)))
    assert table.column_names == [column.name for column in VERSIONS[DEFAULT_VERSION]]
    assert sum(table["BilledCost"].to_pylist()) == export.total()
    assert [str(flag).lower() for flag in table["x_Unpriced"].to_pylist()] == [
        row["x_Unpriced"] for row in rows_of(export)
    ]


def test_the_command_and_the_api_give_the_same_file(shop: Exporting, collector: Collector, tmp_path: Path) -> None:
    shop.send(a_cached_call())
    shop.settle()
    file = tmp_path / "focus.csv"
    said = outlay(
        "export", "focus", "--month", MONTH, "-o", str(file), env={"OUTLAY_DATABASE_URL": collector.database_url}
    )
    assert said.returncode == 0, said.stderr
    answer = collector.get("/api/v1/export/focus", month=MONTH)
    assert answer.content == file.read_bytes()
    assert answer.headers["content-disposition"] == f'attachment; filename="focus-{MONTH}.csv"'
    beside = json.loads((tmp_path / "focus.csv.metadata.json").read_text())
    assert beside["billed_cost"] == "0.00018"
    api = collector.get("/api/v1/export/focus", month=MONTH, format="metadata").json()
    assert api | {"creation_date": "", "complete_until": ""} == beside | {"creation_date": "", "complete_until": ""}
    refused = outlay(
        "export",
        "focus",
        "--month",
        MONTH,
        "-o",
        "x.xlsx",
    )
    assert "end in .csv or .parquet" in refused.stderr
    assert collector.get("/api/v1/export/focus", month="2026-13").status_code == 400
