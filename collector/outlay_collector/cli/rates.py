"""``outlay price rates``: exchange rates, as versions of the price book."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Exchange rates between the currencies of prices and the instance's.")

ACTOR = "outlay price rates"


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="The ECB's eurofxref-hist.csv, or a CSV of date,base,currency,rate[,until]; - reads input."
        ),
    ],
    base: Annotated[str, typer.Option("--base", help="Of a wide file, in which the ECB's has euros.")] = "EUR",
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Leave out days before this one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    reprice: Annotated[bool, typer.Option("--reprice", help="Give calls of the past these rates, too.")] = False,
    allow_leaps: Annotated[
        bool,
        typer.Option("--allow-leaps", help="Accept rates that are more than twice or less than half the last one."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import dated rates as a new version: shown first, never edited, and undone by outlay price undo.

    Calls from now on use them. What they change of calls of the past is shown, and written with --reprice.
    """
    from outlay_collector.cli.reprice import apply_all, look
    from outlay_collector.pricing.currencies.files import imported
    from outlay_collector.pricing.currencies.store import instance_currency
    from outlay_collector.pricing.reprice.scope import rate_scopes
    from outlay_collector.pricing.store import import_rates

    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    name = "standard input" if file == "-" else Path(file).name
    settings, now = Settings(), datetime.now(UTC)
    with transaction(settings) as connection:
        target = instance_currency(connection)
        try:
            rates = imported(text, base=base, target=target, zone=settings.zone, source=name, since=_day(since))
        except ValueError as error:
            raise BadRequest(f"{name}: {error}.") from error
        done = import_rates(connection, rates, name=name, actor=ACTOR, allow_leaps=allow_leaps)
        refused = bool(done.diff.refusals) and not allow_leaps
        if as_json:
            show_json(_as_json(done, dry_run=dry_run))
        else:
            _tell(done.diff)
        if refused or dry_run or done.version is None:
            if not as_json:
                typer.echo(_outcome(done, dry_run=dry_run, refused=refused))
                if done.version is not None:
                    look(connection, rate_scopes(done.diff, now=now, retention=settings.retention))
            connection.rollback()
        elif not as_json:
            typer.echo(_outcome(done, dry_run=False, refused=False))
            _, scopes = look(connection, rate_scopes(done.diff, now=now, retention=settings.retention))
            connection.commit()
            if reprice:
                apply_all(connection, scopes, settings.zone)
            for scope in () if reprice else scopes:
                typer.echo(
                    f"outlay reprice --currency {scope.currency} --from {scope.window.start:%Y-%m-%dT%H:%MZ} --apply"
                    " gives calls of the past these rates."
                )
    if refused:
        raise typer.Exit(1)


def _day(since: datetime | None) -> date | None:
    return None if since is None else since.date()


def _as_json(done: Any, *, dry_run: bool) -> dict[str, Any]:
    from outlay_collector.pricing.currencies.rates import as_json

    return {
        "version": None if dry_run else done.version,
        "added": done.diff.added,
        "changed": [{"old": as_json(old), "new": as_json(new)} for old, new in done.diff.changed],
        "currencies": done.diff.currencies,
        "from": done.diff.since,
        "refusals": done.diff.refusals,
    }


def _tell(diff: Any) -> None:
    show(
        [
            {"day": new.day, "currency": new.currency, "old": f"{old.rate:f}", "new": f"{new.rate:f}"}
            for old, new in diff.changed
        ],
        {"day": "day", "currency": "currency", "old": "was", "new": "becomes"},
        as_json=False,
        empty="No rate that is known changes.",
    )
    for said in diff.refusals:
        typer.secho(said, fg=typer.colors.YELLOW)


def _outcome(done: Any, *, dry_run: bool, refused: bool) -> str:
    said = (
        f"{done.diff.added:,} new, {len(done.diff.changed):,} changed rates of {len(done.diff.currencies)} currencies"
    )
    if refused:
        return f"Nothing was imported ({said}): look at the lines above, then say --allow-leaps if they are right."
    if done.version is None:
        return "Nothing changed: these rates are known already."
    if dry_run:
        return f"Would be imported: {said}. Of calls of the past:"
    return f"Version {done.version}: {said}. Undo it with outlay price undo {done.version}. Of calls of the past:"


@app.command("list")
def list_(
    currency: Annotated[str | None, typer.Argument(help="Every day of this one; without, the last of each.")] = None,
    as_json: AsJson = False,
) -> None:
    """List exchange rates into the instance's currency: the last of each, or every day of one."""
    from outlay_collector.pricing.currencies.rates import as_json as rate_as_json
    from outlay_collector.pricing.currencies.rates import latest
    from outlay_collector.pricing.currencies.store import rates
    from outlay_collector.pricing.store import newest_version

    with transaction() as connection:
        wanted = None if currency is None else [currency.upper()]
        found = rates(connection, newest_version(connection), currencies=wanted)
    show(
        [rate_as_json(row) for row in (latest(found) if currency is None else reversed(found))],
        {
            "currency": "one",
            "rate": "is",
            "target": "of",
            "day": "day",
            "used_until": "used until",
            "base": "by way of",
            "source": "source",
        },
        as_json=as_json,
        empty="No exchange rates are known; outlay price rates import FILE brings the ECB's or yours.",
    )
