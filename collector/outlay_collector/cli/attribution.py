"""``outlay attribution``: for whom calls were made, by dated rules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Say for whom calls were made, by dated rules: look first, apply, undo.")

ACTOR = "outlay attribution"

File = Annotated[Path, typer.Argument(metavar="FILE", help="Rules as YAML; docs/attribution.md shows them.")]
Number = Annotated[int, typer.Argument(metavar="VERSION", help="As outlay attribution list names it.")]


@app.command()
def preview(file: File, as_json: AsJson = False) -> None:
    """Show what the rules of a file would move: money and calls, from where to where, by which rule."""
    from outlay_collector.ledger.attribution import store
    from outlay_collector.ledger.attribution.reading import read

    settings = Settings()
    rules = read(_text(file), settings.zone, str(file)).rules
    with transaction(settings) as connection:
        found = store.preview(connection, rules)
        _show_moves(connection, found.totals.as_json(), found.paths.items(), as_json)
    if not as_json and found.totals.changed_spans:
        typer.echo(f"Nothing was written; outlay attribution apply {file} does.")


@app.command()
def apply(file: File, as_json: AsJson = False) -> None:
    """Put the rules of a file in force, for what arrives from now on and for every call of the past."""
    from outlay_collector.access.store import note
    from outlay_collector.ledger.attribution import store

    settings = Settings()
    text = _text(file)
    with transaction(settings) as connection:
        version = store.apply(connection, text, source=str(file), actor=ACTOR, zone=settings.zone)
        note(connection, ACTOR, "attribution.applied", str(version.id))
        _run(connection, version.id, settings.zone, as_json)


@app.command()
def undo(version: Number, as_json: AsJson = False) -> None:
    """Put the rules in force again that held before a version, and every call where they had it."""
    from outlay_collector.access.store import note
    from outlay_collector.ledger.attribution import store

    settings = Settings()
    with transaction(settings) as connection:
        made = store.undo(connection, version, actor=ACTOR)
        note(connection, ACTOR, "attribution.undone", str(version))
        _run(connection, made.id, settings.zone, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the versions of the rules, newest first; the first is in force."""
    from outlay_collector.ledger.attribution import store

    with transaction() as connection:
        rows = [store.as_json(one) for one in store.versions(connection)]
    show(
        rows if as_json else [row | row["totals"] for row in rows],
        {
            "version": "version",
            "at": "at",
            "by": "by",
            "source": "from",
            "state": "state",
            "undoes": "undoes",
            "changed_calls": "calls moved",
            "changed_cost": "cost moved",
        },
        as_json=as_json,
        empty="There are no attribution rules yet: outlay attribution preview FILE shows what some would move.",
    )


@app.command("show")
def show_version(version: Number, as_json: AsJson = False) -> None:
    """Show the rules of a version as they were given, and what they moved."""
    from outlay_collector.ledger.attribution import store

    with transaction() as connection:
        found = store.version_of(connection, version)
        text, _ = store.text_of(connection, version)
        if not as_json:
            typer.echo(text.rstrip())
            typer.echo("")
        _show_moves(connection, found.totals.as_json(), store.moves(connection, version), as_json, rules=text)


@app.command("showback")
def show_back(
    since: Annotated[str | None, typer.Option("--from", help="First instant, ISO 8601; default 30 days ago.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Instant after the last; default now.")] = None,
    month: Annotated[str | None, typer.Option("--month", help="A whole month instead, such as 2026-10.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Share by the rules of this file, not those in force.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show by cost center what it spends itself, its shares of what all have in common, and both together."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.ledger.attribution import showback, store
    from outlay_collector.ledger.attribution.reading import read
    from outlay_collector.ledger.months.calendar import month_window
    from outlay_collector.ledger.reads.question import Question, parse_window

    settings = Settings()
    zone = settings.zone
    if month and (since or until):
        raise BadRequest("--month names both ends; leave --from and --to out.")
    window = month_window(month, zone) if month else parse_window(since, until, zone, datetime.now(UTC))
    rules = read(_text(file), zone, str(file)).shared if file else None
    with transaction(settings) as connection:
        question = Question(project_ids=tuple(project_ids(connection).values()), window=window, zone=zone)
        rules = store.document(connection).shared if rules is None else rules
        found = showback.as_json(store.shown_back(connection, question, rules, zone=zone))
    if as_json:
        show_json({"from": window.start, "to": window.end, "currency": settings.currency, **found})
        return
    show(
        [row | {"cost_center": row["cost_center"] or "(none)"} for row in found["rows"]],
        {"cost_center": "cost center", "direct": "direct", "shared": "shared", "total": "total"},
        as_json=False,
        empty="Nothing was spent in this time.",
    )
    typer.echo(f"{found['direct']} direct and {found['shared']} shared are {found['total']} {settings.currency}.")


def _run(connection: Any, version: int, zone: ZoneInfo, as_json: bool) -> None:
    """Run it here; what is killed on the way is taken up by the worker, or by the same command again."""
    from outlay_collector.ledger.attribution import store

    def told(one: Any) -> None:
        if not as_json:
            typer.echo(f"\rversion {one.id}: {one.totals.looked_at:,} spans", nl=False, err=True)

    done = store.run(connection, version, zone=zone, told=told)
    if as_json:
        show_json(store.as_json(done))
        return
    typer.echo("", err=True)
    _show_moves(connection, done.totals.as_json(), store.moves(connection, version), as_json=False)
    if done.undoes is None:
        typer.echo(f"Version {version} is in force. Take it back with outlay attribution undo {version}.")


def _show_moves(connection: Any, totals: dict[str, Any], paths: Any, as_json: bool, **more: Any) -> None:
    from outlay_collector.access.store import project_ids
    from outlay_collector.ledger.attribution import moves as shapes

    names = {number: name for name, number in project_ids(connection).items()}
    rows = shapes.as_json(paths, names)
    if as_json:
        show_json({**more, "totals": totals, "moves": rows})
        return
    show(
        rows,
        {
            "project": "project",
            "rule": "rule",
            "dimension": "dimension",
            "from": "from",
            "to": "to",
            "calls": "calls",
            "cost": "cost",
        },
        as_json=False,
        empty="No call would be anybody else's.",
    )
    cost = totals["changed_cost"] or "no known cost"
    unknown = (
        f", {totals['changed_unpriced_calls']:,} of them without a price" if totals["changed_unpriced_calls"] else ""
    )
    typer.echo(f"{totals['changed_calls']:,} calls{unknown}, {cost} in all.")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8 text; save it as that.") from error
