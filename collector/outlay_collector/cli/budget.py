"""``outlay budget``: budgets as code, and how they stand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Say what may be spent, in a file; and see how budgets stand.")

ACTOR = "outlay budget"

Project = Annotated[str | None, typer.Option("--project", help="Only this project; default all.")]

_MARKS = {"create": "+", "change": "~", "same": "=", "prune": "-", "leave": " "}


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="budgets.yaml")],
    prune: Annotated[
        bool, typer.Option("--prune", help="Also remove budgets of the file's projects that it does not name.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    project: Annotated[
        str | None, typer.Option("--project", help="Whose they are, where the file does not say.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make budgets be as the file says: all of it, or on any mistake nothing. Applying it again changes nothing."""
    from outlay_collector.access.store import note, project_ids
    from outlay_collector.budgets import file as files
    from outlay_collector.budgets import store

    settings = Settings()
    wanted = files.read(_text(file), file=file.name, project=project, currency=settings.currency, zone=settings.zone)
    now = datetime.now(UTC)
    with transaction(settings) as connection:
        ids = project_ids(connection)
        for one in wanted:
            if one.project not in ids:
                raise NotFound(
                    f"{file.name}, budget {one.name}: project cannot be {one.project!r}; `outlay project list` names them."
                )
        there = store.active(connection, sorted({ids[one.project] for one in wanted}))
        steps = files.steps(wanted, [stored.budget for stored in there], prune=prune)
        if not dry_run:
            pruned = {(step.project, step.name) for step in steps if step.act == "prune"}
            # Children go before their parents, whatever order they are listed in.
            leaving = [stored for stored in there if (stored.budget.project, stored.budget.name) in pruned]
            for stored in store.youngest_first(leaving):
                store.remove(connection, stored, actor=ACTOR)
            for name in dict.fromkeys(one.project for one in wanted):
                mine = [one for one in wanted if one.project == name]
                store.save(connection, ids[name], mine, actor=ACTOR, now=now)
            done = [step for step in steps if step.act in ("create", "change", "prune")]
            if done:
                note(connection, ACTOR, "budget.apply", file.name, {step.name: step.act for step in done})
    if as_json:
        show_json(
            [
                {"act": step.act, "project": step.project, "name": step.name,
                 "differences": [{"key": key, "was": was, "is": now_is} for key, was, now_is in step.differences]}
                for step in steps
            ]
        )  # fmt: skip
        return
    for step in steps:
        typer.echo(f"{_MARKS[step.act]} {step.project}/{step.name}{_tail(step.act)}")
        for key, was, is_now in step.differences:
            typer.echo(f"    {key}: {_said(was)} -> {_said(is_now)}")
    counts = {act: sum(step.act == act for step in steps) for act in ("create", "change", "same", "prune")}
    said = (
        f"{counts['create']} new, {counts['change']} changed, {counts['same']} as they were, {counts['prune']} removed."
    )
    typer.echo(f"Would be: {said} Nothing was written." if dry_run else said)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}.") from error


def _tail(act: str) -> str:
    return "  (not in the file; --prune removes it)" if act == "leave" else ""


def _said(value: object) -> str:
    return "–" if value is None else str(value)


@app.command("list")
def list_(project: Project = None, as_json: AsJson = False) -> None:
    """List budgets as they are in force."""
    from outlay_collector.budgets import store
    from outlay_collector.budgets.stored import spec_json

    with transaction() as connection:
        rows = [spec_json(stored) for stored in store.active(connection, _ids(connection, project))]
    if as_json:
        show_json(rows)
        return
    plain = [
        {"per": None, "amount": "planned", **row, "filter": _filter(row["filter"]) or "everything"} for row in rows
    ]
    show(
        plain,
        {"project": "project", "name": "name", "filter": "for", "per": "per", "period": "period", "amount": "amount",
         "currency": "in", "version": "version"},
        as_json=False,
        empty="There are no budgets; `outlay budget apply budgets.yaml` makes some.",
    )  # fmt: skip


def _filter(said: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {' '.join(values) if isinstance(values, list) else values}" for name, values in said.items()
    )


@app.command("status")
def status_(
    name: Annotated[str | None, typer.Argument(help="Only this budget, with its instances.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """How budgets stand in the period that runs: spent, left, and how it is likely to end."""
    from outlay_collector.budgets import store
    from outlay_collector.budgets.stored import status_json

    now = datetime.now(UTC)
    with transaction() as connection:
        found = store.active(connection, _ids(connection, project))
        if name is not None:
            found = [stored for stored in found if stored.budget.name == name]
            if not found:
                raise NotFound(f"There is no budget {name!r}; `outlay budget list` names them.")
        rows = [store.status(connection, stored, now=now, instances=0 if name is None else 50) for stored in found]
    said = [status_json(row) for row in rows]
    if as_json:
        show_json(said)
        return
    lines = [line for row in said for line in _lines(row)]
    show(
        lines,
        {"name": "name", "period": "period", "actual": "spent", "amount": "of", "currency": "in", "share": "%",
         "forecast": "likely at the end", "told": "told"},
        as_json=False,
        empty="There are no budgets; `outlay budget apply budgets.yaml` makes some.",
    )  # fmt: skip


def _lines(row: dict[str, Any]) -> list[dict[str, Any]]:
    head = {
        "name": row["name"],
        "period": row["period_label"],
        "actual": _short(row["actual"]) if row["state"] == "ready" else "being summed",
        "amount": row["amount"],
        "currency": row["currency"],
        "share": row["share"],
        "forecast": _forecast(row.get("forecast")),
        "told": ", ".join(one["threshold"] for one in row["told"] if not one["corrected_at"]) or None,
    }
    of_instances = [
        head | {"name": f"  {one['instance'] or '(none)'}", "actual": _short(one["actual"]), "amount": one["amount"],
                "share": one["share"], "forecast": None, "told": ", ".join(one["told"]) or None}
        for one in row["instances"]
    ]  # fmt: skip
    return [head, *of_instances]


def _forecast(said: dict[str, Any] | None) -> str | None:
    if not said:
        return None
    sure = "" if not said["low_confidence"] else " (too early to be sure)"
    p10, p50, p90 = (_short(said[name]) for name in ("p10", "p50", "p90"))
    return f"{p50} ({p10} – {p90}){sure}"


def _short(amount: str) -> str:
    """To the cent from 1 up; ``--json`` has all digits."""
    number = Decimal(amount)
    return f"{number:.2f}" if abs(number) >= 1 else amount


def _ids(connection: Any, project: str | None) -> list[int]:
    from outlay_collector.access.store import project_ids

    ids = project_ids(connection)
    if project is None:
        return sorted(ids.values())
    if project not in ids:
        raise NotFound(f"There is no project {project!r}; `outlay project list` names them.")
    return [ids[project]]
