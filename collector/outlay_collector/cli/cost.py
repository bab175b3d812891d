"""``outlay cost``: seats, provisioned throughput, fine-tuning and whatever else is no call's."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from outlay_collector.cli import credit
from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Costs that are no call's: seats, reserved throughput, training, storage.")

app.add_typer(credit.app, name="credit")

ACTOR = "outlay cost"

Project = Annotated[str, typer.Option("--project", help="Whose cost it is.")]


@app.command()
def add(
    key: Annotated[str, typer.Argument(help="Your name for it, such as cursor-2026-11; entered twice it counts once.")],
    amount: Annotated[str, typer.Argument(help='All of it, such as 1200.00; negative (after "--") for a refund.')],
    kind: Annotated[
        str, typer.Option("--kind", help="seats, subscription, provisioned_throughput, fine_tuning …")
    ] = "other",
    currency: Annotated[str | None, typer.Option("--currency", help="ISO 4217; default the instance's.")] = None,
    on: Annotated[str | None, typer.Option("--on", help="The day it falls on.")] = None,
    month: Annotated[str | None, typer.Option("--month", help="Spread over a month, such as 2026-11.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Spread evenly from this day …")] = None,
    until: Annotated[str | None, typer.Option("--to", help="… to the day before this one.")] = None,
    project: Project = "default",
    dimension: Annotated[
        list[str] | None, typer.Option("--dimension", "-d", help="NAME=VALUE, such as team=search or provider=cursor.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="NAME=VALUE; repeatable.")] = None,
    quantity: Annotated[str | None, typer.Option("--quantity", help="How many, for the record.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Of what.")] = None,
    note: Annotated[str | None, typer.Option("--note", help="Whatever a reader should know.")] = None,
    as_json: AsJson = False,
) -> None:
    """Book a cost on a day, or spread it over a period: by day, to the last digit."""
    said = {
        "key": key,
        "kind": kind,
        "amount": amount,
        "currency": currency,
        "on": on,
        "month": month,
        "from": since,
        "to": until,
        "quantity": quantity,
        "unit": unit,
        "note": note,
        "tags": dict(_pair(text, "--tag") for text in tag or ()),
        **dict(_pair(text, "--dimension") for text in dimension or ()),
    }
    _enter([said], project, replace=False, as_json=as_json)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise BadRequest(f"{option} {text!r} is not of the form NAME=VALUE.")
    return name, value


@app.command()
def apply(
    file: Annotated[str, typer.Argument(help="Costs as YAML, as docs/costs.md shows them; - reads standard input.")],
    project: Project = "default",
    as_json: AsJson = False,
) -> None:
    """Book the costs of a file: new ones are added, changed ones replaced, known ones left; others are not touched."""
    from outlay_collector.costs.entries import read_file

    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    _enter(list(read_file(text)), project, replace=True, as_json=as_json)


def _enter(entries: Sequence[Mapping[str, Any]], project: str, *, replace: bool, as_json: bool) -> None:
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs import store
    from outlay_collector.costs.entries import read

    settings = Settings()
    with transaction(settings) as connection:
        ids = project_ids(connection)
        names = {number: name for name, number in ids.items()}
        rows: list[dict[str, Any]] = []
        for raw in entries:
            entry = read(raw, default_currency=settings.currency)
            project_id = _id(ids, str(raw.get("project") or project))
            done = store.enter(connection, project_id, entry, actor=ACTOR, zone=settings.zone, replace=replace)
            if done.outcome != "known":
                note(connection, ACTOR, f"cost.{done.outcome}", entry.key)
            rows.append({"outcome": done.outcome, **store.as_json(done.entry, names, settings.currency)})
    _show(rows, as_json=as_json, empty="The file names no cost.", outcome=True)


@app.command("list")
def list_(
    project: Annotated[str | None, typer.Option("--project", help="Only this project; default all.")] = None,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that were taken back.")] = False,
    as_json: AsJson = False,
) -> None:
    """List costs, newest first."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.costs import store

    settings = Settings()
    with transaction(settings) as connection:
        ids = project_ids(connection)
        wanted = list(ids.values()) if project is None else [_id(ids, project)]
        names = {number: name for name, number in ids.items()}
        rows = [
            store.as_json(row, names, settings.currency)
            for row in store.listed(connection, wanted, with_removed=removed)
        ]
    _show(rows, as_json=as_json, empty="No costs were entered yet: outlay cost add --help.", outcome=False)


@app.command()
def remove(
    key: Annotated[str, typer.Argument(help="As entered.")], project: Project = "default", as_json: AsJson = False
) -> None:
    """Take a cost back; in closed months its reversal is booked in the month that is open."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.costs import store

    settings = Settings()
    with transaction(settings) as connection:
        ids = project_ids(connection)
        row = store.remove(connection, _id(ids, project), key, actor=ACTOR)
        note(connection, ACTOR, "cost.removed", key)
    said = store.as_json(row, {number: name for name, number in ids.items()}, settings.currency)
    if as_json:
        show_json(said)
    else:
        typer.echo(f"{key}: {said['amount']} {said['currency']} are taken back.")


def _id(ids: Mapping[str, int], name: str) -> int:
    if name not in ids:
        raise NotFound(f"There is no project {name!r}; outlay project list names them.")
    return ids[name]


def _show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str, outcome: bool) -> None:
    columns = {
        "key": "key",
        "project": "project",
        "kind": "kind",
        "amount": "amount",
        "currency": "currency",
        "from": "from",
        "to": "to",
        "days": "days",
    }
    show(rows, ({"outcome": "outcome"} if outcome else {}) | columns, as_json=as_json, empty=empty)
