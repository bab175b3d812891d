"""What a dialect is: one source's attribute names, what its kinds of span mean, and what its token counts include.

A dialect file is a table. Only what a table cannot say is a ``prepare`` function: unpacking JSON, reading events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple

from outlay_collector.calls.call import AGGREGATE, CALL, OTHER, RETRIEVAL, TOOL
from outlay_collector.calls.span import Attributes, Span, Value

Names = Mapping[str, tuple[str, ...]]
"""Attribute names by slot, the most trusted first. A slot is one fact; see ``SLOTS``."""

SLOTS: Mapping[str, str] = {
    "kind": "the source's own word for what kind of span it is",
    "operation": "what was done: chat, embeddings, invoke_agent …",
    "provider": "who served it", "request_model": "model asked for", "response_model": "model that answered",
    "response_id": "the provider's id of the answer", "finish_reasons": "why each choice ended",
    "streaming": "whether the answer was streamed",
    "ttft_seconds": "time to first token, seconds", "ttft_ms": "time to first token, milliseconds",
    "tier": "service tier used", "request_tier": "service tier asked for", "error": "error type",
    "address": "host name or URL of the server", "region": "cloud region", "account": "provider account or deployment",
    "input": "input tokens", "output": "output tokens", "total": "all tokens",
    "cache_read": "input tokens read from the cache", "cache_write": "input tokens written to the cache",
    "cache_write_5m": "of these, for five minutes", "cache_write_1h": "of these, for one hour",
    "cache_write_30m": "of these, for thirty minutes", "cache_write_12h": "of these, for twelve hours",
    "reasoning": "output tokens spent on reasoning", "input_audio": "input tokens of audio",
    "output_audio": "output tokens of audio", "cache_read_audio": "cached input tokens of audio",
    "input_image": "input tokens of images", "output_image": "output tokens of images",
    "input_video": "input tokens of video", "web_search": "web searches", "requests": "billed requests",
    "audio_seconds": "seconds of audio", "usage_source": "reported or estimated, as the source says",
    "cost": "cost in USD as the source computed it",
    "user": "end user", "session": "conversation or session", "team": "team", "feature": "feature",
    "customer": "customer", "agent": "agent", "tool": "tool", "prompt_version": "version of the prompt",
    "raw_usage": "usage as an object, unpacked by the dialect", "level": "severity",
    "qualified_model": "model with the provider's name before it",
    "service": "service, where it comes on the span", "environment": "environment, where it comes on the span",
}  # fmt: skip

TOKEN_SLOTS: Final = frozenset((
    "input", "output", "total", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "cache_write_30m",
    "cache_write_12h", "reasoning", "input_audio", "output_audio", "cache_read_audio", "input_image", "output_image",
    "input_video", "web_search", "requests", "audio_seconds",
))  # fmt: skip

# OTel's operation names, and names that instrumentations invented, by what kind of span they mark.
_OPERATIONS_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    CALL: (
        "chat", "generate_content", "text_completion", "completion", "embeddings", "embedding", "responses", "response",
        "rerank", "reranking", "image_generation", "images", "generate_image", "image", "audio", "speech",
        "text_to_speech", "transcription", "transcribe", "speech_to_text", "moderation", "generate_text", "stream_text",
        "generate_object", "vision", "realtime", "llm_request", "inference", "chat_completion", "messages",
    ),
    AGGREGATE: (
        "invoke_agent", "create_agent", "invoke_workflow", "agent_step", "workflow", "agent", "chain", "graph", "task",
        "invoke_framework", "plan", "pipeline", "crew", "framework", "evaluate", "evaluation",
    ),
    TOOL: ("execute_tool", "tool", "tool_call", "execute_function"),
    RETRIEVAL: ("retrieval", "retriever", "vectordb", "search", "retrieve"),
    OTHER: (
        "count_tokens", "create_memory", "update_memory", "delete_memory", "search_memory", "read_memory",
        "upsert_memory", "create_memory_store", "delete_memory_store", "prompt", "parser",
    ),
}  # fmt: skip
OPERATIONS: Mapping[str, str] = {
    operation: span_type for span_type, operations in _OPERATIONS_BY_TYPE.items() for operation in operations
}

CANONICAL_OPERATIONS: Mapping[str, str] = {
    "embedding": "embeddings", "completion": "text_completion", "response": "chat", "responses": "chat",
    "messages": "chat", "chat_completion": "chat", "generate_text": "chat", "stream_text": "chat",
    "generate_object": "chat", "reranking": "rerank", "images": "image_generation", "llm_request": "chat",
}  # fmt: skip


SELDOM_SLOTS: Final = frozenset(
    ("input_audio", "output_audio", "cache_read_audio", "input_image", "output_image", "input_video", "cache_write_30m",
     "cache_write_12h", "web_search", "requests", "audio_seconds")
)  # fmt: skip
"""Kept out of the way of the common case: a span without them pays nothing for their existence."""


class Alternate(NamedTuple):
    """A name looked at after the walk: a seldom slot's (rank 0), or one used only where no better name is present."""

    rank: int
    slot: str


class _Mark:
    """What becomes of an attribute that fills no slot."""


REST: Final = _Mark()
CONTENT: Final = _Mark()
Slot = str | Alternate | _Mark

_MAX_LEARNED = 20_000
_MAX_SHAPES = 1024
_MAX_SHAPE_NAMES = 96


class Shape(NamedTuple):
    """What becomes of a span with exactly these attribute names. One source writes few shapes, over and over."""

    slots: tuple[str, ...]
    pick: Callable[[Mapping[str, Value]], tuple[Value, ...]]  # the values that fill ``slots``, in the same order
    content: tuple[str, ...]
    rest: tuple[str, ...]
    blanks_matter: bool  # whether a blank value under one name would hide another, or mislead ``prepare``


@dataclass(slots=True)
class Reading:
    """A span half read, as ``prepare`` sees it: facts by slot, content, what is left, and flags so far."""

    span: Span
    found: dict[str, Value]
    content: Attributes
    rest: Attributes
    flags: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something this source does not report. ``flag`` is put on calls concerned, where the missing fact costs money."""

    what: str
    flag: str | None = None
    providers: frozenset[str] | None = None  # None: all
    models: tuple[str, ...] | None = None  # beginnings of model families concerned; None: all
    slot: str = "cache_read"  # the flag is set only where this slot stayed empty


EVERYBODY: Final = frozenset({"*"})
NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(slots=True, kw_only=True)
class Dialect:
    """One source of spans."""

    name: str
    title: str
    checked: str  # versions the table was measured against
    counts: str  # one sentence: what its token counts include
    names: Names
    scopes: tuple[str, ...] = ()  # exact instrumentation scope names
    scope_prefixes: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()  # attributes that only this source writes, for spans whose scope was lost
    kinds: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # value of the ``kind`` slot, lower case -> span type
    operation_of_kind: Mapping[str, str] = field(default_factory=dict[str, str])
    default_type: str | None = (
        None  # where neither kind nor operation tells; None: a call if it names a model or provider
    )
    content: tuple[str, ...] = ()
    content_prefixes: tuple[str, ...] = ()
    input_excludes_cache_for: frozenset[str] = NOBODY  # canonical providers, or EVERYBODY
    output_excludes_reasoning_for: frozenset[str] = NOBODY
    absent_means_zero: frozenset[str] = frozenset()  # slots left out when zero, wherever totals are reported
    absent_stream_means: bool | None = None
    ttft_means_streaming: bool = True
    trusts_counts: bool = False  # never reread as exclusive: the source is ours
    keeps_ids_of: frozenset[str] | None = None  # providers whose response ids are passed on; None: all
    prepare: Callable[[Reading], None] | None = None
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    slots: dict[str, Slot] = field(init=False, repr=False)
    shapes: dict[tuple[str, ...], Shape | None] = field(init=False, repr=False, default_factory=dict[Any, Any])
    _prefixes: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = self.names.keys() - SLOTS.keys()
        if unknown:
            raise ValueError(f"dialect {self.name}: no such slots: {sorted(unknown)}")
        self.slots = dict.fromkeys((*COMMON_CONTENT, *self.content), CONTENT)
        for slot, names in self.names.items():
            for rank, name in enumerate(names):
                self.slots[name] = Alternate(rank, slot) if rank or slot in SELDOM_SLOTS else slot
        self._prefixes = (*COMMON_CONTENT_PREFIXES, *self.content_prefixes)

    def learn(self, name: str) -> Slot:
        """The slot of an attribute the table does not list, remembered so that prefixes are compared once per name."""
        slot = CONTENT if name.startswith(self._prefixes) else REST
        if len(self.slots) < _MAX_LEARNED and len(name) <= 256:
            self.slots[name] = slot
        return slot

    def shape(self, names: tuple[str, ...]) -> Shape | None:
        """The shape of a span with these attributes; None if its values decide (a count is present under two names)."""
        chosen: dict[str, tuple[int, str]] = {}
        content: list[str] = []
        rest: list[str] = []
        contested = rivals = False
        for name in names:
            slot = self.slots.get(name) or self.learn(name)
            if slot is CONTENT:
                content.append(name)
            elif slot is REST:
                rest.append(name)
            else:
                rank, fact = slot if isinstance(slot, Alternate) else (0, str(slot))
                rivals |= fact in chosen
                contested |= fact in chosen and fact in TOKEN_SLOTS
                chosen[fact] = min((rank, name), chosen.get(fact, (rank, name)))
        shape = None
        if not contested and len(chosen) > 1:
            pick = itemgetter(*(name for _, name in chosen.values()))
            shape = Shape(tuple(chosen), pick, tuple(content), tuple(rest), rivals or self.prepare is not None)
        if len(self.shapes) < _MAX_SHAPES and len(names) <= _MAX_SHAPE_NAMES:
            self.shapes[names] = shape
        return shape


# Texts of prompts, answers, tools and errors, whoever writes them. They go to ``Call.content`` and nowhere else.
COMMON_CONTENT: Final = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.description", "gen_ai.prompt",
    "gen_ai.completion", "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text", "gen_ai.request.messages",
    "gen_ai.response.messages", "gen_ai.system.message", "gen_ai.evaluation.explanation", "gen_ai.event.content",
    "input.value", "output.value", "db.query.text", "db.statement", "exception.message", "exception.stacktrace",
    "gen_ai.memory.records", "mcp.request.body", "mcp.response.body",
)  # fmt: skip
COMMON_CONTENT_PREFIXES: Final = (
    "gen_ai.prompt.", "gen_ai.completion.", "llm.prompts.", "llm.completions.", "llm.input_messages.",
    "llm.output_messages.", "gen_ai.input.messages.", "gen_ai.output.messages.",
)  # fmt: skip


def joined(first: Names, then: Names) -> Names:
    """One table of two: for every slot the names of ``first``, then those of ``then``."""
    slots = [*first, *(slot for slot in then if slot not in first)]
    return {slot: tuple(dict.fromkeys((*first.get(slot, ()), *then.get(slot, ())))) for slot in slots}
