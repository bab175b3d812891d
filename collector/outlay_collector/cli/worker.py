"""``outlay worker``."""

from __future__ import annotations

import typer

from outlay_collector.cli.database import database
from outlay_collector.settings import Settings

app = typer.Typer()


@app.command()
def worker() -> None:
    """Run the worker: settlement, rollups and everything periodic, until it is told to stop."""
    from outlay_collector.worker import run

    settings = Settings()
    with database(settings) as url:
        run(settings.model_copy(update={"database_url": url}))
