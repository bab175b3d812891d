"""``outlay bill``: what providers billed, beside what was traced."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Import, pull and reconcile what providers billed.")

ACTOR = "outlay bill"

From = Annotated[str | None, typer.Option("--from", help="First day, ISO 8601; default 30 days ago.")]
To = Annotated[str | None, typer.Option("--to", help="Day after the last; default now.")]
Provider = Annotated[str | None, typer.Option("--provider", "-p", help="Only this provider.")]


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="OpenAI, Anthropic, AWS, Google Cloud, Azure or FOCUS; its columns say which.")
    ],
    as_json: AsJson = False,
) -> None:
    """Import a bill. The same bill again changes nothing; a later one takes its place where it speaks."""
    from outlay_collector.bills.formats.detect import read

    _store(read(file.read_bytes()), name=file.name, as_json=as_json)


@app.command()
def pull(
    provider: Provider = None,
    since: From = None,
    until: To = None,
    as_json: AsJson = False,
) -> None:
    """Pull the bills of OpenAI and Anthropic with the admin keys that are set; the worker does so every six hours."""
    from outlay_collector.bills.jobs import account_of, accounts, last_days
    from outlay_collector.bills.jobs import pull as pulled
    from outlay_collector.errors import BadRequest
    from outlay_collector.ledger.buckets import Window
    from outlay_collector.ledger.reads.question import parse_window

    settings = Settings()
    now = datetime.now(UTC)
    window = last_days(settings.bill_pull_days, now)
    if since or until:
        said = parse_window(since, until, settings.zone, now)
        window = Window(_midnight(said.start), min(_midnight(said.end), window.end))
    wanted = [account_of(settings, provider)] if provider else accounts(settings)
    if not wanted:
        raise BadRequest(
            "Neither OUTLAY_OPENAI_ADMIN_KEY nor OUTLAY_ANTHROPIC_ADMIN_KEY is set: there is nobody to ask."
        )
    if window.start >= window.end:
        raise BadRequest("No whole day in UTC lies between --from and --to; today is billed when it is over.")
    for account in wanted:
        name = f"{account.provider} {window.start:%Y-%m-%d}/{window.end:%Y-%m-%d}"
        _store(pulled(account, window), name=name, as_json=as_json)


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _store(bill: Any, *, name: str, as_json: bool) -> None:
    from outlay_collector.bills.api import shown
    from outlay_collector.bills.store import import_bill
    from outlay_collector.pricing.store import load_book

    settings = Settings()
    with transaction(settings) as connection:
        imported = import_bill(connection, bill, name=name, actor=ACTOR, book=load_book(connection))
    said = shown(imported)
    if as_json:
        show_json(said)
        return
    known = "" if imported.is_new else " (known already: nothing changed)"
    typer.echo(
        f"{name}: {said['format']}, {said['lines']} lines, {said['billed']} {settings.currency}; import {imported.id}{known}"
    )
    if imported.left_out:
        typer.echo(f"Left out: {said['left_out']} lines of other services, {said['left_out_cost']}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List imports, and the accounts that bills name."""
    from outlay_collector.bills import store
    from outlay_collector.bills.shape import money

    with transaction() as connection:
        imports, accounts = store.listed(connection), store.accounts(connection)
    if as_json:
        show_json({"imports": imports, "accounts": accounts})
        return
    show(
        [row | {"billed": money(row["billed"]), "days": _days(row)} for row in imports],
        {
            "id": "import",
            "format": "format",
            "name": "name",
            "days": "days (UTC)",
            "lines": "lines",
            "billed": "billed",
            "state": "state",
        },
        as_json=False,
        empty="There is no bill yet: outlay bill import FILE, or outlay bill pull.",
    )
    if accounts:
        typer.echo()
        show(
            [row | {"billed": None if row["billed"] is None else money(row["billed"])} for row in accounts],
            {"provider": "provider", "account": "account", "project": "project", "billed": "billed"},
            as_json=False,
            empty="",
        )


def _days(row: dict[str, Any]) -> str:
    if row["starts"] is None:
        return "–"
    return f"{row['starts'].astimezone(UTC):%Y-%m-%d} to {row['ends'].astimezone(UTC):%Y-%m-%d}"


@app.command()
def undo(import_id: Annotated[int, typer.Argument(metavar="IMPORT", help="As outlay bill list numbers them.")]) -> None:
    """Take an import back; what it replaced holds again."""
    from outlay_collector.bills import store

    with transaction() as connection:
        store.undo(connection, import_id, actor=ACTOR)
    typer.echo(f"Import {import_id} is undone.")


@app.command("map")
def map_(
    provider: Annotated[str, typer.Argument(help="As in the bill, such as openai.")],
    name: Annotated[str, typer.Argument(help="Its project, workspace or account; with --model its name of a model.")],
    meaning: Annotated[str, typer.Argument(help="The project it is; with --model the model as calls name it.")],
    model: Annotated[bool, typer.Option("--model", help="NAME is a model.")] = False,
) -> None:
    """Say which project an account in bills is, or which model a name in them means."""
    from outlay_collector.bills import store

    with transaction() as connection:
        named = store.name_model if model else store.name_account
        named(connection, provider, name, meaning, actor=ACTOR)
    typer.echo(f"{name} of {provider} is {meaning}.")


@app.command()
def reconcile(
    since: From = None,
    until: To = None,
    provider: Provider = None,
    by: Annotated[
        str | None, typer.Option("--by", help="day,project,provider,model,meter or some; default all.")
    ] = None,
    book: Annotated[bool, typer.Option("--book", help="Book the difference as lines of the ledger.")] = False,
    undo_booking: Annotated[bool, typer.Option("--unbook", help="Take back what was booked for these days.")] = False,
    cause: Annotated[list[str] | None, typer.Option("--cause", help="Book only this cause.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Where to book what no account tells.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was billed beside what was traced, and why they differ; with --book, bring the ledger to the bill."""
    from outlay_collector.bills import store
    from outlay_collector.bills.reconcile import CAUSES
    from outlay_collector.bills.shape import money, parse_by, rows, totals
    from outlay_collector.errors import BadRequest
    from outlay_collector.ledger.reads.question import parse_window
    from outlay_collector.pricing.store import load_book

    settings = Settings()
    causes = tuple(cause or CAUSES)
    if unknown := [one for one in causes if one not in CAUSES]:
        raise BadRequest(f"There is no cause {unknown[0]!r}; there are {', '.join(CAUSES)}.")
    wanted = parse_by(by)
    with transaction(settings) as connection:
        window = parse_window(since, until, settings.zone, datetime.now(UTC))
        found = store.reconcile(connection, window, book=load_book(connection), provider=provider)
        booked = None
        if book or undo_booking:
            booked = store.book_gaps(
                connection,
                found,
                actor=ACTOR,
                causes=causes,
                provider=provider,
                default_project=project,
                undo=undo_booking,
            )
    listed, whole = rows(found.gaps, wanted), totals(found.gaps)
    if as_json:
        show_json({"totals": whole, "rows": listed})
    else:
        _show(listed, whole, wanted, found, settings.currency)
    if booked is not None:
        lines, amount = booked
        typer.echo(f"Booked {money(amount)} {settings.currency} in {lines} lines.", err=as_json)


def _show(listed: list[dict[str, Any]], whole: dict[str, Any], by: tuple[str, ...], found: Any, currency: str) -> None:
    from outlay_collector.bills.shape import money

    headings = {name: name for name in by}
    amounts = {
        "billed": "billed",
        "traced": "traced",
        "gap": "gap",
        "percent": "%",
        "cause": "likely cause",
        "note": "",
    }
    show(
        [row | {"cause": (row["cause"] or "").replace("_", " ")} for row in listed],
        headings | amounts,
        as_json=False,
        empty="No bill speaks of these days: outlay bill import FILE, or outlay bill pull.",
    )
    if not found.covers:
        return
    typer.echo()
    typer.echo(
        f"Billed {whole['billed']} {currency} = traced {whole['traced']} + untraced {whole['untraced']}"
        f" + unpriced {whole['unpriced']} + residual {whole['residual']}"
    )
    for cause, amount in whole["causes"].items():
        typer.echo(f"  {cause.replace('_', ' ')}: {amount}")
    if found.outside:
        others = ", ".join(f"{seller} {money(cost)}" for seller, cost in sorted(found.outside.items()))
        typer.echo(f"Traced where no bill speaks: {others}")
