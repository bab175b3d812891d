"""Reading single attribute values as instrumentations really write them: never raises, never guesses.

Counts come as int, double, string, ``NaN`` and boolean; text comes JSON-encoded or as the empty string; structures come
as nested values, JSON text or Python ``repr``. Whatever cannot be read is ``None``; a count that *contradicts* what a
count can be is told apart from an absent one, because it must be shown and never priced.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from outlay_collector.pricing.usage import MAX_TOKENS

MAX_JSON_CHARS = 512 * 1024
"""Longer JSON is content (documents, embeddings), not usage; parsing it would cost more than it tells."""
MAX_REPR_CHARS = 16 * 1024
"""Python's own literal parser is slow and recursive, so it is only let near short text."""
_MAX_REPR_BRACKETS = 200


class ImpossibleCountError(ArithmeticError):
    """The value is there and cannot be a count: negative, boolean, fractional, infinite or absurdly large."""


_IMPOSSIBLE: Final = ImpossibleCountError()


def count(value: object) -> int | None:
    """``value`` as a count of at most ``MAX_TOKENS``; None if absent, empty, not a number or NaN.

    Raises ImpossibleCountError for what is a number (or boolean) and yet no count.
    """
    kind = type(value)
    if kind is int:
        if 0 <= cast(int, value) <= MAX_TOKENS:
            return cast(int, value)
        raise _IMPOSSIBLE
    if kind is str:
        return _count_in_text(cast(str, value))
    if kind is float:
        return _count_in_double(cast(float, value))
    if kind is bool:
        raise _IMPOSSIBLE
    return None


def _count_in_double(value: float) -> int | None:
    if value != value:
        # The AI SDK 4 sends NaN where the provider sent no usage: absent, not contradictory.
        return None
    if 0 <= value <= MAX_TOKENS and value == int(value):
        return int(value)
    raise _IMPOSSIBLE


def _count_in_text(value: str) -> int | None:
    digits = value.strip().strip('"')
    if not digits or len(digits) > 32:
        return None
    if digits.isdecimal() and digits.isascii():
        return count(int(digits))
    if digits.lower() in ("true", "false"):
        raise _IMPOSSIBLE
    try:
        return _count_in_double(float(digits))
    except (ValueError, OverflowError):
        return None


def count_or_none(value: object) -> int | None:
    """Like ``count``, for places where an impossible value may simply be left out (details of details)."""
    try:
        return count(value)
    except ImpossibleCountError:
        return None


def text(value: object) -> str | None:
    """``value`` as non-empty text, without the quotes of JSON-encoded text; None for structures."""
    if type(value) is str:
        if value and value[0] > '"' and value[-1] > " ":
            # Neither blank nor quote at its ends, which all sort before the letters: nearly every value there is.
            return value
        if value[:1] == '"' and value[-1:] == '"' and len(value) > 1:
            decoded = structure(value)
            return decoded.strip() or None if isinstance(decoded, str) else None
        return value.strip() or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def number(value: object) -> float | None:
    """``value`` as a finite number ≥ 0."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip().strip('"')
        if not value or len(value) > 64:
            return None
    elif not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if 0 <= result < float("inf") else None


def truth(value: object) -> bool | None:
    """``value`` as yes or no; booleans also come as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False, '"true"': True, '"false"': False}.get(value.strip().lower())
    return None


def structure(value: object) -> Any:
    """``value`` decoded: nested values as they are, JSON text parsed, short Python ``repr`` read as literals; else None."""
    if isinstance(value, (dict, list)):
        return cast(Any, value)
    if not isinstance(value, str) or not value or len(value) > MAX_JSON_CHARS:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return _literal(value)


def mapping(value: object) -> Mapping[str, Any] | None:
    """``value`` decoded, if it is an object with at least one member."""
    decoded = structure(value)
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) and decoded else None


def _literal(value: str) -> Any:
    if value[0] not in "{[(" or len(value) > MAX_REPR_CHARS:
        return None
    if value.count("[") + value.count("{") + value.count("(") > _MAX_REPR_BRACKETS or "--" in value:
        return None
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


_MOST_TEXTS = 16


def texts(value: object) -> tuple[str, ...]:
    """A list of at most 16 texts: from a list, a JSON list in text, or one plain text."""
    if type(value) is list and len(value) == 1 and type(value[0]) is str:
        return (value[0],) if value[0] else ()
    if isinstance(value, str):
        if value[:1] == "[":
            value = structure(value)
        else:
            single = text(value)
            return (single,) if single else ()
    if isinstance(value, (list, tuple)):
        return tuple([item for item in map(text, cast("list[object]", value)[:_MOST_TEXTS]) if item])
    return ()


def inside(value: object, *path: str | int) -> Any:
    """The member at ``path`` of nested mappings and lists, or None where the path ends early."""
    here: Any = value
    for step in path:
        if isinstance(here, Mapping) and isinstance(step, str):
            here = cast("Mapping[str, Any]", here).get(step)
        elif isinstance(here, list) and isinstance(step, int):
            members = cast("list[Any]", here)
            here = members[step] if -len(members) <= step < len(members) else None
        else:
            return None
    return here
