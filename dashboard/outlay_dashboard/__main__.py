"""``python -m outlay_dashboard [--port 8501]``: the dashboard on its own, until interrupted."""

from __future__ import annotations

import argparse
import os
import sys

from outlay_dashboard.run import command_line


def main() -> None:
    parser = argparse.ArgumentParser(prog="outlay_dashboard", description="Outlay's dashboard.")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--address", default="127.0.0.1")
    chosen = parser.parse_args()
    command = command_line(port=chosen.port, address=chosen.address)
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, our own arguments, no shell


if __name__ == "__main__":
    main()
