"""``outlay month``: months whose booked figures stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Close months, open them again, and list them.")

ACTOR = "outlay month"

Month = Annotated[str, typer.Argument(help="Such as 2026-10, in the instance's time zone.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List months with any cost: as booked, by origin, and whether they are closed."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.ledger.months import store

    with transaction() as connection:
        rows = store.listed(connection, list(project_ids(connection).values()))
    plain = [row | {name: _money(row[name]) for name in ("booked", "incurred")} for row in rows]
    show(
        plain,
        {
            "month": "month",
            "state": "state",
            "booked": "booked",
            "incurred": "by origin",
            "closed_at": "closed",
            "closed_by": "by",
        },
        as_json=as_json,
        empty="There is no month with any cost yet.",
    )


def _money(amount: object) -> str | None:
    return None if amount is None else f"{amount:f}"


@app.command()
def close(month: Month) -> None:
    """Close a month: what its calls are booked at stands; what is learnt later is booked in the month that is open."""
    from outlay_collector.access.store import note
    from outlay_collector.ledger.months import store

    settings = Settings()
    with transaction(settings) as connection:
        store.close(connection, month, actor=ACTOR, now=datetime.now(UTC), zone=settings.zone)
        note(connection, ACTOR, "month.closed", month)
    typer.echo(f"{month} is closed. Late calls and new prices of it are booked in the month that is open.")


@app.command()
def reopen(month: Month) -> None:
    """Open a closed month: what was learnt since goes where it belongs, and the lines that stood for it are taken back."""
    from outlay_collector.access.store import note
    from outlay_collector.ledger.months import store

    settings = Settings()
    with transaction(settings) as connection:
        store.reopen(connection, month, kept_since=datetime.now(UTC) - settings.retention)
        note(connection, ACTOR, "month.open", month)
    typer.echo(f"{month} is open again.")
