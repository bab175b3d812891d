"""A bridge as the API shows it: effects in their order, groups with the filter that finds their calls."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from outlay_collector.ledger.bridge import Bridge, Effect, Group, Part


def as_json(found: Bridge, dimensions: Sequence[str], shown: Sequence[str], most: int) -> dict[str, Any]:
    """``shown`` are the dimensions asked for; the groups of ``found`` may be finer."""
    parts = _merged(found.parts, [dimensions.index(name) for name in shown])
    return {
        "before": format(found.before, "f"),
        "after": format(found.after, "f"),
        "change": format(found.after - found.before, "f"),
        "effects": [_effect(effect, found.effects[effect]) for effect in found.effects],
        "parts": [_part(part, shown) for part in parts[:most]],
        "parts_left_out": max(len(parts) - most, 0),
    }


def _merged(parts: Sequence[Part], kept: Sequence[int]) -> list[Part]:
    sums: dict[Group, Part] = {}
    for part in parts:
        group = tuple(part.group[at] for at in kept)
        old = sums.get(group)
        if old is None:
            sums[group] = Part(group=group, before=part.before, after=part.after, effects=dict(part.effects))
        else:
            effects = dict(old.effects)
            for effect, amount in part.effects.items():
                effects[effect] = effects.get(effect, Decimal(0)) + amount
            sums[group] = Part(
                group=group, before=old.before + part.before, after=old.after + part.after, effects=effects
            )
    return sorted(sums.values(), key=lambda part: (-abs(part.change), tuple(str(value) for value in part.group)))


def _part(part: Part, names: Sequence[str]) -> dict[str, Any]:
    of = dict(zip(names, part.group, strict=True))
    return {
        **of,
        "before": format(part.before, "f"),
        "after": format(part.after, "f"),
        "change": format(part.change, "f"),
        "effects": [_effect(effect, part.effects[effect]) for effect in Effect if part.effects.get(effect)],
        "filter": [f"{name}!:*" if value is None else f"{name}:{value}" for name, value in of.items()],
    }


def _effect(effect: Effect, amount: Decimal) -> dict[str, str]:
    return {"effect": effect.value, "amount": format(amount, "f")}
