"""``outlay demo``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from outlay_collector.demo.send import Keeps, Progress

app = typer.Typer()

_LINES = 6  # of progress, where there is no terminal to draw a bar on


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=0, max=390, help="Full days before today; today comes with them.")] = 30,
    endpoint: Annotated[
        str, typer.Option(envvar="OUTLAY_ENDPOINT", help="The collector's base URL.")
    ] = "http://127.0.0.1:4318",
    seed: Annotated[int, typer.Option(min=0, help="Another seed tells another month of the same company.")] = 1,
) -> None:
    """Send a believable company's telemetry to project demo, through the SDK like any application's.

    Running it again adds nothing, tomorrow only the new day. The key is OUTLAY_API_KEY; without it, one is made in the
    database of this machine (OUTLAY_DATABASE_URL, else the embedded one), with the project.
    """
    from outlay_collector.demo.send import send_demo

    with _key() as (api_key, keeps), _progress() as progress:
        sent = send_demo(
            endpoint=endpoint,
            api_key=api_key,
            days=days,
            seed=seed,
            progress=progress,
            keeps=keeps,
            key_is_ours=keeps is not None,
        )
    typer.echo(
        f"Project demo has {sent.calls:,} model calls ({sent.spans:,} spans) of {sent.days} days,"
        f" sent in {sent.seconds:.1f} s{f'; {sent.days_kept} further days were there' if sent.days_kept else ''}."
    )


@contextmanager
def _key() -> Iterator[tuple[str, Keeps | None]]:
    """The key to send with; beside a key of our own making also a look at what is there already."""
    if given := os.environ.get("OUTLAY_API_KEY"):
        yield given, None
        return
    from outlay_collector.cli.database import database
    from outlay_collector.db.engine import connect
    from outlay_collector.demo.send import PROJECT
    from outlay_collector.demo.store import demo_budgets, demo_key, is_there
    from outlay_collector.settings import Settings

    settings = Settings()
    with database(settings) as url, connect(url, autocommit=True, application="outlay-demo") as connection:
        with connection.transaction():
            key = demo_key(connection, PROJECT)
            demo_budgets(connection, PROJECT, currency=settings.currency, zone=settings.zone)
        yield key, lambda span: is_there(connection, PROJECT, span)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal, a few lines anywhere else."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        yield _said
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("Sending demo data"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days, {task.fields[calls]:,} calls"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("demo", total=None, calls=0)
        yield lambda done, total, calls: bar.update(task, completed=done, total=total, calls=calls)


def _said(done: int, total: int, calls: int) -> None:
    if done * _LINES // total != (done - 1) * _LINES // total:
        typer.echo(f"Sending demo data: {done} of {total} days, {calls:,} calls")
