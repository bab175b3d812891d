"""Dimensions as SQL: where each stands in a call and in a ledger line. Names come from the lists of dimensions only."""

from __future__ import annotations

TAG = "tag:"

_RAW_COLUMNS = {"user": "user_id", "session": "session_id"}


def call_column(name: str) -> str:
    """A dimension as a column of the view ``call``; ``project`` is none."""
    if name.startswith(TAG):
        return f"attributes ->> {literal('outlay.tag.' + name.removeprefix(TAG))}"
    return f"call.{_RAW_COLUMNS.get(name, name)}"


def line_value(name: str) -> str:
    """A dimension as it stands in a ledger line."""
    if name.startswith(TAG):
        return f"dimensions -> 'tags' ->> {literal(name.removeprefix(TAG))}"
    return f"dimensions ->> {literal(name)}"


def literal(text: str) -> str:
    """A tag's key as an SQL string; psycopg's own percent sign is doubled, and NUL cannot be in a key."""
    return "'" + text.replace("\x00", "").replace("'", "''").replace("%", "%%") + "'"
