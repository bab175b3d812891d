"""Backups are read in one snapshot and written with COPY; no program of Postgres is needed, and none has to fit the server."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import zstandard
from psycopg import sql

from outlay_collector.db.backup.manifest import MEMBER, Digest, Manifest, differing, in_order, read
from outlay_collector.db.engine import connect
from outlay_collector.db.migrate import upgrade
from outlay_collector.db.partitions import create_statements, day_of_partition
from outlay_collector.db.revisions import current_revision, newest_revision
from outlay_collector.errors import BadRequest, Conflict, NotReady

Connection = psycopg.Connection[Any]
Say = Callable[[str], None]

# The job queue's jobs are of the past when a backup is restored; the schema's revision is in the manifest.
_LEFT_OUT = ("procrastinate_", "outlay_revision")


def backup(url: str, path: Path, *, say: Say = lambda _: None) -> Manifest:
    """Everything that stands in the database at one instant, while others go on writing. Conflict when the file is there."""
    if path.exists():
        raise Conflict(f"{path} exists already; a backup replaces nothing.")
    unfinished = path.with_name(f".{path.name}.unfinished")
    with connect(url, application="outlay-backup") as connection:
        connection.commit()
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        manifest = _manifest(connection)
        try:
            with (
                os.fdopen(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file,
                zipfile.ZipFile(file, "w") as archive,
            ):
                for table, columns in manifest.tables.items():
                    digest = _write(connection, archive, table, columns)
                    manifest.digests[table] = str(digest)
                    say(f"{table}: {digest.rows:,} rows")
                archive.writestr(MEMBER, manifest.as_json())
            unfinished.rename(path)  # complete or absent, never half of it
        finally:
            unfinished.unlink(missing_ok=True)
    return manifest


def restore(url: str, path: Path, *, say: Say = lambda _: None) -> Manifest:
    """Fill an empty database, bring it to this version's schema, and compare every table with the backup.

    Conflict when there are calls in it already. All of it, or nothing.
    """
    try:
        archive = zipfile.ZipFile(path)
        manifest = read(archive.read(MEMBER).decode())
    except (zipfile.BadZipFile, KeyError) as error:
        raise BadRequest(f"{path} is no backup of Outlay, or was cut short: {error}.") from error
    with archive:
        _empty(url, manifest.revision)
        with connect(url, application="outlay-restore") as connection:
            for table, day in manifest.parts:
                for statement in create_statements(table, date.fromisoformat(day)):
                    connection.execute(statement.encode())
            names = sql.SQL(", ").join(sql.Identifier(table) for table in manifest.tables)
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
            for table, columns in manifest.tables.items():
                _read(connection, archive, table, columns)
                say(f"{table}: {manifest.digests[table].partition(':')[0]} rows")
            found = {table: str(_digest(connection, table, columns)) for table, columns in manifest.tables.items()}
            if wrong := differing(manifest.digests, found):
                raise NotReady(f"What was restored differs from the backup in {', '.join(wrong)}; nothing was kept.")
            _set_counters(connection)
    upgrade(url, say=say)
    return manifest


def _empty(url: str, revision: str) -> None:
    """Bring an empty database to the schema of the backup."""
    with connect(url, application="outlay-restore") as connection:
        at = current_revision(connection)
        if at is not None:
            row = connection.execute("SELECT EXISTS (SELECT FROM span), EXISTS (SELECT FROM ledger_line)").fetchone()
            if row and any(row):
                raise Conflict("There are calls in this database already; restore into an empty one.")
            if at != revision:
                raise Conflict(
                    f"The database is at schema {at}, and the backup was made at {revision}: restore into one that "
                    "`outlay migrate` has not touched."
                )
    if at is None:
        try:
            upgrade(url, to=revision)
        except Exception as error:
            if revision == newest_revision():
                raise
            raise BadRequest(
                f"The backup was made at schema {revision}, which this version cannot make: {error}"
            ) from error


def _manifest(connection: Connection) -> Manifest:
    revision = current_revision(connection)
    if revision is None:
        raise NotReady("There is no schema in this database, and so nothing to back up: run `outlay migrate`.")
    rows = connection.execute(
        """
        SELECT c.relname,
               (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
               coalesce((SELECT array_agg(DISTINCT f.confrelid::regclass::text) FROM pg_constraint f
                          WHERE f.conrelid = c.oid AND f.contype = 'f'), '{}')
          FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        """
    ).fetchall()
    cut = connection.execute(
        """
        SELECT parent.relname, part.relname
          FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class part ON part.oid = inhrelid
         WHERE parent.relkind = 'p' AND part.relkind = 'r' AND parent.relnamespace = current_schema()::regnamespace
        """
    ).fetchall()
    ours = {name: (columns, refers) for name, columns, refers in rows if not name.startswith(_LEFT_OUT)}
    order = in_order({name: refers for name, (_, refers) in ours.items()})
    return Manifest(
        revision=revision,
        made_at=datetime.now(UTC).isoformat(),
        tables={name: ours[name][0] for name in order},
        parts=sorted([table, day.isoformat()] for table, part in cut if (day := day_of_partition(part))),
    )


def _lines(connection: Connection, table: str, columns: list[str]) -> Iterator[bytes]:
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(listed, sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            yield bytes(block)


def _digest(connection: Connection, table: str, columns: list[str]) -> Digest:
    digest = Digest()
    for block in _lines(connection, table, columns):
        digest.add(block)
    return digest


def _write(connection: Connection, archive: zipfile.ZipFile, table: str, columns: list[str]) -> Digest:
    digest = Digest()
    with (
        archive.open(f"{table}.zst", "w", force_zip64=True) as member,
        zstandard.ZstdCompressor(level=3).stream_writer(member, closefd=False) as out,
    ):
        for block in _lines(connection, table, columns):
            digest.add(block)
            out.write(block)
    return digest


def _read(connection: Connection, archive: zipfile.ZipFile, table: str, columns: list[str]) -> None:
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), listed)
    with (
        archive.open(f"{table}.zst") as member,
        zstandard.ZstdDecompressor().stream_reader(member) as rows,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        while block := rows.read(2**18):
            copy.write(block)


def _set_counters(connection: Connection) -> None:
    """Ids go on after the highest that was restored."""
    rows = connection.execute(
        """
        SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND (a.attidentity <> '' OR a.atthasdef)
        """
    ).fetchall()
    for table, column, sequence in rows:
        if sequence is not None and not table.startswith(_LEFT_OUT):
            statement = sql.SQL("SELECT setval({}, max({})) FROM {} HAVING max({}) IS NOT NULL").format(
                sql.Literal(sequence), sql.Identifier(column), sql.Identifier(table), sql.Identifier(column)
            )
            connection.execute(statement)
