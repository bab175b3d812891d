"""How values of a dimension name the instances of a split budget. Pure."""

from __future__ import annotations

import hashlib

from outlay_collector.budgets.scope import ABSENT
from outlay_collector.budgets.sql import KEPT_CHARACTERS, MOST_BYTES


def instance(value: str | None) -> str:
    """As ``sql.instance_of`` names it in the database."""
    if value is None:
        return ABSENT
    said = value.encode()
    if len(said) <= MOST_BYTES:
        return value
    return f"{value[:KEPT_CHARACTERS]}…{hashlib.md5(said, usedforsecurity=False).hexdigest()}"
