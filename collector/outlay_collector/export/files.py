"""Rows of an export as CSV and as Parquet. Amounts keep every digit."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

from outlay_collector.errors import BadRequest
from outlay_collector.export.columns import DECIMAL, FLAG, TEXT, TIME, VERSIONS, WHOLE
from outlay_collector.export.focus import Row, cells

FORMATS = ("csv", "parquet")
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_MOST_DIGITS = 38
"""Of the decimals that every reader of Parquet knows."""


def written(rows: Sequence[Row], kind: str, version: str) -> bytes:
    """The file; BadRequest for another kind than CSV or Parquet, or when this installation cannot write Parquet."""
    if kind == "csv":
        return as_csv(rows, version)
    if kind == "parquet":
        return as_parquet(rows, version)
    raise BadRequest(f"{kind!r:.40} is no format of an export; there are {' and '.join(FORMATS)}.")


def as_csv(rows: Sequence[Row], version: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in VERSIONS[version]])
    is_text = [column.kind == TEXT for column in VERSIONS[version]]
    for row in rows:
        written = zip(cells(row, version), is_text, strict=True)
        writer.writerow([harmless(cell) if free else cell for cell, free in written])
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """A name that a spreadsheet would run as a formula is quoted: names come from whoever sends telemetry."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def as_parquet(rows: Sequence[Row], version: str) -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise BadRequest(
            "Parquet needs pyarrow, which comes with the dashboard (Streamlit) and is not installed here: "
            "pip install pyarrow, or export CSV."
        ) from error
    kinds: dict[str, Any] = {
        TIME: pa.timestamp("us", tz="UTC"),
        FLAG: pa.bool_(),
        WHOLE: pa.int64(),
    }
    names: list[str] = []
    arrays: list[Any] = []
    for column in VERSIONS[version]:
        values = [getattr(row, column.field) for row in rows]
        kind = _decimal(pa, values) if column.kind == DECIMAL else kinds.get(column.kind, pa.string())
        if column.kind == TIME:
            values = [None if value is None else value.astimezone(UTC) for value in values]
        names.append(column.name)
        arrays.append(pa.array(values, type=kind))
    table = pa.table(dict(zip(names, arrays, strict=True)))
    table = table.replace_schema_metadata({"focus_version": version})
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _decimal(pa: Any, values: Sequence[Decimal | None]) -> Any:
    """The narrowest decimal that holds all values exactly."""
    scale = whole = 1
    for value in values:
        if value is not None:
            exponent = value.as_tuple().exponent
            assert isinstance(exponent, int)
            scale = max(scale, -exponent)
            whole = max(whole, value.adjusted() + 1)
    digits = scale + whole
    return pa.decimal128(_MOST_DIGITS, scale) if digits <= _MOST_DIGITS else pa.decimal256(76, scale)
