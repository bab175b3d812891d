"""Every example runs as it is, against the fake provider, and what it sends is what the provider bills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.otlp_sink import OtlpSink, Seen
from tests.end_to_end.test_sdk_never_harms import skip_without
from tests.end_to_end.waiting import free_port, wait_until
from tests.fake_provider import FakeProvider

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture
def environment(fake: FakeProvider, sink: OtlpSink) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    return {**kept, "OPENAI_BASE_URL": fake.openai_url, "OPENAI_API_KEY": "x", "OUTLAY_ENDPOINT": sink.url}


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_billed(sink: OtlpSink, fake: FakeProvider) -> None:
    """Each provider call is there once, with its tokens."""
    sent = {span.attributes["gen_ai.response.id"]: span for span in sink.spans if is_call(span)}
    assert sent
    for entry in fake.calls():
        attributes = sent.pop(entry["response_id"]).attributes
        assert attributes["gen_ai.usage.input_tokens"] == entry["input_tokens_total"]
        assert attributes["gen_ai.usage.output_tokens"] == entry["output_tokens_total"]
    assert not sent


def is_call(span: Seen) -> bool:
    return "gen_ai.response.id" in span.attributes


def test_streaming_chat(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink) -> None:
    assert run(environment, "examples/streaming_chat.py", "Why?").strip()
    assert_billed(sink, fake)
    (call,) = filter(is_call, sink.spans)
    assert call.attributes["user.id"] == "u-17"
    assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0


@pytest.mark.timeout(300)
def test_fastapi_app(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink) -> None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", "examples", "fastapi_app:app", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: httpx.get(f"{url}/docs").status_code == 200, seconds=90)
        told = httpx.post(f"{url}/answer", params={"question": "Why?"}, headers={"x-tenant": "acme"}, timeout=60).json()
        told.pop("answer")
        httpx.post(f"{url}/feedback", params={**told, "liked": True}).raise_for_status()
        wait_until(lambda: any(path == "/v1/logs" for path, _, _ in sink.requests), seconds=60)
    finally:
        server.terminate()
        server.wait(60)
    assert_billed(sink, fake)
    request, step, call = sink.named("POST /answer"), sink.named("summarise"), sink.named("chat gpt-4o-mini")
    assert (step.parent_span_id, call.parent_span_id) == (request.span_id, step.span_id)
    assert {span.attributes["outlay.customer"] for span in sink.spans} == {"acme"}


def test_batch_job(environment: dict[str, str], sink: OtlpSink, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    body = {"id": "c1", "object": "chat.completion", "created": 1772366400, "model": "gpt-4o", "choices": []}
    line = {"custom_id": "one", "response": {"status_code": 200, "body": {**body, "usage": usage}}}
    (tmp_path / "results.jsonl").write_text(json.dumps(line))
    for _ in range(2):
        run(environment, "examples/batch_job.py", str(tmp_path / "results.jsonl"), "batch_1")
    first, again = sink.spans
    assert (first.trace_id, first.span_id, first.start_ns) == (again.trace_id, again.span_id, again.start_ns)
    assert first.attributes["outlay.service_tier"] == "batch"


def test_plain_opentelemetry(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink) -> None:
    run(environment, "examples/plain_opentelemetry.py")
    assert_billed(sink, fake)


def test_langchain_agent(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink) -> None:
    skip_without("langchain_openai")
    assert run(environment, "examples/langchain_agent.py").strip()
    assert_billed(sink, fake)
    agent = sink.named("research")
    assert [span.parent_span_id for span in sink.spans if is_call(span)] == [agent.span_id] * 2


@pytest.mark.timeout(300)
def test_celery_worker(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink, tmp_path: Path) -> None:
    skip_without("celery")
    (tmp_path / "sent").mkdir()
    broker = {"CELERY_BROKER_URL": "filesystem://"}
    program = (
        "from examples.celery_worker import app, summarise\n"
        f"folder = {str(tmp_path / 'sent')!r}\n"
        "app.conf.broker_transport_options = {'data_folder_in': folder, 'data_folder_out': folder, 'control_folder': folder}\n"
        "summarise.delay('Why?')\n"
        "app.worker_main(['worker', '--concurrency=1', '--loglevel=ERROR'])\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env={**environment, **broker})
    try:
        wait_until(lambda: len(fake.calls()) == 1, seconds=120)
    finally:
        worker.terminate()
        worker.wait(60)
    assert_billed(sink, fake)


def test_litellm_router(environment: dict[str, str], fake: FakeProvider, sink: OtlpSink) -> None:
    skip_without("litellm")
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    assert run({**environment, **offline}, "examples/litellm_router.py").strip()
    assert_billed(sink, fake)
    models = sorted(span.attributes["gen_ai.response.model"] for span in sink.spans if is_call(span))
    # A stream's chunks name the model that was asked for, without its date.
    assert [model.partition("-20")[0] for model in models] == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]
    assert {span.attributes["gen_ai.provider.name"] for span in sink.spans if is_call(span)} == {"openai"}
