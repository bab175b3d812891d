"""1,000 engines scraped every 15 seconds by one worker: how many scrapes were made, and what they cost.

Every engine answers with the whole metrics page of a real vLLM (52 kB), from processes of this benchmark, so that the
machine also does their part.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import psutil
from outlay_collector.access.store import project_ids
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.gpu import store
from outlay_collector.gpu.declared import declared
from outlay_collector.up.store import prepare

from tests.servers import Running, ended, family, free_port, wait_until

PAGE = Path(__file__).resolve().parents[1] / "tests" / "gpu_samples" / "vllm_v1_idle_2026-03.txt"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--engines", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=75)
    given = parser.parse_args()
    port = free_port()
    serving = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    serving.start()
    home = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home, bound=True) as url:
            prepare(url)
            _declare(url, port, given.engines, given.interval)
            worker = Running("worker", env={"OUTLAY_DATABASE_URL": url}, log=home / "worker.log")
            with ended(worker):
                wait_until(lambda: _samples(url) >= given.engines, seconds=120)
                _measure(url, worker, given.seconds, given.engines / given.interval)
    finally:
        serving.terminate()


def _serve(port: int) -> None:
    body = PAGE.read_bytes()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    asyncio.run(forever())


def _declare(url: str, port: int, engines: int, interval: int) -> None:
    targets = [
        {"name": f"vllm-{n}", "url": f"http://127.0.0.1:{port}/{n}/metrics", "interval": interval}
        for n in range(engines)
    ]
    with connect(url) as connection:
        store.apply(connection, declared({"targets": targets}), project_ids=project_ids(connection), actor="bench")


def _samples(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM engine_sample").fetchone()
    return row[0] if row else 0


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _measure(url: str, worker: Running, seconds: int, wanted: float) -> None:
    processes = family(worker.pid)
    before, began, cpu = _samples(url), time.monotonic(), _cpu(processes)
    time.sleep(seconds)
    made, elapsed, used = _samples(url) - before, time.monotonic() - began, _cpu(processes) - cpu
    with connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE error IS NOT NULL), max(now() - at) FROM gpu_target_state"
        ).fetchone()
    assert row is not None
    failed, oldest = row
    print(f"{made / elapsed:.1f} scrapes a second of {wanted:.1f} wanted ({os.cpu_count()} cores)")
    print(f"{used / elapsed * 100:.0f} % of a core in the worker, {used / max(made, 1) * 1000:.2f} ms a scrape")
    print(f"{failed} targets with an error, the longest unread for {oldest.total_seconds():.0f} s")


if __name__ == "__main__":
    main()
