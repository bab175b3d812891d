"""``outlay dashboard``."""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated

import typer

from outlay_collector.errors import BadRequest, Forbidden

app = typer.Typer()


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    base_path: Annotated[str, typer.Option(help="Path below which a proxy serves it, such as cost.")] = "",
    login_in_front: Annotated[
        bool, typer.Option(help="Nobody reaches it without a login that is in front of it; needed off this machine.")
    ] = False,
) -> None:
    """Run the dashboard. It asks the collector at OUTLAY_ENDPOINT: with OUTLAY_API_KEY, or as whoever has logged in."""
    from outlay_dashboard.run import command_line, login_file

    try:
        login = login_file(os.environ)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if login is None and not login_in_front and not _is_of_this_machine(address):
        raise Forbidden(
            f"On {address} whoever finds the dashboard would read all that its API key may see. Let people log in "
            "(OUTLAY_OIDC_ISSUER), put a login in front of it and say so with --login-in-front, or leave it on 127.0.0.1."
        )
    command = command_line(port=port, address=address, base_path=base_path, login=login)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


def _is_of_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"
