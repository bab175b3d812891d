"""Which kind of bill a file is, by its columns or its JSON; the name of the file is not asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from outlay_collector.bills.formats import anthropic, clouds, focus, openai
from outlay_collector.bills.formats.table import Row, rows
from outlay_collector.bills.line import Bill, BillLine, UnreadableBill, covered

Reader = Callable[[Iterable[Row]], Iterator[BillLine | Decimal]]

# In the order of asking: a FOCUS file of a cloud may carry the cloud's own columns too.
_TABLES: tuple[tuple[str, frozenset[str], Reader], ...] = (
    ("focus", focus.CSV, focus.read_csv),
    ("aws", clouds.AWS_CSV, clouds.read_aws),
    ("gcp", clouds.GCP_CSV, clouds.read_gcp),
    ("azure", clouds.AZURE_CSV, clouds.read_azure),
    ("openai", openai.COSTS_CSV, openai.read_csv),
    ("anthropic", anthropic.COSTS_CSV, anthropic.read_csv),
)

KNOWN = (
    "OpenAI costs (CSV export, or pages of /v1/organization/costs as JSON)",
    "Anthropic costs (CSV export, or pages of /v1/organizations/cost_report as JSON)",
    "AWS CUR or Data Exports CSV",
    "Google Cloud billing export CSV",
    "Azure cost details CSV",
    "FOCUS CSV",
)


def read(content: bytes) -> Bill:
    """A file as a bill. UnreadableBill when it is none that is known, or a cell of it cannot be read."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableBill(
            f"The file is not text in UTF-8 (byte {error.start}); unpack it first if it is compressed."
        ) from error
    if text.lstrip()[:1] in ("{", "["):
        return from_pages(_pages(text))
    columns, found = rows(text)
    for name, wanted, reader in _TABLES:
        if wanted <= columns:
            return _bill(name, reader(found))
    near = min(_TABLES, key=lambda table: len(table[1] - columns))
    missing = ", ".join(sorted(near[1] - columns))
    hint = f" It looks most like {near[0]}, without: {missing}." if len(near[1] - columns) < len(near[1]) else ""
    raise UnreadableBill(f"No bill that is known has these columns.{hint} Known are {'; '.join(KNOWN)}.")


def from_pages(pages: list[Mapping[str, Any]]) -> Bill:
    """Pages as the cost and usage APIs of OpenAI or Anthropic answer them, of one of the two."""
    said = {_issuer(page) for page in pages} - {None}
    if said == {"openai"}:
        return _bill("openai", openai.read_pages(pages))
    if said == {"anthropic"}:
        return _bill("anthropic", anthropic.read_pages(pages))
    raise UnreadableBill(f"The JSON is no page of a cost API that is known. Known are {'; '.join(KNOWN)}.")


def _issuer(page: Mapping[str, Any]) -> str | None:
    for bucket in page.get("data") or ():
        if "starting_at" in bucket:
            return "anthropic"
        if bucket.get("object") == "bucket" or "start_time" in bucket:
            return "openai"
    return None


def _pages(text: str) -> list[Mapping[str, Any]]:
    """One page, a list of them, or one to a line."""
    try:
        found = json.loads(text, parse_float=Decimal)
        pages = found if isinstance(found, list) else [found]
    except ValueError:
        try:
            pages = [json.loads(line, parse_float=Decimal) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise UnreadableBill(f"The file is no JSON: {error}.") from error
    if not all(isinstance(page, dict) for page in pages):
        raise UnreadableBill(f"The JSON is no page of a cost API. Known are {'; '.join(KNOWN)}.")
    return pages


def _bill(name: str, found: Iterator[BillLine | Decimal] | Iterator[BillLine]) -> Bill:
    lines: list[BillLine] = []
    others: list[Decimal] = []
    for item in found:
        (others if isinstance(item, Decimal) else lines).append(item)  # type: ignore[arg-type]
    kept = tuple(lines)
    return Bill(
        format=name, lines=kept, left_out=len(others), left_out_cost=sum(others, Decimal(0)), covers=covered(kept)
    )
