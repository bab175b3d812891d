"""A short run of ``make fuzz``: fewer requests, and the same ones every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.cases import Requests, request_from, saved
from tests.fuzz.openapi import fuzz_openapi
from tests.fuzz.run import Run
from tests.servers import Collector, Running

pytestmark = pytest.mark.timeout(300)

SEED = 20261121


def test_damaged_telemetry_harms_nobody(collector: Collector, worker: Running, tmp_path: Path) -> None:
    run = Run(collector, Requests(SEED, collector.key, most_payloads=60), tmp_path)
    run.send(800, seconds=60)
    run.check(collector.database_url, seconds=90)
    assert run.report.neighbours > 20
    assert not run.report.failures, "\n".join(run.report.failures)
    assert worker.is_running()


def test_the_api_answers_whatever_it_is_asked(collector: Collector) -> None:
    api = fuzz_openapi(collector, examples=6, seed=SEED)
    assert api.operations > 20
    assert not api.failures, "\n".join(api.failures)


def test_a_number_makes_the_same_request_again_and_a_file_keeps_it() -> None:
    made = [Requests(7, "key", most_payloads=5) for _ in range(2)]
    made[1].start = made[0].start
    for number in range(30):
        first, second = (requests.request(number) for requests in made)
        assert first == second
        kept = request_from(first.as_json())
        assert (kept.path, kept.headers, kept.body) == (first.path, first.headers, first.body)
        assert "because" in saved(first, "because")
