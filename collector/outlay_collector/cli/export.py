"""``outlay export``: what was spent, as files for other tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from outlay_collector.cli.database import transaction
from outlay_collector.errors import BadRequest
from outlay_collector.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Write what was spent as files for other tools.")


@app.callback()
def export() -> None:
    """Write what was spent as files for other tools."""


@app.command()
def focus(
    month: Annotated[str, typer.Option("--month", help="Such as 2026-10, in the instance's time zone.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file: .csv or .parquet.")],
    project: Annotated[str | None, typer.Option("--project", help="One project; default all.")] = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help="dimension:value, dimension!:value, dimension:*")
    ] = None,
) -> None:
    """Write a month's booked costs in FOCUS 1.2, and beside it FILE.metadata.json, which says what is in it."""
    from outlay_collector.access.store import project_id, project_ids
    from outlay_collector.export import store
    from outlay_collector.export.columns import DEFAULT_VERSION
    from outlay_collector.export.files import FORMATS, written
    from outlay_collector.ledger.reads.question import parse_filters

    kind = output.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise BadRequest(f"{output} should end in .csv or .parquet: the ending chooses the format.")
    settings, version = Settings(), DEFAULT_VERSION
    with transaction(settings) as connection:
        known = {number: name for name, number in project_ids(connection).items()}
        if project is not None:
            wanted = project_id(connection, project)
            known = {wanted: known[wanted]}
        made = store.focus(
            connection,
            month,
            projects=known,
            filters=parse_filters(filters or ()),
            zone=settings.zone,
            currency=settings.currency,
        )
        said = store.metadata(connection, made, version=version, project_ids=tuple(known), now=datetime.now(UTC))
    output.write_bytes(written(made.sorted_rows(), kind, version))
    beside = output.with_name(output.name + ".metadata.json")
    beside.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(
        f"{output}: {said['rows']} rows, {said['billed_cost']} {settings.currency} (FOCUS {version}); {beside.name}"
    )
    if said["unpriced_rows"]:
        typer.echo(
            f"{said['unpriced_rows']} rows have a quantity and no known price (x_Unpriced); outlay price coverage names them."
        )
