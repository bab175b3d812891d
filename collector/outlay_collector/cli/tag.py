"""``outlay tag``: which tags have sums of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show
from outlay_collector.ledger.later import store

ACTOR = "outlay tag"

app = typer.Typer(no_args_is_help=True, help="Declare cost allocation tags: those that questions are often about.")

Keys = Annotated[
    list[str], typer.Argument(help="Keys as calls carry them: of outlay.tag.<key>, without what is before.")
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List declared tags, and how many days of projects are still to be summed by each."""
    with transaction() as connection:
        rows = store.listed(connection)
    show(
        rows,
        {"key": "tag", "declared_at": "declared", "declared_by": "by", "days_to_go": "days to sum"},
        as_json=as_json,
        empty="No tag is declared; any can be asked about, from calls: outlay tag declare KEY makes that faster.",
    )


@app.command()
def declare(keys: Keys) -> None:
    """Have sums of their own for these tags. The worker makes those of the past, newest days first."""
    with transaction() as connection:
        for key in keys:
            store.declare(connection, key, actor=ACTOR, now=datetime.now(UTC))
    typer.echo(f"Declared: {', '.join(keys)}. outlay tag list shows how far their history is summed.")


@app.command()
def withdraw(keys: Keys) -> None:
    """Answer questions about these tags from calls again."""
    with transaction() as connection:
        for key in keys:
            store.withdraw(connection, key, actor=ACTOR)
    typer.echo(f"Withdrawn: {', '.join(keys)}.")
