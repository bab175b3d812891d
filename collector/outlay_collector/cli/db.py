"""``outlay db``: the database's state and its partitions."""

from __future__ import annotations

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.db import store
from outlay_collector.db.revisions import current_revision, newest_revision

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
