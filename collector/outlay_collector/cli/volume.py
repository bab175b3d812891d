"""``outlay price volume``: contracts whose rate falls with what is used in a month."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Contracts whose rate falls with what is used in a month.")

ACTOR = "outlay price volume"

Project = Annotated[str, typer.Option("--project", help="Whose contract it is.")]


@app.command()
def add(
    key: Annotated[str, typer.Argument(help="Your name for it.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name or pattern with *.")],
    tier: Annotated[list[str], typer.Option("--tier", help="TOKENS=RATE per million, from 0 on; repeatable.")],
    provider: Annotated[str, typer.Option("--provider", "-p", help="Name, or * for any.")] = "*",
    unit: Annotated[str, typer.Option("--unit", help="input, cache_read or output.")] = "input",
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217.")] = "USD",
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; default today.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Day after the last; default until further notice."),
    ] = None,
    project: Project = "default",
) -> None:
    """Enter graduated rates: calls are priced by the first tier, and what further tiers take off is booked day by day."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs.volume import store
    from outlay_collector.costs.volume.tiers import UNITS, read
    from outlay_collector.pricing.currencies.codes import currency as known_currency

    if unit not in UNITS:
        raise BadRequest(f"--unit {unit!r} is none that is counted; use {', '.join(UNITS)}.")
    try:
        code = known_currency(currency)
    except ValueError as error:
        raise BadRequest(f"--currency {error}.") from error
    settings = Settings()
    start = since.date() if since else datetime.now(UTC).astimezone(settings.zone).date()
    end: date | None = until.date() if until else None
    if end is not None and end <= start:
        raise BadRequest(f"--to {end} is not after {start}.")
    with transaction(settings) as connection:
        project_id = _id(project_ids(connection), project)
        version = store.add(
            connection, project_id, key=key, provider=provider, model=model, unit=unit, currency=code,
            tiers=read(tier), start=start, end=end, actor=ACTOR, zone=settings.zone,
        )  # fmt: skip
        store.settle(connection, project_id, now=datetime.now(UTC), zone=settings.zone)
        note(connection, ACTOR, "volume.added", key)
    typer.echo(
        f"Version {version} of the price book has the first tier's rate; outlay reprice gives it to calls of the past."
        " What further tiers take off is booked by the worker, day by day."
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List volume terms."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.costs.volume import store

    with transaction() as connection:
        names = {number: name for name, number in project_ids(connection).items()}
        rows = [store.as_json(term, names) for term in store.terms(connection, list(names))]
    show(
        rows
        if as_json
        else [row | {"tiers": ", ".join(f"{one['over']}: {one['rate']}" for one in row["tiers"])} for row in rows],
        {name: name for name in ("key", "project", "provider", "model", "unit", "tiers", "currency", "from", "to")},
        as_json=as_json,
        empty="There are no volume terms: outlay price volume add --help.",
    )


@app.command()
def remove(key: str, project: Project = "default") -> None:
    """Take a term and all that it took off back; in closed months the reversal is booked in the open one."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs.volume import store

    with transaction() as connection:
        store.remove(connection, _id(project_ids(connection), project), key, actor=ACTOR)
        note(connection, ACTOR, "volume.removed", key)
    typer.echo(f"{key} is taken back. The first tier's price stays; outlay price versions and undo take that back.")


def _id(ids: dict[str, int], name: str) -> int:
    if name not in ids:
        raise NotFound(f"There is no project {name!r}; outlay project list names them.")
    return ids[name]
