"""The command: finds GPUs, says clearly when there are none, and sends until it is stopped."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from importlib import import_module
from typing import Any

from outlay.configuration import InvalidConfiguration, resolve
from outlay.gpu.agent import run
from outlay.gpu.reading import Reader
from outlay.transport import Transport

NO_GPU, NO_BINDING, BAD_SETTING = 3, 4, 2
"""Exit codes: no GPU or no driver; ``outlay[gpu]`` is not installed; a setting that cannot work."""

AGAIN_SECONDS = 30.0
"""Between two looks for GPUs, with ``--wait``."""


def main(arguments: list[str] | None = None, nvml: Any = None) -> int:
    """The exit code. ``nvml`` stands for the module ``pynvml`` where that is not to be imported."""
    given = _arguments(arguments)
    try:
        configuration = resolve(os.environ, endpoint=given.endpoint, api_key=given.api_key)
    except InvalidConfiguration as error:
        return _fail(BAD_SETTING, str(error))
    if nvml is None:
        try:
            nvml = import_module("pynvml")
        except ImportError:
            return _fail(NO_BINDING, "the bindings to NVIDIA's library are missing: pip install 'outlay[gpu]'")
    stop = threading.Event()

    def ended(number: int, frame: object) -> None:
        del number, frame
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ended)
    why = _start(nvml)
    while why and given.wait and not stop.wait(AGAIN_SECONDS):
        why = _start(nvml)
    if why:
        return _fail(NO_GPU, f"{why}; gpu.discovered=0. With --wait it looks again every {AGAIN_SECONDS:.0f} s.")
    transport = Transport(configuration)
    host = socket.gethostname()
    said: set[str] = set()

    def send(body: bytes) -> None:
        answer = transport.send("metrics", body, configuration.timeout)
        if answer.outcome != "delivered" and answer.reason not in said:
            said.add(answer.reason)
            print(f"outlay.gpu: {configuration.endpoint} took no metrics: {answer.reason}", file=sys.stderr)  # noqa: T201

    reader = Reader(nvml)
    print(f"outlay.gpu: {nvml.nvmlDeviceGetCount()} GPUs, to {configuration.endpoint}", file=sys.stderr)  # noqa: T201
    try:
        run(
            reader.read,
            send,
            target=given.target or host,
            host=host,
            sample=given.sample,
            interval=given.interval,
            wait=stop.wait,
        )
    finally:
        transport.close()
        nvml.nvmlShutdown()
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m outlay.gpu", description="Send readings of NVIDIA GPUs to Outlay.")
    parser.add_argument("--endpoint", help="The collector [OUTLAY_ENDPOINT].")
    parser.add_argument("--api-key", help="A key with scope ingest [OUTLAY_API_KEY].")
    parser.add_argument("--target", help="The name these GPUs are known by; else the host's.")
    parser.add_argument("--sample", type=float, default=1.0, help="Seconds between readings.")
    parser.add_argument("--interval", type=float, default=15.0, help="Seconds between requests; means are sent.")
    parser.add_argument("--wait", action="store_true", help="Without a GPU, look again instead of ending.")
    return parser.parse_args(arguments)


def _start(nvml: Any) -> str:
    """Why there is nothing to read; empty when there is."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return f"no NVIDIA driver answers ({error})"
    if not nvml.nvmlDeviceGetCount():
        nvml.nvmlShutdown()
        return "the NVIDIA driver knows no GPU"
    return ""


def _fail(code: int, why: str) -> int:
    print(f"outlay.gpu: {why}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
