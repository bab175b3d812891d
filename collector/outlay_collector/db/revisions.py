"""Which schema revision a database is at, and which this code was written for; without importing Alembic."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

_REVISION = re.compile(r'^(revision|down_revision) = "(\w+)"', re.MULTILINE)


def migrations_folder() -> Path:
    """Inside the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


@cache
def newest_revision() -> str:
    """The revision this code was written for: the one that no other builds on."""
    named = [
        dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        for path in (migrations_folder() / "versions").glob("*.py")
    ]
    (head,) = {one["revision"] for one in named} - {one.get("down_revision") for one in named}
    return head


def current_revision(connection: Any) -> str | None:
    """The revision a database is at (a psycopg connection), ``None`` when it was never migrated."""
    found = connection.execute("SELECT to_regclass('outlay_revision') IS NOT NULL").fetchone()
    if not found[0]:
        return None
    row = connection.execute("SELECT version_num FROM outlay_revision").fetchone()
    return row[0] if row else None
