"""Schemathesis over the collector's own OpenAPI: every operation, with every kind of key and with none."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.errors import Unsatisfiable
from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.db.engine import connect

from tests.servers import Collector

OPEN = {"/healthz", "/readyz", "/metrics"}
"""Paths that answer without a key."""


_PATIENCE = 5


@dataclass
class Api:
    """What was asked and answered, by kind of key and status."""

    requests: int = 0
    operations: int = 0
    answers: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])

    def lines(self) -> list[str]:
        answers = ", ".join(f"{name} {number:,}" for name, number in sorted(self.answers.items()))
        return [f"{self.requests:,} requests to {self.operations} operations of the API", f"answers: {answers}"]


def fuzz_openapi(collector: Collector, *, examples: int, seed: int) -> Api:
    """Each operation ``examples`` times with a key of all scopes, and a quarter as often with every lesser one and none."""
    document = collector.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=collector.url)
    api = Api()
    with connect(collector.database_url) as connection:
        keys: dict[str, str | None] = {
            scope: access.create_key(connection, project=None, scopes=[scope], name=scope) for scope in SCOPES
        }
    keys["none"] = None
    session = requests.Session()
    for found in schema.get_all_operations():
        operation = found.ok()
        api.operations += 1
        _ask(operation, api, "all", collector.key, session, examples, seed)
        for name, key in keys.items():
            _ask(operation, api, name, key, session, max(examples // 4, 1), seed)
    if not collector.is_running() or "Traceback" in collector.said():
        api.failures.append(f"the collector did not expect something:\n{collector.said()[-3000:]}")
    return api


def _ask(
    operation: Any, api: Api, name: str, key: str | None, session: requests.Session, examples: int, seed: int
) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    strategies = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]

    def once(case: Any) -> None:
        answer = _answer(case, session, headers)
        api.requests += 1
        api.answers[f"{name} {answer.status_code}"] += 1
        wrong = _wrong(operation, name, answer)
        if wrong and len(api.failures) < 20:
            api.failures.append(f"{wrong}: {case.as_curl_command()}\n  {answer.text[:500]}")

    for strategy in strategies:
        _examples(once, strategy, max(examples // len(strategies), 1), seed)


def _answer(case: Any, session: requests.Session, headers: dict[str, str]) -> Any:
    """Asked again when a kept connection was closed, and when a busy machine kept the database from answering."""
    for _ in range(_PATIENCE):
        with contextlib.suppress(requests.ConnectionError):
            answer = case.call(session=session, headers=headers, timeout=60)
            if answer.status_code != 503:
                return answer
        time.sleep(1)
    return case.call(session=session, headers=headers, timeout=60)


def _examples(once: Callable[[Any], None], strategy: Any, examples: int, seed: int) -> None:
    """``once`` is called with so many examples; it raises nothing, so nothing is shrunk."""
    run = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(once))
    with contextlib.suppress(Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
        hypothesis_seed(seed)(run)()


def _wrong(operation: Any, name: str, answer: Any) -> str:
    """Why the answer is wrong; empty if it is not. The database is there, so not even 503 is right in the end."""
    if answer.status_code >= 500:
        return f"{answer.status_code} with key {name}"
    if name == "none" and operation.path not in OPEN and answer.status_code < 400:
        return f"{answer.status_code} without a key"
    if answer.content and "json" not in answer.headers.get("content-type", [""])[0] and operation.path != "/metrics":
        return "an answer that is no JSON"
    return ""
