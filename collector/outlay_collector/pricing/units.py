"""What providers put a price on, and which bucket of a call each unit pays for.

A bucket is a part of a call's usage that overlaps no other; the buckets of a call sum to its totals. The names are
open-ended: ``cache_write:<lifetime>`` exists for any lifetime, and a unit nobody listed here is counted as it is.
"""

from __future__ import annotations

TOKENS = 1_000_000

INPUT = "input"
CACHE_READ = "cache_read"
CACHE_WRITE = "cache_write"  # of the provider's default lifetime: 5 minutes at Anthropic, 30 at OpenAI
CACHE_WRITE_1H = "cache_write:1h"
INPUT_AUDIO = "input_audio"
CACHE_READ_AUDIO = "cache_read_audio"
OUTPUT = "output"
REASONING = "reasoning"
OUTPUT_THINKING = "output:thinking"  # every output token of a call that reasoned, where that has a price of its own
OUTPUT_AUDIO = "output_audio"
REQUEST = "request"
WEB_SEARCH = "web_search"
AUDIO_SECOND = "audio_second"

WHOLE_OF = {
    "input_text": INPUT,
    "input_image": INPUT,
    "input_video": INPUT,
    REASONING: OUTPUT,
    "output_text": OUTPUT,
}
"""Parts that are billed as their whole unless a price of their own exists.

Providers state both: reasoning is output, and pictures are turned into ordinary input tokens. Nothing else is taken
from another rate. Audio, cached input and longer cache lifetimes without a price stay without one.
"""

PER = {
    REQUEST: 1_000,
    "request:medium": 1_000,
    "request:high": 1_000,
    WEB_SEARCH: 1_000,
    "storage_search": 1_000,
    "social_search": 1_000,
    "rerank_search": 1_000,
    "code_execution": 1_000,
    "input_text_message": 1_000,
    "input_page": 1_000,
    "input_annotated_page": 1_000,
    AUDIO_SECOND: 3_600,
    "output_audio_second": 3_600,
    "input_pixel": 1_000_000_000,
}
"""How many of a unit its price is quoted for, where that is not a million."""


def per(unit: str) -> int:
    """How many of ``unit`` a list price is quoted for: a million tokens, a thousand searches, an hour of audio."""
    return PER.get(unit, TOKENS)


def is_cached_or_written(unit: str) -> bool:
    """True for the parts of input that came from, or went into, a prompt cache."""
    return unit.startswith(("cache_read", "cache_write"))
