"""``outlay db``: the database's state and its partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlay_collector.cli.database import database, transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.db import store
from outlay_collector.db.backup import store as store_of_backups
from outlay_collector.db.citus import store as citus
from outlay_collector.db.engine import connect
from outlay_collector.db.revisions import current_revision, newest_revision
from outlay_collector.settings import Settings
from outlay_collector.up.store import prepare

app = typer.Typer(no_args_is_help=True, help="Look after the database.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show version, schema, size and how much there is."""
    with transaction() as connection:
        found = store.status(connection)
        revision = current_revision(connection)
    facts = found | {"schema": revision, "schema_of_this_version": newest_revision()}
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):24} {value}")


@app.command()
def partitions(as_json: AsJson = False) -> None:
    """List the day partitions, newest first, with their size."""
    with transaction() as connection:
        rows = store.partition_sizes(connection)
    show(
        rows,
        {"name": "partition", "day": "day", "rows": "rows (estimate)", "bytes": "bytes"},
        as_json=as_json,
        empty="There are no partitions yet: they are made when the first span of a day arrives.",
    )


File = Annotated[Path, typer.Argument(dir_okay=False, help="The backup's file.")]


@app.command()
def backup(file: File) -> None:
    """Write everything into one file, as of one instant, while others go on working.

    It needs no program of Postgres, and can be restored into any Postgres from 15 on.
    """
    with database(Settings()) as url:
        made = store_of_backups.backup(url, file)
    typer.echo(f"{made.rows:,} rows of {len(made.tables)} tables are in {file} ({file.stat().st_size:,} bytes).")


@app.command()
def restore(file: File) -> None:
    """Fill an empty database from a backup, and compare every row of it."""
    with database(Settings()) as url:
        made = store_of_backups.restore(url, file)
        prepare(url)
    typer.echo(f"{made.rows:,} rows are restored as of {made.made_at[:19]} UTC, and each was compared with the backup.")


@app.command()
def distribute() -> None:
    """Spread calls over the machines of a Citus cluster. Safe to repeat, also with data in it."""
    with database(Settings()) as url, connect(url, autocommit=True, application="outlay-cli") as connection:
        done = citus.distribute(connection)
    typer.echo(f"Distributed: {', '.join(done)}." if done else "Everything was distributed already.")
