"""Whether a port is free: tried exclusively, because servers that share a port would not notice each other."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from outlay_collector.errors import NotReady


def claim(ports: Mapping[str, int]) -> dict[str, int]:
    """The ports to use, by option name (``{"--port": 4318}``); 0 becomes a free one.

    NotReady, naming option and port, when another program has it or two options ask for the same. All are held until
    all are chosen, and then let go for the servers to take.
    """
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for option, port in ports.items():
            if port and port in chosen.values():
                raise NotReady(f"Port {port} is given twice: {option} needs one of its own.")
            held.append(_bound(option, port))
            chosen[option] = held[-1].getsockname()[1]
        return chosen
    finally:
        for probe in held:
            probe.close()


def _bound(option: str, port: int) -> socket.socket:
    probe = socket.socket()
    # Connections of an earlier run may still be in TIME_WAIT; a listening program is refused all the same.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        probe.listen(1)
    except OSError as error:
        probe.close()
        if isinstance(error, PermissionError):
            raise NotReady(f"Port {port} is reserved for root: choose another with {option}.") from error
        raise NotReady(
            f"Port {port} is in use by another program: stop that, or choose another with {option}."
        ) from error
    return probe
