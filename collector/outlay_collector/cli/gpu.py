"""``outlay gpu``: GPUs of one's own, what they cost, and whether they pay."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
import yaml

from outlay_collector.cli.database import transaction
from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.gpu.answers import break_even_answer, rate_row
from outlay_collector.gpu.breakeven import ApiPrice, Fleet
from outlay_collector.gpu.declared import declared
from outlay_collector.gpu.rates import GpuRate, defaults
from outlay_collector.gpu.sizing import SHAPES, Shape, Step, Wanted, gpu_named, shape_of
from outlay_collector.gpu.sizing import size as sized
from outlay_collector.gpu.versus import api_price
from outlay_collector.settings import Settings

ACTOR = "outlay gpu"

app = typer.Typer(no_args_is_help=True, help="GPUs and models of your own: what they cost, and whether they pay.")


@app.callback()
def gpu() -> None:
    """A group, however many commands it has."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Pools and targets in YAML or JSON; - reads standard input.")],
) -> None:
    """Make pools as a file declares them: GPUs and hours, rates, models served, jobs, targets. Safe to repeat."""
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadRequest(f"{file} is no YAML: {error}.") from error
    from outlay_collector.access import store as access
    from outlay_collector.gpu import store

    with transaction() as connection:
        names = store.apply(connection, declared(raw), project_ids=access.project_ids(connection), actor=ACTOR)
        access.note(connection, ACTOR, "gpu.applied", ", ".join(names)[:200])
    typer.echo(f"Declared: {', '.join(names) or 'targets'}. outlay worker allocates their hours.")


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {error}.") from error


@app.command()
def targets(as_json: AsJson = False) -> None:
    """List what tells of GPUs and engines: scraped or sending, when it was last read, and why not."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.gpu import store

    with transaction() as connection:
        rows = store.targets(connection, list(project_ids(connection).values()))
    columns = {"name": "target", "way": "way", "url": "url", "pool": "pool", "last_at": "last read", "error": "error"}
    show(rows, columns, as_json=as_json, empty="There is no target. outlay gpu apply FILE adds those to scrape.")


@app.command()
def rates(
    set_: Annotated[
        str | None, typer.Option("--set", help="GPU=AMOUNT: what one such GPU costs an hour, such as H100=2.49.")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="From then on (UTC); else always.")] = None,
    currency: Annotated[str, typer.Option(help="Of the amount.")] = "USD",
    kind: Annotated[str, typer.Option(help="on_demand, reserved or owned.")] = "on_demand",
    source: Annotated[str, typer.Option(help="Where the amount comes from.")] = ACTOR,
    as_json: AsJson = False,
) -> None:
    """List what a GPU's hour costs, list prices included where nothing was set; or set it."""
    from outlay_collector.access import store as access
    from outlay_collector.gpu import store

    with transaction() as connection:
        if set_ is not None:
            store.set_rate(connection, _rate(set_, since, currency, kind, source), actor=ACTOR)
            access.note(connection, ACTOR, "gpu.rate", set_[:200])
        names = store.pool_names(connection)
        rows = [rate_row(rate, names) | {"is_default": False} for rate in store.rates(connection)]
    rows += [
        {
            "pool": None, "gpu": one.gpu, "kind": "on_demand", "amount": one.amount, "currency": "USD", "valid_from": None,
            "valid_to": None, "source": f"default: {one.source}, {one.as_of}", "is_default": True,
        }
        for one in defaults()
    ]  # fmt: skip
    columns = {"pool": "pool", "gpu": "GPU", "kind": "kind", "amount": "per hour", "currency": "", "valid_from": "from",
               "valid_to": "to", "source": "source"}  # fmt: skip
    show(rows, columns, as_json=as_json, empty="")
    if not as_json:
        typer.echo("Defaults are list prices, never a quote: set yours with --set, or in the file of outlay gpu apply.")


def _rate(text: str, since: datetime | None, currency: str, kind: str, source: str) -> GpuRate:
    gpu, _, amount = text.rpartition("=")
    try:
        money = Decimal(amount)
    except InvalidOperation:
        money = Decimal("NaN")
    if not gpu or not money.is_finite() or money < 0:
        raise BadRequest(f"{text!r:.60} is no rate; write GPU=AMOUNT, such as H100=2.49.")
    if kind not in ("on_demand", "reserved", "owned") or len(currency) != 3:
        raise BadRequest("A rate is on_demand, reserved or owned, and its currency has three letters.")
    at = None if since is None else since.replace(tzinfo=UTC)
    return GpuRate(gpu=gpu, kind=kind, amount=money, currency=currency.upper(), valid_from=at, source=source)


@app.command()
def breakeven(
    pool: Annotated[str, typer.Argument(help="The pool to compare.")],
    model: Annotated[str | None, typer.Option(help="An API model of the price book, such as gpt-4o-mini.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who sells it, where the name does not say.")] = None,
    prompt_price: Annotated[float | None, typer.Option(help="Instead of a model: per million prompt tokens.")] = None,
    output_price: Annotated[float | None, typer.Option(help="Per million output tokens.")] = None,
    cached_price: Annotated[float | None, typer.Option(help="Per million cached prompt tokens.")] = None,
    days: Annotated[int, typer.Option(help="How far back the pool is looked at.")] = 30,
    overhead: Annotated[float, typer.Option(help="Storage, hosts, people: 0.2 is a fifth on top.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Compare a pool with an API, at the mix, cost and throughput it had; and say when the API becomes the dearer one."""
    from outlay_collector.access.store import project_ids
    from outlay_collector.gpu import store
    from outlay_collector.gpu.reads import store as reads
    from outlay_collector.pricing.store import load_book

    settings = Settings()
    end = datetime.now(UTC)
    start = end - timedelta(days=days)
    with transaction(settings) as connection:
        pool_id = store.pool_of(connection, pool, list(project_ids(connection).values()))
        fleet = None if pool_id is None else reads.fleet_of(connection, pool_id, start, end)
        if pool_id is None or fleet is None:
            raise NotFound(f"{pool!r:.100} is no pool with windows allocated in the last {days} days.")
        if model is not None:
            price = api_price(load_book(connection), provider, model, end)
        elif prompt_price is not None and output_price is not None:
            cached = None if cached_price is None else Decimal(str(cached_price))
            price = ApiPrice(prompt=Decimal(str(prompt_price)), output=Decimal(str(output_price)), cached=cached)
        else:
            raise BadRequest("Name an API model with --model, or its prices with --prompt-price and --output-price.")
        answer = break_even_answer(
            reads.mix(connection, pool, start, end),
            price,
            Fleet(
                per_hour=fleet[0],
                gpus=fleet[1],
                tokens_per_second=reads.sustained(connection, pool_id, start, end),
                overhead=Decimal(str(overhead)),
            ),
            by_day=reads.tokens_by_day(connection, pool, start, end),
            today=end.astimezone(settings.zone).date(),
            currency=settings.currency,
        )
    if as_json:
        show_json(answer)
        return
    own, api, even = answer["own"], answer["api"], answer["break_even"]
    unknown = "not known"
    rows = [
        {"what": f"{pool}, a month", "is": f"{own['per_month']} {answer['currency']}"},
        {"what": "the same calls by the API, a month", "is": f"{api['per_month']} {answer['currency']}"},
        {"what": "API, per million tokens at this mix", "is": api["blended"]},
        {"what": "break-even, tokens a month", "is": even["tokens_per_month"] or unknown},
        {"what": "break-even, of what the pool sustains", "is": even["utilization"] or unknown},
        {"what": "used now, of what the pool sustains", "is": own["utilization"] or unknown},
        {"what": "a GPU's hour may cost", "is": even["gpu_hour"] or unknown},
        {"what": "at today's growth it pays from", "is": even["crosses_on"] or "not within ten years"},
    ]
    show(rows, {"what": "", "is": ""}, as_json=False, empty="")
    typer.echo(answer["formula"])


@app.command()
def size(
    model: Annotated[
        str, typer.Argument(help="A model this knows (llama-3-70b, deepseek-v3 …), or any name with --config.")
    ],
    gpu: Annotated[str, typer.Option(help="Such as H100, L4, A100-80GB.")] = "H100",
    gpus: Annotated[int, typer.Option(help="How many, as one tensor-parallel engine.")] = 1,
    dtype: Annotated[str, typer.Option(help="Of the weights: bf16, fp8, int4 …")] = "bf16",
    kv_dtype: Annotated[str, typer.Option(help="Of the KV cache.")] = "bf16",
    context: Annotated[int, typer.Option(help="Tokens of a sequence, prompt and answer together.")] = 8192,
    concurrency: Annotated[int | None, typer.Option(help="Sequences at once for the bounds on speed.")] = None,
    utilization: Annotated[float, typer.Option(help="Of the memory that the engine may take.")] = 0.9,
    runtime_gib: Annotated[float, typer.Option(help="Per GPU, for context, graphs and activations.")] = 2.0,
    overhead: Annotated[float, typer.Option(help="On the weights, for scales of quantisation: 0.05 is 5 %.")] = 0.0,
    memory_gib: Annotated[
        float | None, typer.Option(help="Of a GPU, as its driver says, instead of the table.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The model's config.json from Hugging Face.")] = None,
    params: Annotated[float | None, typer.Option(help="All parameters, in billions; with --config.")] = None,
    active: Annotated[float, typer.Option(help="Parameters a token goes through, in billions; with --config.")] = 0,
    as_json: AsJson = False,
) -> None:
    """How much memory a model needs, how many sequences fit, and how fast it can be at best; with every formula."""
    part = gpu_named(gpu)
    if memory_gib is not None:
        part = replace(part, memory_gib=_exact(memory_gib))
    shape = _shape(model, config, params, active)
    found = sized(
        Wanted(
            shape=shape,
            gpu=part,
            gpus=gpus,
            dtype=dtype,
            kv_dtype=kv_dtype,
            overhead=_exact(overhead),
            context=context,
            concurrency=concurrency,
            utilization=_exact(utilization),
            runtime_gib=_exact(runtime_gib),
        )
    )
    if as_json:
        show_json(
            {
                "model": shape.name,
                "gpu": part.name,
                "gpus": gpus,
                "fits": found.fits,
                "sequences": found.sequences,
                "decode_tokens_per_second_at_most": found.decode_tokens_per_second,
                "prefill_tokens_per_second_at_most": found.prefill_tokens_per_second,
                "steps": [
                    {"what": step.what, "formula": step.formula, "value": float(step.value), "unit": step.unit}
                    for step in found.steps
                ],
            }
        )
        return

    def shown(step: Step) -> str:
        if step.unit == "B":
            return f"{float(step.value) / 2**30:,.2f} GiB" if abs(step.value) >= 2**20 else f"{int(step.value):,} B"
        return (
            f"{float(step.value):,.2f} {step.unit}" if step.unit == "ms" else f"{int(step.value):,} {step.unit}".strip()
        )

    typer.echo(f"{shape.name} as {dtype} on {gpus} × {part.name}")
    show(
        [{"what": step.what, "is": shown(step), "how": step.formula} for step in found.steps],
        {"what": "", "is": "is", "how": "because"},
        as_json=False,
        empty="",
    )
    typer.echo(
        "Bounds are bounds: no engine is faster, most reach half of them."
        if found.fits
        else "It does not fit: take more or larger GPUs, a smaller type, or a shorter context."
    )


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def _shape(model: str, config: Path | None, params: float | None, active: float) -> Shape:
    if config is None:
        known = SHAPES.get(model.lower())
        if known is None:
            raise BadRequest(
                f"{model!r:.60} is no model this knows ({', '.join(SHAPES)}); "
                "give its config.json with --config and its parameters with --params."
            )
        return known
    if params is None:
        raise BadRequest("With --config, say how many parameters the model has: --params 70.6 (billions).")
    try:
        read = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"{config} cannot be read as JSON: {error}.") from error
    billion = 10**9
    return shape_of(read, name=model, params=int(_exact(params) * billion), active_params=int(_exact(active) * billion))
