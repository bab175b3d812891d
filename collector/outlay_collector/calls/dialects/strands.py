"""Strands Agents: agent, cycle and model spans, usage under old and new names at once."""

from __future__ import annotations

from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined


def _cycles_are_aggregates(reading: Reading) -> None:
    if reading.span.name == "execute_event_loop_cycle":
        reading.found["operation"] = "agent_step"
    elif reading.span.name == "Model invoke":
        reading.found.setdefault("operation", "chat")


_TTFT = "gen_ai.server.time_to_first_token"

DIALECT = Dialect(
    name="strands",
    title="Strands Agents",
    checked="strands-agents 1.62.0",
    counts="Input includes cache reads and writes. The same counts come under old and new names: one of them is read.",
    scopes=("strands.telemetry.tracer", "strands-agents"),
    scope_prefixes=("strands",),
    names=joined(
        {"ttft_ms": (_TTFT,), "tool": ("gen_ai.tool.name", "tool.name")},
        {slot: tuple(name for name in names if name != _TTFT) for slot, names in otel_genai.NAMES.items()},
    ),
    content=("gen_ai.tool.json_schema", "system_prompt"),
    prepare=_cycles_are_aggregates,
    gaps=(
        Gap(what="The provider: told from the model's name."),
        Gap(what="Response id and the model that answered; reasoning; the lifetime of cache writes."),
    ),
    notes=(
        "The time to first token is in milliseconds, under a name that is elsewhere in seconds.",
        "Agent spans repeat the sums of their calls; some releases accumulate them over invocations.",
    ),
)
