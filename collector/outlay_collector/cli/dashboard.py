"""``outlay dashboard``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run the dashboard. It asks the collector at OUTLAY_ENDPOINT with OUTLAY_API_KEY."""
    from outlay_dashboard.run import command_line

    command = command_line(port=port, address=address)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell
