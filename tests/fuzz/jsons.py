"""OTLP/JSON requests, damaged one member at a time, and as text."""

from __future__ import annotations

import json
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308, "", "0", "-1",
    "9" * 400, "1e999", "NaN", "Infinity", "x" * 5000, "\x00", "a\x00b", "\ud800", "한국어 🙂", "null", [], [[]], {}, [None],
    {"a": 1}, {"stringValue": "x"}, {"intValue": "x"}, {"intValue": 1.5}, {"intValue": "9" * 30}, {"doubleValue": "NaN"},
    {"doubleValue": "x"}, {"boolValue": "maybe"}, {"bytesValue": "!!"}, {"bytesValue": 5}, {"arrayValue": None},
    {"arrayValue": {"values": 5}}, {"arrayValue": [1]}, {"kvlistValue": {"values": [{"key": 5}]}}, {"stringValue": []},
    {"kvlistValue": {"values": [None, {"key": "a"}, 5]}}, {"unknownValue": 1}, {"stringValue": "a", "intValue": "5"},
)  # fmt: skip
NAMES = (
    "traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "kind", "status", "events",
    "links", "attributes", "resource", "scope", "spans", "scopeSpans", "body", "severityNumber", "name", "key", "value",
)  # fmt: skip


def damaged(tree: Any, choose: random.Random, donors: list[dict[str, Any]]) -> Any:
    """A copy of ``tree`` with one member damaged; what is not on the way to it is shared, not copied."""
    if isinstance(tree, list) and tree:
        place: Any = choose.randrange(len(tree))
        copy: Any = list(tree)
    elif isinstance(tree, dict) and tree:
        place = choose.choice(list(tree))
        copy = dict(tree)
    else:
        return choose.choice(VALUES)
    if isinstance(tree[place], (list, dict)) and tree[place] and choose.random() < 0.8:
        copy[place] = damaged(tree[place], choose, donors)
        return copy
    what = choose.randrange(10)
    if what == 0:
        del copy[place]
    elif what == 1 and isinstance(copy, list):
        copy.extend([tree[place]] * choose.choice((1, 30, 600)))
    elif what == 2 and isinstance(copy, list):
        copy.extend(choose.choice(donors) for _ in range(choose.choice((1, 3, 30))))
    elif what == 3 and isinstance(copy, dict):
        copy[choose.choice(NAMES)] = choose.choice(VALUES)
    elif what == 4 and isinstance(copy, dict):
        copy[str(place).upper()] = copy.pop(place)
    elif what == 5:
        copy[place] = nested(choose)
    else:
        copy[place] = choose.choice(VALUES)
    return copy


def nested(choose: random.Random) -> Any:
    value: Any = {"stringValue": "x"}
    for _ in range(choose.choice((5, 17, 60, 200))):
        if choose.random() < 0.5:
            value = {"arrayValue": {"values": [value]}}
        else:
            value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    return value


def text(tree: Any) -> bytes:
    """As JSON; lone surrogates as escapes, as some encoders write them."""
    return json.dumps(tree).encode()


def damaged_text(body: bytes, choose: random.Random) -> bytes:
    """JSON that is wrong as text: cut, with bytes that are no UTF-8, with words that are no JSON."""
    what = choose.randrange(10)
    place = choose.randrange(len(body) + 1)
    if what == 0:
        return body[:place]
    if what == 1:
        return body[:place] + choose.choice((b"\xff", b"\xed\xa0\x80", b"\x00", b"\xc3")) + body[place:]
    if what == 2:
        return body.replace(b"null", b"NaN").replace(b": 1", b": Infinity", 1)
    if what == 3:
        return b"\xef\xbb\xbf" + body
    if what == 4:
        return body.decode().encode("utf-16")
    if what == 5:
        return body + choose.choice((b"}", b"\n\n{}", b" garbage", b"\x00"))
    if what == 6:
        return b"[" * choose.choice((10, 2_000)) + body
    if what == 7:
        return body.replace(b'"traceId"', b'"traceId": "00", "traceId"', 1)
    if what == 8:
        return body.replace(b'"', b"'")
    damage = bytearray(body)
    for _ in range(choose.randint(1, 4)):
        damage[choose.randrange(len(damage))] ^= 1 << choose.randrange(8)
    return bytes(damage)
