"""What observing a call costs its caller, beside a hand-written OpenTelemetry span with the same twelve attributes.

    python -m benchmarks.sdk_overhead [--quick] [--no-peers] [--json FILE]      (make bench-sdk)

Every contender runs in its own process against the same local sink; contenders are interleaved within a round, and only
ratios to the OpenTelemetry span of the same round are judged, because other work on the machine moves every absolute
figure. The products we are compared with are installed into environments of their own (``--no-peers`` leaves them out);
what cannot be installed is named. Weave is left out: without its server it is measured only by taking it apart.

The function takes a model, two messages (0.8 KB) and a temperature, and returns a pydantic ``ChatCompletion`` with usage.
CPU per call is the whole process, background encoding and export included. Bursts of 400 calls with an untimed flush
between them: latencies are those of calls that come while the exporter may be working on earlier ones.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time

from benchmarks._sdk.call import REQUEST
from benchmarks._sdk.contenders import CONTENDERS, RECORDS_CLIENTS, record_clients
from benchmarks._sdk.environments import python_of, version_of
from benchmarks._sdk.sink import sink

# (measure, unit, target as a ratio to the OpenTelemetry span or an absolute limit)
TARGETS = {"client": 1.1, "p50": 1.0, "p99": 1.0, "cpu": 1.0, "import_cpu": 0.5, "rss_growth": 15.0, "exit": 2.0}
PACKAGES = {"otel": "opentelemetry-sdk", "outlay": "outlay"}
LONGEST_EXIT = 90  # seconds; who takes longer is ended
PEERS_SHARE = 5  # peers are measured over so many times fewer calls: some take milliseconds each


# One measurement, in a process of its own


def measure(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Latency and CPU of ``calls`` calls in bursts; microseconds."""
    call, flush = CONTENDERS[name].make(endpoint)
    for _ in range(300):
        call(**REQUEST)
    flush()
    gc.collect()
    latencies: list[int] = []
    clock, cpu, burst = time.perf_counter_ns, 0.0, 400
    for _ in range(calls // burst):
        started = time.process_time()
        for _ in range(burst):
            before = clock()
            call(**REQUEST)
            latencies.append(clock() - before)
        flush()
        cpu += time.process_time() - started
    latencies.sort()
    return {
        "p50": latencies[len(latencies) // 2] / 1e3,
        "p99": latencies[int(len(latencies) * 0.99)] / 1e3,
        "cpu": cpu / len(latencies) * 1e6,
    }


def measure_memory(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Growth of the resident set over ``calls`` flushed calls; MiB."""
    call, flush = CONTENDERS[name].make(endpoint)
    for _ in range(2_000):
        call(**REQUEST)
    flush()
    gc.collect()
    before = resident()
    for _ in range(calls // 400):
        for _ in range(400):
            call(**REQUEST)
        flush()
    gc.collect()
    return {"rss_growth": resident() - before}


def measure_exit(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Ten thousand calls to a collector that is not there; the parent times the rest of the process's life."""
    call, _ = CONTENDERS[name].make(endpoint)
    for _ in range(calls):
        call(**REQUEST)
    return {"ended": time.time()}


def measure_client(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Median latency of a real OpenAI client's call over loopback; ``bare`` has nothing around it. Microseconds."""
    import openai

    record_clients(name, endpoint)
    client = openai.OpenAI(base_url=f"{endpoint}/v1", api_key="x", max_retries=0)
    latencies: list[int] = []
    for number in range(calls + 50):
        before = time.perf_counter_ns()
        client.chat.completions.create(**REQUEST)  # type: ignore[call-overload]
        if number >= 50:
            latencies.append(time.perf_counter_ns() - before)
    return {"client": statistics.median(latencies) / 1e3}


def resident() -> float:
    """MiB of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


MODES = {"latency": measure, "memory": measure_memory, "exit": measure_exit, "client": measure_client}


# The parent


def child(python: str, name: str, mode: str, endpoint: str, calls: int) -> dict[str, float] | None:
    """One measurement in a fresh process of an environment; None if it fails or takes too long."""
    command = [python, "-W", "ignore", "-m", "benchmarks.sdk_overhead", "--child", name, mode, endpoint, str(calls)]
    limit = LONGEST_EXIT if mode == "exit" else 300
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name}, {mode}: not done after {limit} s", file=sys.stderr)
        return None
    now = time.time()
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"')]
    if not lines:
        print(f"{name}, {mode}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(lines[-1])
    if "ended" in found:
        found["exit"] = now - found.pop("ended")
    return found


def import_cpu(python: str, statement: str) -> float:
    """CPU milliseconds of an import, over those of an interpreter that does nothing; the least of five."""
    code = "import resource\n{}\nu = resource.getrusage(resource.RUSAGE_SELF)\nprint(u.ru_utime + u.ru_stime)"

    def least(line: str) -> float:
        runs = [
            subprocess.run([python, "-W", "ignore", "-c", code.format(line)], capture_output=True, check=True)
            for _ in range(5)
        ]
        return min(float(run.stdout.split()[-1]) for run in runs) * 1e3

    return least(statement) - least("pass")


def environments(*, with_peers: bool) -> dict[str, str]:
    """The interpreter of every contender that can be measured here."""
    wanted = {name: peer for name, peer in CONTENDERS.items() if with_peers or not peer.packages}
    found = {name: python_of(name, peer.packages) for name, peer in wanted.items()}
    return {name: python for name, python in found.items() if python is not None}


def calls_of(name: str, calls: int) -> int:
    """How many calls a contender is measured over."""
    return calls // PEERS_SHARE if CONTENDERS[name].packages else calls


def compare(pythons: dict[str, str], calls: int, rounds: int, memory_calls: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds, by contender and measure."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    table: dict[str, dict[str, float]] = {}
    with sink() as endpoint:
        for round_number in range(rounds):
            for name in pythons if round_number % 2 == 0 else reversed(pythons):
                result = child(pythons[name], name, "latency", endpoint, calls_of(name, calls))
                if result:
                    found[name].append(result)
        for name, python in pythons.items():
            runs = found[name]
            row = {key: statistics.median(run[key] for run in runs) for key in ("p50", "p99", "cpu")} if runs else {}
            row["import_cpu"] = import_cpu(python, CONTENDERS[name].statement)
            row.update(child(python, name, "memory", endpoint, calls_of(name, memory_calls)) or {})
            row.update(child(python, name, "exit", closed, 10_000) or {"exit": float("inf")})
            table[name] = row
    return table


def compare_clients(pythons: dict[str, str], calls: int, rounds: int) -> dict[str, float]:
    """An OpenAI client's median with each recorder over the bare client's of the same environment; of paired rounds."""
    table: dict[str, float] = {}
    with sink() as endpoint:
        for name in (name for name in RECORDS_CLIENTS if name in pythons):
            ratios: list[float] = []
            for _ in range(rounds):
                bare = child(pythons[name], "bare", "client", endpoint, calls)
                with_it = child(pythons[name], name, "client", endpoint, calls)
                if bare and with_it:
                    ratios.append(with_it["client"] / bare["client"])
            table[name] = statistics.median(ratios) if ratios else float("inf")
    return table


def verdicts(table: dict[str, dict[str, float]]) -> dict[str, tuple[float, bool]]:
    """Each target's figure for us, and whether it is met."""
    ours, floor = table["outlay"], table["otel"]
    ratios = {key: ours[key] / floor[key] for key in ("p50", "p99", "cpu", "import_cpu")}
    figures = {**ratios, "rss_growth": ours["rss_growth"], "exit": ours["exit"]}
    return {key: (figure, figure <= TARGETS[key]) for key, figure in figures.items()}


def main() -> None:
    """Print the table and the verdicts; exit 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="What observing a call costs")
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls, one round")
    parser.add_argument("--no-peers", action="store_true", help="only the OpenTelemetry span and ours")
    parser.add_argument("--json", help="write the figures to this file too")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, mode, endpoint, calls = given.child
        print(json.dumps(MODES[mode](name, endpoint, int(calls))), flush=True)
        if mode != "exit":
            os._exit(0)
        return
    pythons = environments(with_peers=not given.no_peers)
    table = compare(pythons, *((2_000, 1, 10_000) if given.quick else (20_000, 3, 100_000)))
    units = {"p50": "us", "p99": "us", "cpu": "us/call", "import_cpu": "ms", "rss_growth": "MiB", "exit": "s"}
    print("| | version | " + " | ".join(f"{key}, {unit}" for key, unit in units.items()) + " |")
    print("|---|---|" + "---|" * len(units))
    for name, row in table.items():
        package = (CONTENDERS[name].packages or (PACKAGES[name],))[0]
        cells = (f"{row[key]:.1f}" if key in row else "-" for key in units)
        print(f"| {name} | {version_of(pythons[name], package)} | " + " | ".join(cells) + " |")
    judged = verdicts(table)
    clients = compare_clients(pythons, *((300, 3) if given.quick else (1_500, 5)))
    judged["client"] = clients["outlay"], clients["outlay"] <= TARGETS["client"]
    for name, ratio in clients.items():
        print(f"An OpenAI client's call, recorded by {name}: {ratio:.2f} x bare")
    for key, (figure, met) in judged.items():
        compared = "x otel" if key in ("p50", "p99", "cpu", "import_cpu") else units.get(key, "x bare client")
        print(f"{'met   ' if met else 'MISSED'} {key}: {figure:.2f} {compared} (target <= {TARGETS[key]})")
    if given.json:
        with open(given.json, "w") as file:
            json.dump({"table": table, "clients": clients, "verdicts": judged}, file, indent=1)
    if not all(met for _, met in judged.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
