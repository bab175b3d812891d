"""``outlay reprice``: calls of the past under the prices of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

if TYPE_CHECKING:
    from outlay_collector.pricing.reprice.scope import Scope, Totals

app = typer.Typer(help="Give calls of the past the prices of today: look first, apply, undo.")

ACTOR = "outlay reprice"


@app.callback(invoke_without_command=True)
def reprice(
    context: typer.Context,
    since: Annotated[str | None, typer.Option("--from", help="First instant, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Instant after the last; default now.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only this project; default all.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Only this provider.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this model; * stands for anything.")] = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", help="Only calls whose price is in this one, which is not the instance's."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write it; without, it is only shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what calls of a window would cost under today's prices; with --apply, give them those."""
    if context.invoked_subcommand is not None:
        return
    from outlay_collector.ledger.reads.question import parse_window
    from outlay_collector.pricing.reprice import store
    from outlay_collector.pricing.reprice.scope import Scope

    if since is None:
        raise BadRequest("Say from when: outlay reprice --from 2026-11-01 [--to …] [--project …] [--model …] [--apply]")
    settings = Settings()
    with transaction(settings) as connection:
        window = parse_window(since, until, settings.zone, datetime.now(UTC))
        scope = Scope(
            window=window,
            project_id=_project(connection, project),
            provider=provider,
            model=model,
            currency=currency.upper() if currency else None,
        )
        if apply:
            job = store.ask(connection, scope, actor=ACTOR)
            _run(connection, job.id, settings.zone, as_json)
        else:
            _preview(connection, scope, as_json)


def look(connection: Any, scopes: Sequence[Scope]) -> tuple[Totals, list[Scope]]:
    """Show what these scopes would cost under the price book as this transaction sees it, and which of them change."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.pricing.reprice import scope as shapes
    from outlay_collector.pricing.reprice import store
    from outlay_collector.pricing.store import load_book

    book, totals = load_book(connection), shapes.Totals()
    found = [(scope, store.preview(connection, book, scope)) for scope in scopes]
    for _, sums in found:
        totals.add(sums)
    names = {number: name for name, number in project_ids(connection).items()}
    _table([shapes.as_json(one, names) for _, sums in found for one in shapes.by_model(sums) if one.changed_calls])
    typer.echo(_sentence(totals.as_json()))
    return totals, [scope for scope, sums in found if any(one.changed_calls for one in sums)]


def apply_all(connection: Any, scopes: Sequence[Scope], zone: ZoneInfo) -> None:
    """Reprice these scopes, each as a job of its own. Commits."""
    from outlay_collector.pricing.reprice import store

    for scope in scopes:
        _run(connection, store.ask(connection, scope, actor=ACTOR).id, zone, as_json=False)


def _project(connection: Any, name: str | None) -> int | None:
    from outlay_collector.access.store import project_ids

    ids = project_ids(connection)
    if name is not None and name not in ids:
        raise NotFound(f"There is no project {name!r}; outlay project list names them.")
    return ids[name] if name is not None else None


def _preview(connection: Any, scope: Any, as_json: bool) -> None:
    from outlay_collector.access.store import project_ids
    from outlay_collector.pricing.reprice import scope as shapes
    from outlay_collector.pricing.reprice import store
    from outlay_collector.pricing.store import load_book

    book = load_book(connection)
    sums = store.preview(connection, book, scope)
    totals = shapes.Totals()
    totals.add(sums)
    names = {number: name for name, number in project_ids(connection).items()}
    rows = [shapes.as_json(one, names) for one in sums]
    if as_json:
        show_json({"price_version": book.version, "totals": totals.as_json(), "rows": rows})
        return
    _table([shapes.as_json(one, names) for one in shapes.by_model(sums) if one.changed_calls])
    typer.echo(_sentence(totals.as_json()))
    if totals.changed_calls:
        typer.echo("Nothing was written; --apply does.")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    show(
        rows,
        {
            "project": "project",
            "provider": "provider",
            "model": "model",
            "changed_calls": "calls",
            "cost_before": "cost now",
            "cost_after": "cost then",
            "difference": "difference",
        },
        as_json=False,
        empty="No call would cost anything else.",
    )


def _sentence(totals: dict[str, Any]) -> str:
    before, after = (totals[name] or "unknown" for name in ("cost_before", "cost_after"))
    said = f"{totals['changed_calls']:,} of {totals['calls']:,} calls change: {before} becomes {after}"
    return f"{said}; {totals['unpriced_before']:,} calls without a price become {totals['unpriced_after']:,}."


def _run(connection: Any, job_id: int, zone: ZoneInfo, as_json: bool) -> None:
    """Run it here; what is killed on the way is taken up by the worker, or by the same command again."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.pricing.reprice import store

    if as_json:
        names = {number: name for name, number in project_ids(connection).items()}
        show_json(store.as_json(store.run(connection, job_id, zone=zone), names))
        return

    def told(job: Any) -> None:
        typer.echo(f"\rjob {job.id}: {job.totals.calls:,} calls", nl=False, err=True)

    job = store.run(connection, job_id, zone=zone, told=told)
    typer.echo("", err=True)
    typer.echo(_sentence(job.totals.as_json()))
    if job.undoes is None and job.totals.changed_calls:
        typer.echo(f"Undo it with outlay reprice undo {job.id}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List what was repriced and undone, newest first."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.pricing.reprice import store

    with transaction() as connection:
        names = {number: name for name, number in project_ids(connection).items()}
        rows = [store.as_json(job, names) for job in store.jobs(connection)]
    show(
        [row | row["totals"] for row in rows] if not as_json else rows,
        {
            "job": "job",
            "at": "at",
            "by": "by",
            "state": "state",
            "undoes": "undoes",
            "project": "project",
            "model": "model",
            "from": "from",
            "to": "to",
            "changed_calls": "calls changed",
            "difference": "difference",
        },
        as_json=as_json,
        empty="Nothing was repriced yet: outlay reprice --from … shows what would change.",
    )


@app.command()
def undo(job_id: Annotated[int, typer.Argument(metavar="JOB")], as_json: AsJson = False) -> None:
    """Give calls the charges back that a job replaced."""
    from outlay_collector.pricing.reprice import store

    settings = Settings()
    with transaction(settings) as connection:
        _run(connection, store.ask_undo(connection, job_id, actor=ACTOR).id, settings.zone, as_json)
