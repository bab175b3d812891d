"""Which colour an entity wears. The same on every page and in every report, whatever else is shown beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from outlay_dashboard.theme import Look

_FOR_THE_SMALL = 2

# Providers everybody knows have a place of their own in the palette.
_PROVIDERS = {
    "openai": 0,
    "anthropic": 2,
    "gcp.gemini": 1,
    "gcp.vertex_ai": 1,
    "gcp.gen_ai": 1,
    "google": 1,
    "aws.bedrock": 4,
    "azure.ai.openai": 5,
    "azure.ai.inference": 5,
    "mistral_ai": 1,
    "vllm": 3,
    "deepseek": 4,
}


def places(dimension: str, ranked: Sequence[str | None], size: int) -> dict[str | None, int]:
    """A place in a palette of ``size`` colours for each of the first ``size`` of ``ranked``, no place given twice.

    An entity takes the place its own name hashes to; only when a larger one already sits there does it move to the
    next free one. So a place depends on the few entities ranked above it, not on the order or the number of the
    others, and stays the same while ranks below change. ``ranked`` comes from one question about a long, fixed
    stretch of time (not from the window on screen), which is what keeps it equal between pages.
    """
    taken: dict[int, str | None] = {}
    for rank, key in enumerate(ranked[:size]):
        # The last hues of the palette are for the small: a large area in pale pink or brown reads badly.
        within = size - _FOR_THE_SMALL if rank < size - _FOR_THE_SMALL else size
        start = preferred_place(dimension, key, within)
        place = next(place % within for place in range(start, start + within) if place % within not in taken)
        taken[place] = key
    return {key: place for place, key in taken.items()}


def colours(
    dimension: str, shown: Sequence[str | None], ranked: Sequence[str | None], look: Look
) -> dict[str | None, str]:
    """The colour of each entity in ``shown``: by ``places`` if ranked, else a free one, else a shared one."""
    palette = look.categories
    fixed = places(dimension, ranked, len(palette))
    found = {key: fixed[key] for key in shown if key in fixed}
    free = [place for place in range(len(palette)) if place not in found.values()]
    for key in shown:
        if key in found:
            continue
        wanted = preferred_place(dimension, key, len(palette))
        if free:
            wanted = wanted if wanted in free else free[0]
            free.remove(wanted)
        found[key] = wanted
    return {key: palette[place] for key, place in found.items()}


def preferred_place(dimension: str, key: str | None, size: int) -> int:
    if dimension == "provider" and key in _PROVIDERS:
        return _PROVIDERS[key] % size
    # sha256, not hash(): the place must be the same in every process.
    return hashlib.sha256(f"{dimension}\n{key}".encode()).digest()[0] % size
