"""``outlay gpu``: GPUs of one's own, what they cost, and whether they pay."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from outlay_collector.cli.output import AsJson, show, show_json
from outlay_collector.errors import BadRequest
from outlay_collector.gpu.sizing import SHAPES, Shape, Step, Wanted, gpu_named, shape_of
from outlay_collector.gpu.sizing import size as sized

app = typer.Typer(no_args_is_help=True, help="GPUs and models of your own: what they cost, and whether they pay.")


@app.callback()
def gpu() -> None:
    """A group, however many commands it has."""


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
