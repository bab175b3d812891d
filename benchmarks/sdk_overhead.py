"""What observing a call costs its caller, beside a hand-written OpenTelemetry span with the same twelve attributes.

    python -m benchmarks.sdk_overhead [--quick] [--json FILE]      (make bench-sdk)

Every contender runs in its own process against the same local sink; contenders are interleaved within a round, and only
ratios to the OpenTelemetry span of the same round are judged, because other work on the machine moves every absolute
figure. Contenders whose packages are not installed are left out and named.

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
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MESSAGES = [
    {"role": "system", "content": "You are a careful assistant that answers billing questions for the platform. " * 3},
    {
        "role": "user",
        "content": "Summarise this ticket and name its cost centre: " + "lorem ipsum dolor sit amet " * 20,
    },
]
RESPONSE = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "R&D. " * 75},
        }
    ],
    "usage": {
        "prompt_tokens": 312,
        "completion_tokens": 96,
        "total_tokens": 408,
        "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 0},
    },
}
REQUEST = {"model": "gpt-4o", "messages": MESSAGES, "temperature": 0.2, "max_tokens": 512}
# (measure, unit, target as a ratio to the OpenTelemetry span or an absolute limit)
TARGETS = {"client": 1.1, "p50": 1.0, "p99": 1.0, "cpu": 1.0, "import_cpu": 0.5, "rss_growth": 15.0, "exit": 2.0}

Contender = tuple[Callable[..., object], Callable[[], object]]


def canned() -> Any:
    """The response every contender's function returns."""
    from openai.types.chat import ChatCompletion

    return ChatCompletion.model_validate(RESPONSE)


# Contenders: each returns (the function as its caller sees it, flush)


def otel(endpoint: str) -> Contender:
    """A careful hand-written span: started, made current, twelve attributes, batch processor, OTLP/HTTP exporter."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    tracer, response = trace.get_tracer("benchmark"), canned()

    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        with tracer.start_as_current_span("chat " + model) as span:
            usage = response.usage
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": model,
                    "gen_ai.request.temperature": temperature,
                    "gen_ai.request.max_tokens": max_tokens,
                    "gen_ai.response.model": response.model,
                    "gen_ai.response.id": response.id,
                    "gen_ai.response.finish_reasons": (response.choices[0].finish_reason,),
                    "gen_ai.usage.input_tokens": usage.prompt_tokens,
                    "gen_ai.usage.output_tokens": usage.completion_tokens,
                    "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
                    "gen_ai.usage.reasoning.output_tokens": usage.completion_tokens_details.reasoning_tokens,
                }
            )
            return response

    return call, provider.force_flush


def outlay(endpoint: str) -> Contender:
    """Our decorator: the same twelve attributes and the service tier."""
    import outlay as sdk

    sdk.configure(endpoint=endpoint, service="benchmark")
    response = canned()

    @sdk.observe
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, sdk.flush


def langfuse(endpoint: str) -> Contender:
    """Langfuse's decorator without inputs and outputs, told model and usage."""
    os.environ.update(LANGFUSE_PUBLIC_KEY="pk-lf-x", LANGFUSE_SECRET_KEY="sk-lf-x", LANGFUSE_HOST=endpoint)
    from langfuse import get_client, observe

    client, response = get_client(), canned()

    @observe(as_type="generation", capture_input=False, capture_output=False)
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        client.update_current_generation(model=model, usage_details={"input": 312, "output": 96, "total": 408})
        return response

    return call, client.flush


def traceloop(endpoint: str) -> Contender:
    """Traceloop's ``task`` without content: names and times only, no usage."""
    os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false", TRACELOOP_TRACE_CONTENT="false")
    from opentelemetry import trace
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task

    Traceloop.init(app_name="benchmark", api_endpoint=endpoint, api_key="x", instruments=set())
    response = canned()

    @task()
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, trace.get_tracer_provider().force_flush  # type: ignore[attr-defined]


def logfire(endpoint: str) -> Contender:
    """Logfire's span with the same attributes."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    import logfire as sdk

    sdk.configure(send_to_logfire=False, console=False, metrics=False, inspect_arguments=False)
    response = canned()

    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        with sdk.span("chat", model=model, temperature=temperature, input_tokens=312, output_tokens=96):
            return response

    return call, sdk.force_flush


CONTENDERS: dict[str, Callable[[str], Contender]] = {
    "otel": otel,
    "outlay": outlay,
    "langfuse": langfuse,
    "traceloop": traceloop,
    "logfire": logfire,
}
PACKAGE = {"otel": "opentelemetry.sdk", "traceloop": "traceloop.sdk"}
IMPORTS = {
    "otel": "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "outlay": "import outlay",
    "langfuse": "import langfuse",
    "traceloop": "import traceloop.sdk",
    "logfire": "import logfire",
}


# One measurement, in a process of its own


def measure(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Latency and CPU of ``calls`` calls in bursts; microseconds."""
    call, flush = CONTENDERS[name](endpoint)
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
    call, flush = CONTENDERS[name](endpoint)
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
    call, _ = CONTENDERS[name](endpoint)
    for _ in range(calls):
        call(**REQUEST)
    return {"ended": time.time()}


def measure_client(name: str, endpoint: str, calls: int) -> dict[str, float]:
    """Median latency of a real OpenAI client's call over loopback; ``bare`` has nothing around it. Microseconds."""
    import openai

    if name == "outlay":
        import outlay as sdk

        sdk.configure(endpoint=endpoint, service="benchmark")
        sdk.instrument("openai")
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


ANSWER = json.dumps(RESPONSE).encode()


class Sink(BaseHTTPRequestHandler):
    """Takes every request and says yes; a chat request gets the canned response."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: in two packets, delayed acknowledgement adds 40 ms to every call

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = ANSWER if self.path.endswith("/chat/completions") else b""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 (the name http.server looks for)


def child(name: str, mode: str, endpoint: str, calls: int, seconds: float = 120) -> dict[str, float] | None:
    """One measurement in a fresh process; None if it fails or takes longer than ``seconds``."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.sdk_overhead",
        "--child",
        name,
        mode,
        endpoint,
        str(calls),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None
    now = time.time()
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        print(f"{name}, {mode}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(lines[-1])
    if "ended" in found:
        found["exit"] = now - found.pop("ended")
    return found


def import_cpu(statement: str) -> float:
    """CPU milliseconds of an import, over those of an interpreter that does nothing; the least of five."""
    code = "import resource\n{}\nu = resource.getrusage(resource.RUSAGE_SELF)\nprint(u.ru_utime + u.ru_stime)"

    def least(line: str) -> float:
        runs = [
            subprocess.run([sys.executable, "-W", "ignore", "-c", code.format(line)], capture_output=True, check=True)
            for _ in range(5)
        ]
        return min(float(run.stdout) for run in runs) * 1e3

    return least(statement) - least("pass")


def installed(name: str) -> bool:
    """Whether the contender's package can be imported here."""
    import importlib.util

    try:
        return importlib.util.find_spec(PACKAGE.get(name, name)) is not None
    except ModuleNotFoundError:
        return False


def compare(calls: int, rounds: int, memory_calls: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds, by contender and measure."""
    names = [name for name in CONTENDERS if installed(name)]
    missing = sorted(set(CONTENDERS) - set(names))
    if missing:
        print(f"not installed, so left out: {', '.join(missing)}", file=sys.stderr)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for round_number in range(rounds):
        for name in names if round_number % 2 == 0 else reversed(names):
            result = child(name, "latency", endpoint, calls)
            if result:
                found[name].append(result)
    table: dict[str, dict[str, float]] = {}
    for name in names:
        runs = found[name]
        row = {key: statistics.median(run[key] for run in runs) for key in ("p50", "p99", "cpu")} if runs else {}
        row["import_cpu"] = import_cpu(IMPORTS[name])
        row.update(child(name, "memory", endpoint, memory_calls) or {})
        row.update(child(name, "exit", closed, 10_000) or {"exit": float("inf")})
        table[name] = row
    server.shutdown()
    return table


def compare_clients(calls: int, rounds: int) -> float:
    """An OpenAI client's median with our wrapper over the bare client's; the median of paired rounds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    ratios: list[float] = []
    for _ in range(rounds):
        bare, ours = child("bare", "client", endpoint, calls), child("outlay", "client", endpoint, calls)
        if bare and ours:
            ratios.append(ours["client"] / bare["client"])
            print(f"OpenAI client: bare {bare['client']:.0f} us, wrapped {ours['client']:.0f} us", file=sys.stderr)
    server.shutdown()
    return statistics.median(ratios) if ratios else float("inf")


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
    parser.add_argument("--json", help="write the figures to this file too")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, mode, endpoint, calls = given.child
        print(json.dumps(MODES[mode](name, endpoint, int(calls))), flush=True)
        if mode != "exit":
            os._exit(0)
        return
    table = compare(*((2_000, 1, 10_000) if given.quick else (20_000, 3, 100_000)))
    units = {"p50": "us", "p99": "us", "cpu": "us/call", "import_cpu": "ms", "rss_growth": "MiB", "exit": "s"}
    print("| | " + " | ".join(f"{key}, {unit}" for key, unit in units.items()) + " |")
    print("|---|" + "---|" * len(units))
    for name, row in table.items():
        print(f"| {name} | " + " | ".join(f"{row[key]:.1f}" if key in row else "-" for key in units) + " |")
    judged = verdicts(table)
    client = compare_clients(*((300, 3) if given.quick else (1_500, 5)))
    judged["client"] = client, client <= TARGETS["client"]
    for key, (figure, met) in judged.items():
        compared = "x otel" if key in ("p50", "p99", "cpu", "import_cpu") else units.get(key, "x bare client")
        print(f"{'met   ' if met else 'MISSED'} {key}: {figure:.2f} {compared} (target <= {TARGETS[key]})")
    if given.json:
        with open(given.json, "w") as file:
            json.dump({"table": table, "verdicts": judged}, file, indent=1)
    if not all(met for _, met in judged.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
