"""``outlay explain``: from the reported usage to the rate's source, line by line."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.settings import Settings

app = typer.Typer()


@app.command()
def explain(
    trace_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.")],
    span_id: Annotated[str, typer.Argument(help="16 hexadecimal digits.")],
    as_json: AsJson = False,
) -> None:
    """Show how a call's charge came about: usage, buckets, rates, lines, total, and each rate's source."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.calls.reads.explain import explained
    from outlay_collector.calls.reads.shape import shown, span_number
    from outlay_collector.calls.reads.store import call
    from outlay_collector.pricing.currencies.store import rate
    from outlay_collector.pricing.store import load_book

    try:
        trace, span = UUID(trace_id), span_number(span_id)
    except ValueError as error:
        raise BadRequest("A trace id has 32 hexadecimal digits and a span id 16; the trace view shows both.") from error
    settings = Settings()
    with transaction(settings) as connection:
        row = call(connection, list(project_ids(connection).values()), trace, span)
        if row is None:
            raise NotFound(f"There is no span {span_id} in trace {trace_id}.")
        found = shown(row, currency=settings.currency)
        explanation = explained(row, load_book(connection))
        fx_rate = None if row["fx_rate_id"] is None else rate(connection, row["fx_rate_id"])
    if as_json:
        show_json(found | {"explain": explanation})
        return
    _print(found, explanation, fx_rate)


def _print(call: dict[str, Any], explanation: dict[str, Any] | None, fx_rate: Any) -> None:
    from outlay_collector.pricing.currencies.rates import sentence

    typer.echo(
        f"{call['name']}: {call['provider'] or 'unknown provider'}, {call['model'] or 'unknown model'}, {call['start_time']}"
    )
    usage = ", ".join(f"{name} {count}" for name, count in call["usage"].items() if count is not None)
    typer.echo(f"Usage ({call['usage_source']}): {usage or 'none'}")
    if not call["counted"]:
        typer.echo(f"Not counted: {call['not_counted_reason']}")
    if explanation is None:
        typer.echo("Nothing is charged: no usage is known.")
        return
    show(
        explanation["lines"],
        {
            "bucket": "bucket",
            "quantity": "quantity",
            "amount": "rate",
            "per": "per",
            "cost": "cost",
            "currency": "currency",
            "source_url": "source",
        },
        as_json=False,
        empty="There is no line.",
    )
    cost = call["cost"]
    typer.echo(
        f"Total: {cost + ' ' + call['currency'] if cost is not None else 'not priced'} ({call['charge_status']})"
    )
    if call["fx_rate_id"] is not None and fx_rate is not None:
        typer.echo(f"Converted from {call['charge_cost']} {call['charge_currency']}: {sentence(fx_rate)}")
    if explanation["cost"] != cost:
        now = explanation["cost"] or "not priced"
        typer.echo(
            f"By today's price book it would be {now}; the charge was made under version {call['price_version']}."
        )
    if explanation["reason"]:
        typer.echo(explanation["reason"])
