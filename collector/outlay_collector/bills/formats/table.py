"""A bill in CSV: a header that is recognised by its columns, and rows whose cells are read with their place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from outlay_collector.bills.line import UnreadableBill

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Columns are found by any of several names, whatever their case and separators."""

    number: int  # line of the file, the header being 1
    cells: Mapping[str, str]

    def text(self, *names: str) -> str:
        """The first of these columns that holds something; empty if none does."""
        for name in names:
            value = self.cells.get(plain(name), "").strip()
            if value and value.lower() not in ("null", "none"):
                return value
        return ""

    def amount(self, *names: str) -> Decimal | None:
        """A number, None where there is none. UnreadableBill names the place of what is no number."""
        text = self.text(*names)
        if not text:
            return None
        try:
            number = Decimal(re.sub(r"[,$€₩\s]", "", text))
        except InvalidOperation as error:
            raise self.wrong(names, text, "a number") from error
        if not number.is_finite():
            raise self.wrong(names, text, "a number")
        return number

    def cost(self, *names: str) -> Decimal:
        """An amount that has to be there: money that is missing is not 0."""
        found = self.amount(*names)
        if found is None:
            raise self.wrong(names, "", "an amount of money")
        return found

    def instant(self, *names: str) -> datetime:
        """A time or a day, in UTC where nothing else is said."""
        text = self.text(*names)
        if not text:
            raise self.wrong(names, text, "a time")
        found = parse_instant(text)
        if found is None:
            raise self.wrong(names, text, "a time such as 2026-11-21T00:00:00Z or 2026-11-21")
        return found

    def period(
        self, start: Sequence[str], end: Sequence[str], *, otherwise: timedelta = DAY
    ) -> tuple[datetime, datetime]:
        """Half open; an end that is missing or not later than the start is one day (or ``otherwise``) after it."""
        starts = self.instant(*start)
        ends = self.instant(*end) if end and self.text(*end) else starts + otherwise
        return starts, ends if ends > starts else starts + otherwise

    def currency(self, *names: str) -> str:
        code = self.text(*names).upper() or "USD"
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise self.wrong(names, code, "a currency such as USD")
        return code

    def wrong(self, names: Sequence[str], value: str, wanted: str) -> UnreadableBill:
        column = next((name for name in names if plain(name) in self.cells), names[0])
        held = f"holds {value!r:.60}" if value else "is empty"
        return UnreadableBill(
            f"Line {self.number}, column {column}: {held}, and should be {wanted}. Nothing was imported."
        )


def rows(text: str) -> tuple[frozenset[str], Iterator[Row]]:
    """The columns of a CSV (comma, semicolon or tab), in plain spelling, and its rows."""
    text = text.removeprefix("﻿")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        header = next(reader)
    except StopIteration:
        raise UnreadableBill("The file is empty.") from None
    names = [plain(name) for name in header]

    def read() -> Iterator[Row]:
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(names):
                    raise UnreadableBill(
                        f"Line {reader.line_num}: {len(cells)} cells under {len(names)} columns; the extra one holds "
                        f"{cells[len(names)]!r:.60}. Nothing was imported."
                    )
                yield Row(reader.line_num, dict(zip(names, cells, strict=False)))
        except csv.Error as error:
            raise UnreadableBill(f"Line {reader.line_num} is no CSV: {error}.") from error

    return frozenset(names), read()


def plain(name: str) -> str:
    """``lineItem/UsageAmount``, ``line_item_usage_amount`` and ``Line Item Usage Amount`` are one column."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def parse_instant(text: str) -> datetime | None:
    text = text.strip()
    if re.fullmatch(r"\d{9,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    if found := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
        try:
            return datetime.combine(date(int(found[3]), int(found[1]), int(found[2])), datetime.min.time(), UTC)
        except ValueError:
            return None
    cleaned = re.sub(r"\s*UTC$", "+00:00", text)
    try:
        instant = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
