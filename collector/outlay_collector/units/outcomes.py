"""Outcomes of work and judgements of answers, as files and requests give them. Pure.

A file of outcomes is CSV with a header; a row says that something ended well or not, and of what::

    time,outcome,trace_id,session,customer,success,revenue
    2026-11-20T10:00:00Z,ticket resolved,,sess-81,acme,true,
    2026-11-20T11:00:00Z,invoice paid,,,acme,,49.00

``time`` and ``outcome`` must be there, and at least one of ``trace_id``, ``session`` and ``customer``. ``success`` left out is
true. A row is known by time, outcome and whom it is of: the same row again changes nothing, another success or revenue
corrects it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from outlay_collector.errors import BadRequest

COLUMNS = ("time", "outcome", "trace_id", "session", "customer", "success", "revenue")
MAX_TEXT = 1_024
MAX_SCORES = 1_000
GOOD_LABELS = (
    "pass", "passed", "success", "successful", "succeeded", "true", "yes", "good", "correct", "resolved", "positive",
    "relevant", "grounded", "faithful",
)  # fmt: skip
"""Labels by which a score without a number says that the answer was good."""

_HEX = re.compile(r"[0-9a-f]+")
_YES, _NO = ("", "true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """``trace_id`` is 32 hexadecimal digits. ``revenue`` is in the instance's currency."""

    name: str
    at: datetime
    trace_id: str | None = None
    session: str | None = None
    customer: str | None = None
    success: bool = True
    revenue: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A judgement of an answer that is known by its trace, its span too, or by the response's id."""

    name: str
    at: datetime
    value: float | None = None
    label: str | None = None
    explanation: str | None = None
    trace_id: str | None = None
    span_id: int | None = None
    response_id: str | None = None


def read_csv(text: str, zone: ZoneInfo, name: str = "the file") -> list[Outcome]:
    """BadRequest that names file, line, column and value of the first mistake."""
    try:
        lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        header = lines.fieldnames or ()
        for column in header:
            if column not in COLUMNS:
                raise BadRequest(f"{name}: column {column!r:.60} is unknown; there are {', '.join(COLUMNS)}.")
        for column in ("time", "outcome"):
            if column not in header:
                raise BadRequest(f"{name}: column {column} is missing; the first line names the columns.")
        return list(read_outcomes(lines, zone, name, first=2))
    except csv.Error as error:
        raise BadRequest(f"{name}: this is no CSV ({error}).") from error


def read_outcomes(
    rows: Iterable[Mapping[str, Any]], zone: ZoneInfo, name: str = "rows", *, first: int = 1
) -> Iterator[Outcome]:
    for number, row in enumerate(rows, first):
        yield _outcome(row, zone, f"{name}: line {number}")


def _outcome(row: Mapping[str, Any], zone: ZoneInfo, where: str) -> Outcome:
    if None in row or any(value is None for value in row.values()):
        raise BadRequest(f"{where}: not as many values as the first line has columns; quote values that hold commas.")
    found = Outcome(
        name=_needed(row, "outcome", where),
        at=_instant(_needed(row, "time", where), zone, f"{where}: time"),
        trace_id=_hex(row.get("trace_id"), 32, f"{where}: trace_id"),
        session=_text(row.get("session"), f"{where}: session"),
        customer=_text(row.get("customer"), f"{where}: customer"),
        success=_success(row.get("success"), f"{where}: success"),
        revenue=_money(row.get("revenue"), f"{where}: revenue"),
    )
    if found.trace_id is None and found.session is None and found.customer is None:
        raise BadRequest(f"{where}: whose outcome is it? Fill at least one of trace_id, session and customer.")
    return found


def read_scores(rows: Iterable[Mapping[str, Any]], zone: ZoneInfo, now: datetime) -> Iterator[Score]:
    """Scores of a request. Without a time it is ``now``; then the same score sent again is another one."""
    for number, row in enumerate(rows, 1):
        where = f"score {number}"
        value, label = row.get("value"), _text(row.get("label"), f"{where}: label")
        if isinstance(value, bool):
            value = float(value)
        if value is not None and (not isinstance(value, (int, float)) or value != value or abs(value) == float("inf")):
            raise BadRequest(f"{where}: value: {value!r:.60} is no number; leave it out and give a label.")
        if value is None and label is None:
            raise BadRequest(f"{where}: neither value nor label; give at least one of them.")
        span = _hex(row.get("span_id"), 16, f"{where}: span_id")
        score = Score(
            name=_needed(row, "name", where),
            at=_instant(str(row["at"]), zone, f"{where}: at") if row.get("at") else now,
            value=None if value is None else float(value),
            label=label,
            explanation=(
                str(row["explanation"])[:MAX_TEXT].replace("\x00", "\ufffd") if row.get("explanation") else None
            ),
            trace_id=_hex(row.get("trace_id"), 32, f"{where}: trace_id"),
            span_id=None if span is None else int.from_bytes(bytes.fromhex(span), "big", signed=True),
            response_id=_text(row.get("response_id"), f"{where}: response_id"),
        )
        if score.trace_id is None and score.response_id is None:
            raise BadRequest(f"{where}: of which answer is it? Give trace_id (and span_id) or response_id.")
        yield score


def _needed(row: Mapping[str, Any], column: str, where: str) -> str:
    found = _text(row.get(column), f"{where}: {column}")
    if found is None:
        raise BadRequest(f"{where}: {column}: it is empty; every row needs one.")
    return found


def _text(value: Any, where: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        raise BadRequest(f"{where}: {value!r:.60} is no text of at most {MAX_TEXT} characters.")
    return value


def _hex(value: Any, digits: int, where: str) -> str | None:
    text = _text(value, where)
    if text is None:
        return None
    plain = text.lower().replace("-", "")
    if len(plain) != digits or not _HEX.fullmatch(plain):
        raise BadRequest(f"{where}: {text!r:.60} is no id of {digits} hexadecimal digits.")
    return plain


def _instant(text: str, zone: ZoneInfo, where: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{where}: {text!r:.60} is no ISO 8601 time; write one such as 2026-11-21T09:00:00Z."
        ) from error


def _success(value: Any, where: str) -> bool:
    plain = "" if value is None else str(value).strip().lower()
    if plain not in _YES and plain not in _NO:
        raise BadRequest(f"{where}: {value!r:.60} is neither true nor false.")
    return plain in _YES


def _money(value: Any, where: str) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise BadRequest(
            f"{where}: {value!r:.60} is no amount; write one such as 49.00, without a currency."
        ) from error
    if not amount.is_finite() or abs(amount) >= 10**15:
        raise BadRequest(f"{where}: {value!r:.60} is out of range.")
    return amount
