"""AutoGen and Microsoft's Agent Framework."""

from __future__ import annotations

from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap

DIALECT = Dialect(
    name="autogen",
    title="AutoGen and Microsoft Agent Framework",
    checked="autogen-core tracing module (names); not measured here",
    counts="AutoGen reports no usage. The Agent Framework's chat spans follow the conventions.",
    scopes=("agent_framework",),
    scope_prefixes=("autogen", "agent_framework", "semantic_kernel"),
    names=otel_genai.NAMES,
    default_type="other",
    gaps=(Gap(what="AutoGen: usage and calls; install the provider's instrumentation as well."),),
    notes=(
        "Agent spans carry sums, or the usage of the last call, depending on the version: never counted with calls.",
    ),
)
