"""What one call used, in the shape prices are quoted for.

Totals are inclusive, as the OpenTelemetry GenAI conventions (1.40 and later) and the OpenAI API count them:
``input_tokens`` holds cached and audio input, ``output_tokens`` holds reasoning and audio output. The parts say how
much of a total has a price of its own. ``None`` means nobody said; it is never read as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_TOKENS = 1_000_000_000
"""A count above this is a mistake of the sender, not a call: it is flagged and never priced."""


@dataclass(slots=True)
class Usage:
    """Counts of one call. All are tokens but the last three."""

    input_tokens: int | None = None
    cache_read_tokens: int | None = None  # part of input
    cache_write_tokens: int | None = None  # part of input; all lifetimes together
    cache_write_5m_tokens: int | None = None  # part of cache_write; also a provider's default lifetime
    cache_write_1h_tokens: int | None = None  # part of cache_write
    input_audio_tokens: int | None = None  # part of input
    cache_read_audio_tokens: int | None = None  # part of cache_read
    output_tokens: int | None = None
    reasoning_tokens: int | None = None  # part of output
    output_audio_tokens: int | None = None  # part of output
    web_search_calls: int | None = None
    requests: int | None = None
    audio_seconds: int | None = None
    extra: Mapping[str, int] = field(default_factory=dict[str, int])
    """Further parts by name: ``input_image``, ``output_image``, ``cache_write:30m`` …"""
