"""``outlay key``: straight on the database, so an operator of the machine needs no key to make one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from outlay_collector.access import store
from outlay_collector.access.keys import SCOPES
from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json

app = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke API keys.")


@app.command()
def create(
    scopes: Annotated[list[str], typer.Option("--scope", help=f"What it may do: {', '.join(SCOPES)}. Repeatable.")],
    project: Annotated[str | None, typer.Option(help="The project it is bound to; without, all projects.")] = None,
    name: Annotated[str | None, typer.Option(help="A name to recognise it by.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires; without, never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. It is shown this once: only its hash is stored."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with transaction() as connection:
        key = store.create_key(connection, project=project, scopes=scopes, name=name, expires_at=expires_at)
    if as_json:
        show_json({"key": key, "project": project, "scopes": sorted(set(scopes)), "expires_at": expires_at})
    else:
        typer.echo(key)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all keys, without their secrets."""
    with transaction() as connection:
        rows = store.list_keys(connection)
    show(
        [row | {"project": row["project"] or "(all)"} for row in rows] if not as_json else rows,
        {
            "id": "id",
            "project": "project",
            "name": "name",
            "scopes": "scopes",
            "created_at": "created",
            "expires_at": "expires",
            "revoked_at": "revoked",
            "last_used_at": "last used",
        },
        as_json=as_json,
        empty="There is no key yet: outlay key create --project NAME --scope ingest",
    )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="As `outlay key list` shows it.")]) -> None:
    """Revoke a key; it stops working within seconds."""
    with transaction() as connection:
        store.revoke_key(connection, key_id)
    typer.echo(f"Key {key_id} is revoked.")


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `outlay key list` shows it.")],
    overlap_hours: Annotated[float, typer.Option(min=0, help="How long the old key goes on working.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new key in the place of an old one; both work for a while, so that nothing has to stop."""
    with transaction() as connection:
        key, until = store.rotate_key(connection, key_id, overlap=timedelta(hours=overlap_hours))
    if as_json:
        show_json({"key": key, "old_key_until": until})
    else:
        typer.echo(key)
        typer.echo(f"The old key {key_id} works until {until:%Y-%m-%d %H:%M} UTC.", err=True)
