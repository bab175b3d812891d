"""Projects and keys in the database. Transactions belong to the caller."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from outlay_collector.access.keys import SCOPES, Access, digest, generate_key, key_id_of
from outlay_collector.errors import BadRequest, Conflict, NotFound

Connection = psycopg.Connection[Any]

OVERLAP = timedelta(hours=24)
"""How long both keys of a rotation work."""


def create_project(connection: Connection, name: str, *, actor: str = "operator") -> int:
    """The new project's id. Conflict when the name is taken."""
    name = name.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise BadRequest(f"A project's name has 1 to 100 printable characters; {name[:120]!r} does not.")
    row = connection.execute(
        "INSERT INTO project (name) VALUES (%s) ON CONFLICT (name) DO NOTHING RETURNING id", (name,)
    ).fetchone()
    if row is None:
        raise Conflict(f"Project {name!r} exists already; `outlay project list` shows all.")
    note(connection, actor, "project.create", name)
    return row[0]


def list_projects(connection: Connection) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT name, content, created_at FROM project ORDER BY name").fetchall()


def project_ids(connection: Connection) -> dict[str, int]:
    """Every project's id by its name."""
    return dict(connection.execute("SELECT name, id FROM project").fetchall())


def content_modes(connection: Connection) -> dict[int, str]:
    """Per project id what is kept of prompts and completions: ``masked`` or ``full``; projects that keep none are left out."""
    return dict(connection.execute("SELECT id, content FROM project WHERE content <> 'none'").fetchall())


def project_id(connection: Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM project WHERE name = %s", (name,)).fetchone()
    if row is None:
        raise NotFound(f"There is no project {name!r}; `outlay project list` shows all.")
    return row[0]


def create_key(
    connection: Connection,
    *,
    project: str | None,
    scopes: list[str],
    name: str | None = None,
    expires_at: datetime | None = None,
    actor: str = "operator",
) -> str:
    """The new key, shown this once: only its hash is stored. ``project=None`` means all projects."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise BadRequest(f"Scopes are {', '.join(SCOPES)}; got {', '.join(scopes) or 'none'}.")
    bound_to = project_id(connection, project) if project is not None else None
    key_id, key = generate_key()
    connection.execute(
        "INSERT INTO api_key (id, project_id, name, secret_sha256, scopes, expires_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (key_id, bound_to, name, digest(key), sorted(set(scopes)), expires_at),
    )
    note(connection, actor, "key.create", key_id, {"project": project, "scopes": scopes})
    return key


def list_keys(connection: Connection) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT api_key.id, project.name AS project, api_key.name, scopes, api_key.created_at, expires_at, revoked_at,
                   last_used_at
              FROM api_key LEFT JOIN project ON project.id = api_key.project_id
             ORDER BY api_key.created_at, api_key.id
            """
        ).fetchall()


def rotate_key(
    connection: Connection, key_id: str, *, overlap: timedelta = OVERLAP, actor: str = "operator"
) -> tuple[str, datetime]:
    """A new key that may what the old one may, and until when the old one goes on working beside it.

    NotFound when there is no active key of that id. A lifetime begins anew with the new key.
    """
    row = connection.execute(
        """
        UPDATE api_key SET expires_at = least(expires_at, now() + %s)
         WHERE id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        RETURNING expires_at, project_id, name, scopes, created_at,
                  (SELECT old.expires_at FROM api_key old WHERE old.id = api_key.id)
        """,
        (overlap, key_id),
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no active key {key_id!r}; `outlay key list` shows all.")
    until, project, name, scopes, created_at, expired_at = row
    new_id, key = generate_key()
    connection.execute(
        """
        INSERT INTO api_key (id, project_id, name, secret_sha256, scopes, expires_at)
        VALUES (%s, %s, %s, %s, %s, now() + %s::interval)
        """,
        (new_id, project, name, digest(key), scopes, expired_at - created_at if expired_at else None),
    )
    note(connection, actor, "key.rotate", key_id, {"to": new_id, "until": until.isoformat()})
    return key, until


def revoke_key(connection: Connection, key_id: str, *, actor: str = "operator") -> None:
    """A revoked key stops working within five seconds. NotFound when there is none (left) to revoke."""
    row = connection.execute(
        "UPDATE api_key SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL RETURNING id", (key_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no active key {key_id!r}; `outlay key list` shows all.")
    note(connection, actor, "key.revoke", key_id)


def access_of(connection: Connection, key: str) -> Access | None:
    """What a presented key may do; ``None`` when it is malformed, unknown, expired or revoked."""
    key_id = key_id_of(key)
    if key_id is None:
        return None
    row = connection.execute(
        """
        SELECT project_id, secret_sha256, scopes
          FROM api_key
         WHERE id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        """,
        (key_id,),
    ).fetchone()
    if row is None or not hmac.compare_digest(bytes(row[1]), digest(key)):
        return None
    return Access(key_id=key_id, project_id=row[0], scopes=frozenset(row[2]))


def mark_used(connection: Connection, key_ids: list[str]) -> None:
    """Remember, to the minute, when keys were last used."""
    connection.execute(
        """
        UPDATE api_key SET last_used_at = date_trunc('minute', now())
         WHERE id = ANY(%s) AND last_used_at IS DISTINCT FROM date_trunc('minute', now())
        """,
        (key_ids,),
    )


def note(connection: Connection, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None) -> None:
    """Write one line of the audit log."""
    from psycopg.types.json import Jsonb

    connection.execute(
        "INSERT INTO audit (actor, action, subject, detail) VALUES (%s, %s, %s, %s)",
        (actor, action, subject, Jsonb(detail) if detail is not None else None),
    )


def audit(connection: Connection, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Who did what, newest first; ``before`` is the id where the page before ended."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, at, actor, action, subject, detail
              FROM audit WHERE id < coalesce(%s, 9223372036854775807)
             ORDER BY id DESC LIMIT %s
            """,
            (before, limit),
        ).fetchall()
