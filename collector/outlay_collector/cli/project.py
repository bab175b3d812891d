"""``outlay project``: straight on the database, so an operator of the machine needs no key."""

from __future__ import annotations

import typer

from outlay_collector.access import store
from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json

app = typer.Typer(no_args_is_help=True, help="Create and list projects.")


@app.command()
def create(name: str, as_json: AsJson = False) -> None:
    """Create a project."""
    with transaction() as connection:
        store.create_project(connection, name)
    if as_json:
        show_json({"name": name.strip()})
    else:
        typer.echo(f"Project {name.strip()} is there. Next: outlay key create --project {name.strip()} --scope ingest")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all projects."""
    with transaction() as connection:
        rows = store.list_projects(connection)
    show(
        rows,
        {"name": "project", "content": "content kept", "created_at": "created"},
        as_json=as_json,
        empty="There is no project yet: outlay project create NAME",
    )
