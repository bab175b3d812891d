"""``outlay up``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outlay_collector.cli.arguments import settings

app = typer.Typer()


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Also send demo data, to project demo.")] = False,
    home: Annotated[Path | None, typer.Option(help="Where its data are [OUTLAY_HOME, else your data folder].")] = None,
    port: Annotated[int | None, typer.Option(help="OTLP over HTTP and the API [OUTLAY_PORT, else 4318].")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="OTLP over gRPC [OUTLAY_GRPC_PORT, else 4317].")] = None,
    dashboard_port: Annotated[int, typer.Option(min=0, max=65_535, help="The dashboard.")] = 8501,
) -> None:
    """Run everything on this machine, for this machine: it listens on loopback only.

    Database (unless OUTLAY_DATABASE_URL is set), collector, worker and dashboard, until Ctrl-C. A port of 0 means any
    that is free.
    """
    from outlay_collector.up.app import up as run

    run(settings(home=home, port=port, grpc_port=grpc_port), dashboard_port=dashboard_port, demo=demo)
