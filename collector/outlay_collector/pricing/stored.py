"""What a stored row says, as the values that rules work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlay_collector.pricing.usage import Usage

COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
)
_FURTHER = ("cache_read_audio_tokens", "web_search_calls", "requests", "audio_seconds")


def stored_usage(row: Any) -> Usage | None:
    """The usage in a row of ``span`` or ``call``, ``None`` if nobody said anything."""
    extra: dict[str, int] = dict(row.usage_extra or {})
    usage = Usage(
        **{name: getattr(row, name) for name in COUNTS},
        **{name: extra.pop(name) for name in _FURTHER if name in extra},
        extra=extra,
    )
    return None if usage == Usage() else usage


def usage_in_force(usage: Usage | None, joined: Mapping[str, Any] | None) -> Usage | None:
    """A call's own usage with that laid over it which settlement joined from other descriptions of the call."""
    told = (joined or {}).get("usage")
    return replace(usage or Usage(), **told) if told else usage
