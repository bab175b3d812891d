"""``outlay cost credit``: what was prepaid, what is left of it, and what that makes of the bill."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Prepaid credits: drawn down by use, gone when they expire.")

ACTOR = "outlay cost credit"

Project = Annotated[str, typer.Option("--project", help="Whose credit it is.")]


@app.command()
def add(
    key: Annotated[str, typer.Argument(help="Your name for it.")],
    amount: Annotated[str, typer.Argument(help="In the instance's currency.")],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The day it was bought.")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The day it expires.")],
    provider: Annotated[str, typer.Option("--provider", "-p", help="For whose use it pays; * for any.")] = "*",
    project: Project = "default",
) -> None:
    """Enter a credit. What use costs stays as it is; what has to be paid for it becomes less."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs.credits import store
    from outlay_collector.costs.credits.drawdown import Grant

    try:
        money = Decimal(amount)
    except InvalidOperation as error:
        raise BadRequest(f"{amount!r} is no amount.") from error
    if not money.is_finite():
        raise BadRequest(f"{amount!r} is no amount.")
    with transaction() as connection:
        grant = Grant(key=key, provider=provider, amount=money, start=since.date(), end=until.date())
        store.add(connection, _id(project_ids(connection), project), grant, actor=ACTOR)
        note(connection, ACTOR, "credit.added", key)
    typer.echo(f"{key}: {money:f} for use from {since:%Y-%m-%d} to the day before {until:%Y-%m-%d}.")


@app.command("list")
def list_(project: Project = "default", as_json: AsJson = False) -> None:
    """Show what is left of each credit, and each month as it cost (effective) and as it has to be paid (billed)."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.costs.credits import store

    settings = Settings()
    with transaction(settings) as connection:
        project_id = _id(project_ids(connection), project)
        told = store.told(connection, project_id, now=datetime.now(UTC), zone=settings.zone)
    if as_json:
        show_json(told)
        return
    columns = {name: name for name in ("key", "provider", "amount", "drawn", "left", "expired", "from", "to")}
    show(told["credits"], columns, as_json=False, empty="There are no credits: outlay cost credit add --help.")
    names = ("month", "effective_cost", "drawn", "bought", "billed_cost")
    show(told["months"], {name: name.replace("_", " ") for name in names}, as_json=False, empty="")


@app.command()
def remove(key: str, project: Project = "default") -> None:
    """Take a credit back, as if it had never been bought."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs.credits import store

    with transaction() as connection:
        store.remove(connection, _id(project_ids(connection), project), key)
        note(connection, ACTOR, "credit.removed", key)
    typer.echo(f"{key} is taken back.")


def _id(ids: dict[str, int], name: str) -> int:
    if name not in ids:
        raise NotFound(f"There is no project {name!r}; outlay project list names them.")
    return ids[name]
