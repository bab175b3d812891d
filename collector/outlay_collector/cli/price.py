"""``outlay price``: what calls cost, why, and how to correct it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from outlay_collector.cli import rates, volume
from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound, Unavailable
from outlay_collector.pricing import listing
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.diff import Changed, Diff
from outlay_collector.pricing.imports import Catalogue
from outlay_collector.pricing.quote import money, override_rows, quote
from outlay_collector.pricing.rows import PriceRow
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Show, quote, import and override prices.")

app.add_typer(rates.app, name="rates")
app.add_typer(volume.app, name="volume")

ACTOR = "outlay price"

Provider = Annotated[str | None, typer.Option("--provider", "-p", help="openai, anthropic, gcp.gemini, aws.bedrock …")]
Bundled = Annotated[
    bool, typer.Option("--bundled", help="Use the prices of this release instead of the database's; needs none.")
]


def _book(bundled: bool) -> Book:
    """The database's book where there is a database with prices; else what the release comes with."""
    settings = Settings()
    if not bundled and (settings.database_url or (settings.home / "postgres").is_dir()):
        from outlay_collector.db.revisions import current_revision
        from outlay_collector.pricing.store import load_book, newest_version

        with transaction(settings) as connection:
            if current_revision(connection) and newest_version(connection):
                return load_book(connection)
    from outlay_collector.pricing.bundled import default_book

    return default_book()


def _instant(text: str | None, option: str) -> datetime | None:
    """ISO 8601; without an offset it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise BadRequest(f"{option} {text!r} is no ISO 8601 time; use one such as 2026-11-21T00:00:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@app.command("list")
def list_(
    model: Annotated[str, typer.Argument(help="Part of a model's name.")] = "",
    provider: Provider = None,
    at: Annotated[str | None, typer.Option("--at", help="The instant whose prices hold; default now.")] = None,
    bundled: Bundled = False,
    as_json: AsJson = False,
) -> None:
    """List the prices that hold: one line per model, unit and tier."""
    instant = _instant(at, "--at") or datetime.now(UTC)
    show(
        [_as_row(row) for row in listing.listed(_book(bundled), provider=provider, part=model, at=instant)],
        {
            "provider": "provider",
            "model": "model",
            "unit": "unit",
            "tier": "tier",
            "context_over": "prompt over",
            "price": "price",
            "hours": "when",
            "layer": "layer",
        },
        as_json=as_json,
        empty="No price matches. outlay price list without a name lists all.",
    )


def _as_row(row: PriceRow) -> dict[str, Any]:
    """A row as JSON has it, with two columns for people."""
    said = listing.as_json(row)
    hours = "" if row.window is None else " ".join(str(value) for value in row.window.as_json().values())
    return {**said, "price": f"{said['amount']} {row.currency} / {row.per:,}", "hours": hours}


@app.command("show")
def show_(
    model: Annotated[str, typer.Argument(help="The model as your calls name it.")],
    provider: Provider = None,
    bundled: Bundled = False,
    as_json: AsJson = False,
) -> None:
    """Show what a name resolves to, and every price it ever had with its source."""
    book = _book(bundled)
    found = book.find(provider, model)
    rows = [_as_row(row) for row in listing.history(book, provider, model)]
    matches = [{"layer": row.layer, "provider": row.provider, "model": row.model, "note": row.note} for row in found]
    if as_json:
        show_json({"matches": matches, "prices": rows})
        return
    for match in matches:
        typer.echo(f"{match['layer']}: {match['provider']} {match['model']}{_in_brackets(match['note'])}")
    show(
        rows,
        {
            "layer": "layer",
            "unit": "unit",
            "tier": "tier",
            "context_over": "prompt over",
            "price": "price",
            "hours": "when",
            "valid_from": "from",
            "valid_to": "to",
            "source_url": "source",
        },
        as_json=False,
        empty=f"No price is known for {model!r}{_nearest(book, provider, model)}.",
    )


def _in_brackets(note: str | None) -> str:
    return f" ({note})" if note else ""


def _nearest(book: Book, provider: str | None, model: str) -> str:
    from outlay_collector.pricing.nearest import nearest

    found = nearest(book, provider, model)
    return f"; the nearest known name is {found[1]} of {found[0]}" if found else ""


@app.command("quote")
def quote_(
    file: Annotated[str, typer.Argument(help='Calls as JSON: a list, or {"cases": […]}; - reads standard input.')],
    bundled: Bundled = False,
) -> None:
    """Price the calls of a file and print the results as JSON, in the form of POST /api/v1/prices/quote."""
    raw = _json(file)
    cases = raw.get("cases") if isinstance(raw, Mapping) else raw
    if not isinstance(cases, list):
        raise BadRequest(f"{file} holds no list of cases.")
    show_json(quote(_book(bundled), cases))


def _json(file: str) -> Any:
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise BadRequest(f"{file} is no JSON: {error}.") from error


@app.command("import")
def import_(
    file: Annotated[
        str | None,
        typer.Argument(help="A genai-prices data.json to import; without one, what this release comes with."),
    ] = None,
    feed: Annotated[
        bool,
        typer.Option("--feed", help="Fetch genai-prices' live feed, as the worker does with OUTLAY_PRICE_FEED=true."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    allow_leaps: Annotated[
        bool, typer.Option("--allow-leaps", help="Accept changes of more than ten times, and providers that are gone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import list prices as a new version: a difference is shown, nothing is edited, and all of it can be undone."""
    from outlay_collector.pricing.store import import_catalogue

    if file and feed:
        raise BadRequest("Name a file or --feed, not both.")
    catalogue, kind = _catalogue(file, feed)
    with transaction() as connection:
        done = import_catalogue(
            connection,
            catalogue,
            kind=kind,
            actor=ACTOR,
            at=datetime.now(UTC),
            apply=not dry_run,
            allow_leaps=allow_leaps,
        )
    refused = bool(done.diff.refusals) and not allow_leaps and not dry_run
    if as_json:
        show_json(
            {
                "version": done.version,
                "refusals": done.diff.refusals,
                **done.diff.summary(),
                "changes": _changes(done.diff),
            }
        )
    else:
        _tell(done.diff)
        typer.echo(_outcome(done.version, done.diff, dry_run=dry_run, refused=refused))
    if refused:
        raise typer.Exit(1)


def _catalogue(file: str | None, feed: bool) -> tuple[Catalogue, str]:
    from outlay_collector.pricing.imports import bundled_catalogue, from_feed

    if not file and not feed:
        return bundled_catalogue(), "bundled"
    name = "genai-prices feed" if feed else str(file)
    try:
        return from_feed(_fetched() if feed else _json(str(file)), name=name), "feed" if feed else "file"
    except ValueError as error:
        raise BadRequest(f"{error}.") from error


def _fetched() -> Any:
    import httpx

    from outlay_collector.pricing.jobs import fetched

    try:
        return fetched(Settings().price_feed_url)
    except httpx.HTTPError as error:
        raise Unavailable(f"The feed cannot be fetched ({error}); a file can be carried in instead.") from error


def _changes(found: Diff) -> list[dict[str, Any]]:
    return [
        {"what": what, **_change(line)}
        for what, lines in (("added", found.added), ("changed", found.changed), ("ended", found.ended))
        for line in lines
    ]


def _change(line: Changed) -> dict[str, Any]:
    return {
        "provider": line.provider,
        "model": line.model,
        "unit": line.unit,
        "tier": line.tier,
        "context_over": line.context_over,
        "old": money(line.old),
        "new": money(line.new),
        "currency": line.currency,
        "per": line.per,
        "from": line.valid_from,
    }


def _tell(found: Diff) -> None:
    """Changed and ended prices one by one; new ones as a number, for there may be thousands."""
    rows = [row for row in _changes(found) if row["what"] != "added"]
    if rows:
        columns = ("what", "provider", "model", "unit", "tier", "context_over", "old", "new", "from")
        show(rows, {name: name.replace("_", " ") for name in columns}, as_json=False, empty="")
    for sentence in found.refusals:
        typer.secho(sentence, fg=typer.colors.YELLOW)


def _outcome(version: int | None, found: Diff, *, dry_run: bool, refused: bool) -> str:
    said = f"{len(found.added)} new, {len(found.changed)} changed, {len(found.ended)} ended prices"
    if refused:
        return f"Nothing was imported ({said}): look at the lines above, then say --allow-leaps if they are right."
    if dry_run:
        return f"Would be imported: {said}."
    if version is None:
        return "Nothing changed: these prices are known already."
    return f"Version {version}: {said}. Undo it with outlay price undo {version}."


@app.command()
def versions(as_json: AsJson = False) -> None:
    """List what changed the prices: imports, overrides and what was undone."""
    from outlay_collector.pricing import store

    with transaction() as connection:
        rows = store.versions(connection)
    show(
        rows,
        {"version": "version", "at": "at", "kind": "kind", "name": "name", "actor": "by", "undoes": "undoes"},
        as_json=as_json,
        empty="There are no prices yet: outlay migrate brings those of this release.",
    )


@app.command()
def undo(version: int) -> None:
    """Take a version of the prices back, as a new version."""
    from outlay_collector.pricing import store

    with transaction() as connection:
        made = store.undo(connection, version, actor=ACTOR)
    typer.echo(f"Version {made}: version {version} is undone. Calls keep their cost until outlay reprice.")


@app.command()
def override(
    model: Annotated[str, typer.Option("--model", "-m", help="Name or pattern with *.")],
    provider: Annotated[str, typer.Option("--provider", "-p", help="Name, or * for any.")] = "*",
    input: Annotated[str | None, typer.Option("--input", help="Per million input tokens.")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Per million output tokens.")] = None,
    cache_read: Annotated[
        str | None, typer.Option("--cache-read", help="Per million tokens read from a cache.")
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", help="UNIT=AMOUNT for any other unit, per its usual quantity; repeatable."),
    ] = None,
    discount: Annotated[str | None, typer.Option("--discount", help="Percent off list prices.")] = None,
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217.")] = "USD",
    tier: Annotated[str | None, typer.Option("--tier", help="Only in this tier; default in all.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First instant; default since ever.")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Instant after the last; default until further notice.")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only for this project.")] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", help="PROVIDER/MODEL whose list prices it has as of today; --input … go before them."),
    ] = None,
    file: Annotated[str | None, typer.Option("--file", help="Overrides as JSON instead of options.")] = None,
    reprice: Annotated[bool, typer.Option("--reprice", help="Give it to calls of the past, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would change.")] = False,
) -> None:
    """Enter a contract's rates or discount, or the price of a model nobody lists.

    What it changes of calls of the past is shown; with --reprice it is written in the same go.
    """
    rates = {"input": input, "output": output, "cache_read": cache_read, **dict(_rate(text) for text in rate or ())}
    said: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "valid_from": since,
        "valid_to": until,
        "rates_per_mtok": {unit: amount for unit, amount in rates.items() if amount is not None},
        "currency": currency.upper(),
        "tier": tier,
        "discount_percent": discount,
    }
    _enter(
        [said] if file is None else _json(file),
        project,
        f"{provider} {model}" if file is None else file,
        like=like,
        reprice=reprice,
        dry_run=dry_run,
    )


def _rate(text: str) -> tuple[str, str]:
    unit, separator, amount = text.partition("=")
    if not separator:
        raise BadRequest(f"--rate {text!r} is not of the form UNIT=AMOUNT, such as web_search=10.")
    return unit, amount


def _enter(
    overrides: Sequence[Mapping[str, Any]],
    project: str | None,
    name: str,
    *,
    like: str | None,
    reprice: bool,
    dry_run: bool,
) -> None:
    from outlay_collector.access.store import project_ids
    from outlay_collector.cli.reprice import apply_all, look
    from outlay_collector.pricing import store
    from outlay_collector.pricing.reprice.scope import override_scopes

    settings = Settings()
    with transaction(settings) as connection:
        known = project_ids(connection)
        if like is not None:
            overrides = [_with_rates_of(store.load_book(connection), like, one) for one in overrides]
        if project is not None and project not in known:
            raise NotFound(f"There is no project {project!r}; outlay project list names them.")
        try:
            models, prices, discounts = override_rows(overrides, known[project] if project is not None else None)
        except (AttributeError, TypeError, ValueError, InvalidOperation) as error:
            raise BadRequest(f"That is no override: {error}.") from error
        if not prices and not discounts:
            raise BadRequest("Nothing to enter: give --input, --output, --cache-read, --rate, --like or --discount.")
        version = store.add_own(connection, models=models, prices=prices, discounts=discounts, actor=ACTOR, name=name)
        typer.echo("Of calls of the past:")
        _, scopes = look(
            connection,
            override_scopes(
                overrides,
                now=datetime.now(UTC),
                retention=settings.retention,
                project_id=known[project] if project is not None else None,
            ),
        )
        if dry_run:
            connection.rollback()
            typer.echo("Nothing was written.")
            return
        connection.commit()
        typer.echo(f"Version {version}. Calls from now on use it. Undo it with outlay price undo {version}.")
        if reprice:
            apply_all(connection, scopes, settings.zone)
        elif scopes:
            typer.echo("outlay reprice --from … --apply gives it to calls of the past, as --reprice would have.")


def _with_rates_of(book: Book, like: str, override: Mapping[str, Any]) -> dict[str, Any]:
    """An override with today's list prices of another model, which somebody chose; its own rates go before them."""
    provider, _, model = like.partition("/")
    rates, currency = listing.simple_rates(book, provider, model, at=datetime.now(UTC))
    if not rates:
        raise NotFound(f"No price is known for {like!r}{_nearest(book, provider, model)}; write it as PROVIDER/MODEL.")
    own = override.get("rates_per_mtok") or {}
    return {**override, "rates_per_mtok": {**rates, **own}, "currency": currency, "source_url": f"like {like}"}


@app.command("coverage")
def coverage_(
    project: Annotated[str | None, typer.Option("--project", help="Only this project; default all.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show how many calls and tokens have a price, and what would give the others one."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.ledger.buckets import Window
    from outlay_collector.ledger.reads import store as sums
    from outlay_collector.ledger.reads.question import Question
    from outlay_collector.pricing.coverage import as_json as coverage_as_json
    from outlay_collector.pricing.coverage import coverage
    from outlay_collector.pricing.store import load_book

    settings, now = Settings(), datetime.now(UTC)
    with transaction(settings) as connection:
        ids = project_ids(connection)
        if project is not None and project not in ids:
            raise NotFound(f"There is no project {project!r}; outlay project list names them.")
        question = Question(
            project_ids=tuple(ids.values() if project is None else [ids[project]]),
            window=Window(now - timedelta(days=days), now),
            group_by=("provider", "model"),
        )
        rows = sums.spend(connection, question, sums.plan(connection, question, settings.zone, now), settings.time_zone)
        found = coverage_as_json(coverage(load_book(connection), rows, at=now))
    if as_json:
        show_json(found)
        return
    typer.echo(
        f"{found['calls'] - found['unpriced_calls']:,} of {found['calls']:,} calls and"
        f" {found['tokens'] - found['unpriced_tokens']:,} of {found['tokens']:,} tokens of the last {days} days have a price."
    )
    if found["estimates"]:
        at_stake = ", ".join(f"{cost} {currency}" for currency, cost in found["estimates"].items())
        typer.echo(f"The others would cost about {at_stake} as the nearest known models; that is in no total.")
    show(
        [{**row, "do": _what_to_do(row)} for row in found["rows"]],
        {
            "provider": "provider",
            "model": "model",
            "unpriced_calls": "calls",
            "unpriced_tokens": "tokens",
            "do": "what to do",
        },
        as_json=False,
        empty="Nothing is without a price.",
    )


def _what_to_do(row: Mapping[str, Any]) -> str:
    if row["priced_by_now"]:
        return f"known by now: {row['command']}"
    near = row["nearest"]
    at_stake = f", about {row['estimate']} {row['currency']} as that" if row["estimate"] else ""
    if near:
        return f"{row['command_like']} ({near['model']} is the nearest known{at_stake}), or with rates of its own"
    return row["command"]
