"""Dead letters as the API and the command line show them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from outlay_collector.receive.letter import REQUEST


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A letter in a list. ``status`` is ``open``, ``accepted`` (after a retry) or ``refused_again``."""
    status = "accepted" if row["retried_at"] else "refused_again" if row["attempted_at"] else "open"
    known = {name: value for name, value in row.items() if name not in ("payload", "encoding")}
    return known | {"status": status, "can_be_retried": row["encoding"] == REQUEST and not row["retried_at"]}


def opened(row: Mapping[str, Any]) -> dict[str, Any]:
    """A letter with its payload: ``request`` is OTLP/JSON that can be sent by itself, else ``raw`` the bytes in base64."""
    if row["encoding"] == REQUEST:
        return shown(row) | {"request": orjson.loads(row["payload"]), "raw": None}
    return shown(row) | {"request": None, "raw": b64encode(row["payload"] or b"").decode()}
