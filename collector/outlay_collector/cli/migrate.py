"""``outlay migrate``."""

from __future__ import annotations

import typer

from outlay_collector.cli.database import database
from outlay_collector.settings import Settings

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, and its prices to those this version comes with.

    Safe to repeat, and to run from two places at once.
    """
    from outlay_collector.up.store import prepare

    settings = Settings()
    with database(settings) as url:
        changed = prepare(url, currency=settings.currency, say=typer.echo)
    typer.echo("The database is up to date." if changed else "The database was up to date already.")
