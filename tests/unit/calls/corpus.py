"""The OTLP corpus as test data: payloads of real libraries with the provider's own ledger, and what they cannot tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from outlay_collector.calls import flags
from outlay_collector.calls.call import Call
from outlay_collector.calls.dialects.describe import Limit
from outlay_collector.calls.join import twin_keys
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.settle import Candidate, Verdict, settle
from outlay_collector.calls.span import Span
from outlay_collector.receive.decode import decode_json, decode_protobuf

from tests.unit.calls.builders import candidate_of

CORPUS = Path(__file__).parents[2] / "data" / "otlp-corpus"
CASES = sorted(f"{path.parent.name}/{path.name.removesuffix('.truth.json')}" for path in CORPUS.glob("*/*.truth.json"))


@cache
def limits() -> tuple[Limit, ...]:
    rows = json.loads((CORPUS / "limits.json").read_text())
    return tuple(Limit(row["what"], tuple(row["cases"]), row["reason"], row["shown"]) for row in rows)


def limited(case: str) -> set[str]:
    return {limit.what for limit in limits() if case in limit.cases}


@cache
def unknown_facts() -> dict[str, dict[str, list[str]]]:
    """Folder -> fact -> cases (``*``: all) in which the payload does not tell it."""
    return json.loads((CORPUS / "unknown.json").read_text())


def truth(case: str) -> dict[str, Any]:
    return json.loads((CORPUS / f"{case}.truth.json").read_text())


def spans(case: str) -> list[Span]:
    return decode_protobuf((CORPUS / f"{case}.otlp.pb").read_bytes()).spans


def spans_from_json(case: str) -> list[Span]:
    return decode_json((CORPUS / f"{case}.otlp.json").read_bytes()).spans


@dataclass(frozen=True, slots=True)
class Settled:
    """One counted call: what its span said, with what its twins added."""

    call: Call
    verdict: Verdict

    def __getattr__(self, name: str) -> Any:
        joined = self.verdict.joined or {}
        return joined[name] if name in joined else getattr(self.call, name)

    def count(self, name: str) -> int | None:
        joined: Any = (self.verdict.joined or {}).get("usage", {})
        own = getattr(self.call.usage, name) if self.call.usage is not None else None
        return joined.get(name, own)

    @property
    def all_flags(self) -> set[str]:
        added: Any = (self.verdict.joined or {}).get("flags", [])
        return set(self.call.flags) | set(added)

    @property
    def failed(self) -> bool:
        return flags.FAILED_UNBILLED in self.call.flags


def groups(calls: list[Call]) -> list[list[tuple[Call, Candidate]]]:
    """Calls as the collector groups them: by trace, response id and twin key, all connected ones together."""
    leader: dict[Any, Any] = {}

    def find(key: Any) -> Any:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for call in calls:
        trace = ("trace", call.span.trace_id)
        keys = [("id", call.response_id)] if call.response_id else []
        for key in [*keys, *(("twin", twin) for twin in twin_keys(call))]:
            leader[find(key)] = find(trace)
    grouped: dict[Any, list[tuple[Call, Candidate]]] = {}
    for call in calls:
        grouped.setdefault(find(("trace", call.span.trace_id)), []).append((call, candidate_of(call)))
    return list(grouped.values())


def counted(payload: list[Span]) -> list[Settled]:
    """The calls counted of a payload, in order of start."""
    found: list[Settled] = []
    for group in groups([normalise(span) for span in payload]):
        verdicts = {verdict.key: verdict for verdict in settle([candidate for _, candidate in group])}
        for call, candidate in group:
            verdict = verdicts.pop(candidate.key, None)
            if verdict is not None and verdict.counted:
                found.append(Settled(call, verdict))
    return sorted(found, key=lambda settled: settled.call.span.start_ns)
