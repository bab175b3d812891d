"""The rows behind a figure as files: exact decimals, one row per period and group."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from outlay_dashboard.answers import SpendRow

_MEASURES = tuple(field.name for field in fields(SpendRow) if field.name not in ("period_start", "of"))
_COST = pa.decimal128(38, 18)


def as_csv(rows: Sequence[SpendRow], dimensions: Sequence[str]) -> bytes:
    """UTF-8 with a byte order mark, which spreadsheets need to see Korean; an unknown cost is an empty cell, not 0."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["period_start", *dimensions, *_MEASURES])
    for row in rows:
        start = row.period_start.isoformat() if row.period_start else ""
        names = [_harmless(row.of.get(name)) for name in dimensions]
        writer.writerow([start, *names, *(_cell(getattr(row, name)) for name in _MEASURES)])
    return text.getvalue().encode("utf-8-sig")


def as_parquet(rows: Sequence[SpendRow], dimensions: Sequence[str]) -> bytes:
    """Costs as DECIMAL(38, 18); digits beyond are rounded half to even."""
    quantum = Decimal(1).scaleb(-_COST.scale)
    columns: dict[str, pa.Array] = {
        "period_start": pa.array([row.period_start for row in rows], pa.timestamp("us", tz="UTC")),
        **{name: pa.array([row.of.get(name) for row in rows], pa.string()) for name in dimensions},
        "cost": pa.array([None if row.cost is None else row.cost.quantize(quantum) for row in rows], _COST),
        **{name: pa.array([getattr(row, name) for row in rows], pa.int64()) for name in _MEASURES if name != "cost"},
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _cell(value: Decimal | int | None) -> str:
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _harmless(text: str | None) -> str:
    """A name that a spreadsheet would run as a formula is quoted."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text or ""
