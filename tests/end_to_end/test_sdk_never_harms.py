"""The SDK inside real programs: it never breaks, slows, blocks or outlives them, and loses nothing it could send."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.otlp_sink import Answer, OtlpSink
from tests.end_to_end.waiting import free_port, wait_until


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


def run(
    program: str, *, seconds: float = 90, warnings: str = "error", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter; what it prints comes back. AssertionError if it fails."""
    done = subprocess.run(
        [sys.executable, "-W", warnings, "-c", textwrap.dedent(program)],
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}


def skip_without(module: str) -> None:
    """Skip where it is not installed. It is looked for and not imported: its warnings are not ours."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


OBSERVED = """
import outlay
@outlay.observe
def work(n=0):
    return n
"""


# Exit


def timed(program: str, **environment: str) -> float:
    """Seconds between the program's last line and its end; the least of three, for others may be using the machine."""
    program += "\nimport time; print(time.time(), flush=True)\n"
    least = float("inf")
    for _ in range(3):
        done = run(program, **environment)
        least = min(least, time.time() - float(done.stdout.split()[-1]))
        if least < 2:
            break
    return least


TEN_THOUSAND = f"{OBSERVED}\noutlay.configure()\nfor n in range(10_000): work(n)\n"


def test_exit_is_not_held_up_when_nobody_listens() -> None:
    assert timed(TEN_THOUSAND, OUTLAY_ENDPOINT=f"http://127.0.0.1:{free_port()}") < 2


def test_exit_is_not_held_up_by_a_collector_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # accepts into its backlog and never answers
        assert timed(TEN_THOUSAND, OUTLAY_ENDPOINT=f"http://127.0.0.1:{hanging.getsockname()[1]}") < 2


def test_exit_says_what_was_lost(sink: OtlpSink) -> None:
    done = run(f"{OBSERVED}\noutlay.configure()\nwork()", OUTLAY_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert "1 spans were not delivered" in done.stderr


def test_exit_sends_what_is_queued(sink: OtlpSink) -> None:
    run(f"{OBSERVED}\noutlay.configure()\nfor n in range(100): work(n)", OUTLAY_ENDPOINT=sink.url)
    assert len(sink.spans) == 100


def test_thread_still_working_at_exit_is_waited_for_as_always_and_recorded(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import threading, time
outlay.configure()
def late():
    time.sleep(0.3)
    work()
threading.Thread(target=late).start()
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    sink.named("work")


# Processes


def test_fork_sends_every_span_once(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import os
outlay.configure()
work(); work()          # still queued when the child is born
pid = os.fork()
for n in range(3): work()
if pid == 0:
    outlay.flush()
    os._exit(0)
os.waitpid(pid, 0)
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    assert len(sink.spans) == 2 + 3 + 3
    assert len({span.span_id for span in sink.spans}) == 8


def test_fork_inside_a_call_keeps_the_trace(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import os
outlay.configure()
@outlay.observe
def outer():
    pid = os.fork()
    if pid == 0:
        work(); outlay.flush(); os._exit(0)
    os.waitpid(pid, 0)
outer()
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    assert sink.named("work").parent_span_id == sink.named("outer").span_id


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_of_multiprocessing_sends_before_it_ends(sink: OtlpSink, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""{OBSERVED}
import multiprocessing
outlay.configure(interval=60)
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    workers = [context.Process(target=work, args=(n,)) for n in range(3)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
""")
    environment = {**clean_environment(), "OUTLAY_ENDPOINT": sink.url}
    subprocess.run([sys.executable, str(program)], env=environment, timeout=60, check=True)
    assert len(sink.spans) == 3


def test_forked_in_the_middle_of_sending_neither_side_locks_up(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import os, threading
outlay.configure(interval=0.001)
stop = False
def busy():
    while not stop: work()
threads = [threading.Thread(target=busy) for _ in range(3)]
for t in threads: t.start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        work(); ok = outlay.flush(5); os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
for t in threads: t.join()
"""
    run(program, OUTLAY_ENDPOINT=sink.url, seconds=60)


def test_background_imports_nothing_so_that_a_fork_finds_no_import_lock_taken(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import sys
outlay.configure(queue_size=1)
before = set(sys.modules)
with outlay.context(team="search"):
    work(); work(); work()
outlay.record(model="m", response={{"object": "chat.completion", "choices": [], "usage": {{"prompt_tokens": 3}}}})
assert outlay.flush()
late = set(sys.modules) - before
assert not late, late
"""
    run(program, OUTLAY_ENDPOINT=sink.url)


APP = """
import outlay
outlay.configure(interval=0.05)

@outlay.observe
def work():
    return "done"

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    work()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

def wsgi(environ, start_response):
    work()
    start_response("200 OK", [])
    return [b"ok"]
"""


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_prefork_server(server: str, sink: OtlpSink, tmp_path: Path) -> None:
    skip_without(server)
    (tmp_path / "served.py").write_text(APP)
    port = free_port()
    command = {
        "uvicorn": ["uvicorn", "served:app", "--workers", "2", "--port", str(port)],
        "gunicorn": ["gunicorn", "served:wsgi", "--workers", "2", "--preload", "--bind", f"127.0.0.1:{port}"],
    }[server]
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=tmp_path, env={**clean_environment(), "OUTLAY_ENDPOINT": sink.url}
    )
    try:
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200, seconds=90)
        for _ in range(20):
            assert httpx.get(f"http://127.0.0.1:{port}/", timeout=60).text == "ok"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert len(sink.spans) == 21


def test_gevent_program(sink: OtlpSink) -> None:
    skip_without("gevent")
    program = """
from gevent import monkey; monkey.patch_all()
import gevent, time
import outlay
outlay.configure(interval=0.05)
@outlay.observe
def work(n):
    time.sleep(0.01)
    return n
@outlay.observe
def outer():
    gevent.joinall([gevent.spawn(outlay.carried(work), n) for n in range(20)])
outer()
assert outlay.flush()
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    outer = sink.named("outer")
    assert [span.parent_span_id for span in sink.spans if span.name == "work"] == [outer.span_id] * 20


# Other tracing in the same program

OTHER_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
theirs = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(theirs))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("theirs")
"""


def test_lives_beside_another_provider(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}{OTHER_PROVIDER}
outlay.configure()
@outlay.observe
def outer():
    with tracer.start_as_current_span("inner, theirs"):
        work()
with tracer.start_as_current_span("theirs"):
    outer()
assert trace.get_tracer_provider() is provider
names = {{span.name: span for span in theirs.get_finished_spans()}}
assert set(names) == {{"theirs", "inner, theirs"}}, names
assert names["inner, theirs"].parent.span_id == names["theirs"].context.span_id  # their tree has no gaps
print(*(f"{{names[n].context.span_id:016x}}" for n in ("theirs", "inner, theirs")))
"""
    outermost, inner = run(program, OUTLAY_ENDPOINT=sink.url).stdout.split()
    assert {span.name for span in sink.spans} == {"outer", "work"}
    assert sink.named("outer").parent_span_id == outermost
    assert sink.named("work").parent_span_id == inner
    assert len({span.trace_id for span in sink.spans}) == 1


def test_joins_a_provider_when_told_to() -> None:
    program = f"""{OBSERVED}{OTHER_PROVIDER}
outlay.configure(tracer_provider=provider)
@outlay.observe
def stream():
    with tracer.start_as_current_span("step, theirs"): pass
    yield {{"object": "chat.completion.chunk", "id": "c", "model": "m", "choices": [], "usage": {{"prompt_tokens": 3}}}}
@outlay.observe(team="search")
def outer():
    with tracer.start_as_current_span("inner, theirs"):
        for _ in stream(): work()
    raise KeyError
try: outer()
except KeyError: pass
spans = {{span.name: span for span in theirs.get_finished_spans()}}
assert set(spans) == {{"outer", "inner, theirs", "stream", "step, theirs", "work"}}, set(spans)
def parent(name): return spans[name].parent.span_id if spans[name].parent else None
assert parent("outer") is None
assert parent("inner, theirs") == spans["outer"].context.span_id
assert parent("stream") == parent("work") == spans["inner, theirs"].context.span_id
assert parent("step, theirs") == spans["stream"].context.span_id
assert spans["outer"].attributes["outlay.team"] == "search"
assert spans["outer"].status.status_code.name == "ERROR"
assert spans["stream"].attributes["gen_ai.usage.input_tokens"] == 3
assert spans["stream"].instrumentation_scope.name == "outlay"
"""
    run(program)


def test_joining_a_provider_that_samples_is_warned_about() -> None:
    program = f"""{OBSERVED}
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased, ParentBased, ALWAYS_ON
outlay.configure(tracer_provider=TracerProvider(sampler=ParentBased(ALWAYS_ON)))
outlay.configure(tracer_provider=TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.1))))
work()
"""
    warning = run(program).stderr
    assert warning.count("samples") == 1
    assert "TraceIdRatioBased" in warning


NEIGHBOURS = {
    "sentry_sdk": """
import sentry_sdk
# Its integrations import whatever is installed, which is a lot here.
sentry_sdk.init("http://x@127.0.0.1:9/1", traces_sample_rate=1.0, auto_enabling_integrations=False)
def theirs(): return sentry_sdk.start_transaction(name="theirs")
def seen(): return sentry_sdk.get_current_scope().span is not None
""",
    "logfire": """
import logfire
logfire.configure(send_to_logfire=False, console=False)
def theirs(): return logfire.span("theirs")
def seen():
    from opentelemetry import trace
    return trace.get_current_span().is_recording()
""",
    "ddtrace": """
from ddtrace.trace import tracer
def theirs(): return tracer.trace("theirs")
def seen(): return tracer.current_span() is not None
""",
}


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_lives_beside_other_peoples_products(neighbour: str, sink: OtlpSink) -> None:
    skip_without(neighbour)
    program = f"""{NEIGHBOURS[neighbour]}
from opentelemetry import trace
before = trace.get_tracer_provider()
{OBSERVED}
outlay.configure()
@outlay.observe
def outer():
    assert seen()  # their span goes on being the current one, for them
    return work()
with theirs(): outer()
assert outlay.flush()
assert trace.get_tracer_provider() is before
"""
    # Their shutdown is not ours to wait for: nobody listens where they send to.
    quick = {
        "SENTRY_ENVIRONMENT": "test",
        "DD_TRACE_STARTUP_LOGS": "false",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    }
    run(program, warnings="ignore", OUTLAY_ENDPOINT=sink.url, **quick)
    assert sink.named("work").parent_span_id == sink.named("outer").span_id
    assert {span.name for span in sink.spans} == {"outer", "work"}  # none of theirs is taken


# Threads and tasks


def test_threads_at_once_lose_nothing(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import threading
outlay.configure(interval=0.01)
@outlay.observe
def outer(name):
    for n in range(200): work(n)
threads = [threading.Thread(target=outer, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert outlay.flush(60), outlay.stats()
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    outers = {span.span_id: span for span in sink.spans if span.name == "outer"}
    inner = [span for span in sink.spans if span.name == "work"]
    assert len({span.span_id for span in inner}) == len(inner) == 8 * 200
    assert all(span.trace_id == outers[span.parent_span_id].trace_id for span in inner)
    assert [sum(span.parent_span_id == each for span in inner) for each in outers] == [200] * 8


def test_asyncio_tasks_keep_to_their_own_call(sink: OtlpSink) -> None:
    program = """
import asyncio, outlay
outlay.configure()
@outlay.observe
async def inner(n):
    await asyncio.sleep(0)
    return n
@outlay.observe
async def outer(n):
    with outlay.context(user=f"u{n}"):
        await asyncio.sleep(0)
        tasks = [asyncio.create_task(inner(m)) for m in range(3)]
        await asyncio.sleep(0)
        return await asyncio.gather(*tasks)
async def main():
    assert await asyncio.gather(*(outer(n) for n in range(20))) == [[0, 1, 2]] * 20
asyncio.run(main())
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    outers = {span.span_id for span in sink.spans if span.name == "outer"}
    inner = [span for span in sink.spans if span.name == "inner"]
    assert (len(outers), len(inner)) == (20, 60)
    users = {each: {s.attributes["user.id"] for s in inner if s.parent_span_id == each} for each in outers}
    assert sorted(user for told in users.values() for user in told) == sorted(f"u{n}" for n in range(20))


def test_context_is_kept_in_executor_threads(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
outlay.configure()
@outlay.observe
def outer():
    with outlay.context(user="u1"), ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(5)))
        thread = threading.Thread(target=outlay.carried(work)); thread.start(); thread.join()
    async def main():
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, work)
        await asyncio.to_thread(work)
    asyncio.run(main())
outer()
with ThreadPoolExecutor(1) as pool: pool.submit(work).result()
"""
    run(program, OUTLAY_ENDPOINT=sink.url)
    outer = sink.named("outer")
    parents = [span.parent_span_id for span in sink.spans if span.name == "work"]
    assert parents == [outer.span_id] * 8 + [""]
    assert sum(span.attributes.get("user.id") == "u1" for span in sink.spans) == 6


# Off


def test_disabled_does_nothing_at_all(sink: OtlpSink) -> None:
    program = f"""{OBSERVED}
import sys, threading
outlay.configure()
assert work(3) == 3
with outlay.observe(name="x") as span: span.set("a", 1)
outlay.record(model="m"); outlay.flush(); outlay.stats()
assert threading.active_count() == 1
assert "outlay.transport" not in sys.modules
"""
    done = run(program, OUTLAY_ENDPOINT=sink.url, OUTLAY_DISABLED="1")
    assert not sink.requests
    assert done.stderr.count("outlay:") == 1


def test_unconfigured_passes_through_after_one_notice() -> None:
    program = f"""{OBSERVED}
for n in range(5): assert work(n) == n
"""
    assert run(program).stderr.count("not configured") == 1


def test_import_brings_no_library_along() -> None:
    program = """
import sys
before = set(sys.modules)
import outlay
heavy = {"opentelemetry", "google", "openai", "anthropic", "requests", "urllib3", "http", "ssl", "logging", "asyncio"}
assert not heavy & {name.partition(".")[0] for name in set(sys.modules) - before}
"""
    run(program)


def test_memory_is_bounded_while_the_collector_is_away() -> None:
    program = f"""{OBSERVED}
import resource
outlay.configure(queue_size=1_000)
for n in range(1_000): work(n)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(50_000): work(n)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 15_000, grown
stats = outlay.stats()
assert stats.dropped + stats.queued == 51_000 and stats.queued < 5_000, stats
outlay.shutdown(0.1)
"""
    run(program, OUTLAY_ENDPOINT=f"http://127.0.0.1:{free_port()}")


def test_memory_is_bounded_in_bytes_too() -> None:
    program = """
import resource, outlay
outlay.configure(queue_bytes=4_000_000, content="full")
@outlay.observe(model="m", provider="p")
def ask(messages):
    return "an answer " * 1_000
for n in range(200): ask([{"role": "user", "content": f"{n} " * 5_000}])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(4_000): ask([{"role": "user", "content": f"{n} " * 5_000}])  # some 100 MB in all
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 40_000, grown
assert outlay.stats().queued == 4_200, outlay.stats()  # the calls themselves are small, and kept
outlay.shutdown(0.1)
"""
    told = run(program, OUTLAY_ENDPOINT=f"http://127.0.0.1:{free_port()}").stderr
    assert told.count("too much text is waiting") == 1


# Mistakes of ours, and of others


def test_no_exception_of_ours_reaches_the_program(sink: OtlpSink, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program = f"""
import outlay
class Hostile:
    def __getattr__(self, name): raise RuntimeError(name)
    def __repr__(self): raise RuntimeError("repr")
    __str__ = __repr__
    def __iter__(self): raise RuntimeError("iter")
    def __eq__(self, other): raise RuntimeError("eq")
    __hash__ = None
hostile = Hostile()
outlay.configure(content="full", spool={str(tmp_path / "file" / "folder")!r})
@outlay.observe(team=hostile, tags={{"a": hostile}})
def ask(messages, model=None, **more):
    outlay.current().set("a", hostile)
    outlay.current().tag(a=hostile)
    return outlay.current().response(hostile)
assert ask(hostile, model=hostile, tools=hostile) is hostile
assert ask([hostile, {{"role": hostile, "content": hostile}}]) is hostile
with outlay.context(team=hostile, user=hostile, a=hostile):
    assert ask("\\ud800\\0") is hostile
outlay.record(model="m", response=hostile)
outlay.stats(); assert outlay.flush()
"""
    run(program, warnings="ignore", OUTLAY_ENDPOINT=sink.url)
    assert [span.name for span in sink.spans].count("ask") == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff" * 100])
def test_strange_answers_of_a_collector_do_no_harm(body: bytes, sink: OtlpSink) -> None:
    sink.answer = lambda: Answer(200, {"content-type": "text/html"}, body)
    run(f"{OBSERVED}\noutlay.configure()\nwork()\nassert outlay.flush()", OUTLAY_ENDPOINT=sink.url)
    sink.named("work")


# The wire


def test_retries_what_may_be_retried(sink: OtlpSink) -> None:
    statuses = iter([429, 502, 503, 504])
    sink.answer = lambda: Answer(next(statuses, 200), {"retry-after": "0"})
    run(f"{OBSERVED}\noutlay.configure()\nwork()\nassert outlay.flush(10), outlay.stats()", OUTLAY_ENDPOINT=sink.url)
    assert len(sink.requests) == 5
    sink.named("work")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 301])
def test_does_not_retry_what_is_final(sink: OtlpSink, status: int) -> None:
    sink.answer = lambda: Answer(status)
    program = (
        f"{OBSERVED}\noutlay.configure()\nwork()\noutlay.flush(5)\nassert outlay.stats().refused == 1, outlay.stats()"
    )
    assert "refused spans" in run(program, OUTLAY_ENDPOINT=sink.url).stderr
    assert [path for path, _, _ in sink.requests].count("/v1/traces") == 1


def test_key_and_compression_go_along(sink: OtlpSink) -> None:
    program = f"{OBSERVED}\noutlay.configure(api_key='out_1')\nwork()"
    run(program, OUTLAY_ENDPOINT=sink.url, OUTLAY_COMPRESSION="gzip")
    path, headers, _ = sink.requests[0]
    assert path == "/v1/traces"
    assert headers["authorization"] == "Bearer out_1"
    assert headers["content-encoding"] == "gzip"
    sink.named("work")


def test_connection_closed_between_requests_is_opened_again(sink: OtlpSink) -> None:
    sink.answer = lambda: Answer(200, {"connection": "close"})
    run(
        f"{OBSERVED}\noutlay.configure()\nfor n in range(3): work(n); assert outlay.flush()\nassert not outlay.stats().retries",
        OUTLAY_ENDPOINT=sink.url,
    )
    assert len(sink.spans) == 3


# Outage

# Seconds that the outage lasts beyond what the test has to see; 600 makes it ten minutes.
LONGER = float(os.environ.get("OUTLAY_TEST_OUTAGE_SECONDS", "0.5"))

UNDER_LOAD = f"""{OBSERVED}
import os, sys, time
outlay.configure(interval=0.05, queue_size=2_000, spool_bytes=2**30)
made, losing = 0, False
while not os.path.exists(sys.argv[1]):
    for _ in range(20): work(); made += 1
    if not losing and outlay.stats().dropped:
        losing = True
        print("losing", flush=True)
    time.sleep(0.02)
print(made, outlay.stats(), flush=True)
"""


def started(program: str, stop: Path, **environment: str) -> subprocess.Popen[str]:
    """A program running beside the test, until the file ``stop`` is there."""
    command = [sys.executable, "-c", textwrap.dedent(program), str(stop)]
    return subprocess.Popen(command, env={**clean_environment(), **environment}, stdout=subprocess.PIPE, text=True)


@pytest.mark.timeout(300 + 3 * LONGER)
def test_outage_under_load_loses_nothing_with_a_spool(tmp_path: Path) -> None:
    port, spool, stop = free_port(), tmp_path / "spool", tmp_path / "stop"
    where = {"OUTLAY_ENDPOINT": f"http://127.0.0.1:{port}", "OUTLAY_SPOOL": str(spool)}
    programs = [started(UNDER_LOAD, stop, **where) for _ in range(2)]

    def on_disk() -> int:
        return sum(file.stat().st_size for file in spool.iterdir())

    wait_until(on_disk, seconds=60)
    with OtlpSink(port) as there:  # for a moment, in the middle of the outage
        there.answer = lambda: Answer(200, {"connection": "close"})  # or it would go on by the connections it has
        wait_until(lambda: len(there.spans) > 100, seconds=60)
    before = on_disk()
    wait_until(lambda: on_disk() > before + 1_000, seconds=60)
    time.sleep(LONGER)
    stop.touch()
    made = sum(int(program.communicate(timeout=90)[0].split()[0]) for program in programs)  # ended during the outage
    with OtlpSink(port) as back:
        wait = f"until = time.time() + {60 + LONGER}\nwhile os.listdir({str(spool)!r}) and time.time() < until"
        replay = f"import os, outlay, time\noutlay.configure(interval=0.05)\n{wait}: time.sleep(0.05)"
        run(replay, seconds=120 + LONGER, **where)
    assert len({span.span_id for span in there.spans + back.spans}) == made > 100
    assert not list(spool.iterdir())


@pytest.mark.timeout(300 + LONGER)
def test_outage_without_a_spool_counts_every_loss(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    program = started(UNDER_LOAD, stop, OUTLAY_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert program.stdout is not None
    assert program.stdout.readline() == "losing\n"
    time.sleep(LONGER)
    stop.touch()
    made, _, stats = program.communicate(timeout=90)[0].partition(" ")
    counts = dict(part.split("=") for part in stats.strip().removeprefix("Stats(").removesuffix(")").split(", ")[:4])
    assert int(counts["dropped"]) > 0
    assert int(counts["dropped"]) + int(counts["queued"]) == int(made)
