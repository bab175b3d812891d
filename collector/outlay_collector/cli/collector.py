"""``outlay collector``."""

from __future__ import annotations

from typing import Annotated

import typer

from outlay_collector.cli.arguments import settings
from outlay_collector.cli.database import database

app = typer.Typer()


@app.command()
def collector(
    host: Annotated[str | None, typer.Option(help="Address to listen on [OUTLAY_HOST, else 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="OTLP over HTTP and the API [OUTLAY_PORT, else 4318].")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="OTLP over gRPC [OUTLAY_GRPC_PORT, else 4317].")] = None,
) -> None:
    """Run the collector: receives telemetry and answers the API, until it is told to stop."""
    from outlay_collector.serving import serve

    chosen = settings(host=host, port=port, grpc_port=grpc_port)
    with database(chosen) as url:
        serve(chosen.model_copy(update={"database_url": url}))
