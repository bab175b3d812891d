"""Dated rules that say for whom a call was made, and which of them decides. Pure.

Rules are asked in the order of their file. For each dimension the first rule decides that holds at the call's start, whose
conditions all hold, and that may set it: one that fills may not where instrumentation said something, one that overrides
may. Conditions look at what was reported, never at what another rule set; so rules do not build on each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

SETTABLE = ("team", "cost_center", "owner", "feature", "customer", "service", "environment", "account")
"""Dimensions that a rule can set; the view ``call`` lays them over what was reported."""

NEVER_REPORTED = ("cost_center", "owner")
"""Dimensions that no telemetry carries: only rules give them."""

TAG = "tag:"
CONDITIONS = (
    "project", "environment", "service", "release", "team", "feature", "step", "agent", "tool", "prompt_version",
    "customer", "user", "session", "provider", "account", "region", "model", "request_model", "operation",
    "service_tier", "api_key",
)  # fmt: skip
"""Dimensions that a rule can ask about, beside ``tag:<key>``."""

MEMORY = 20_000
"""So many combinations of values are remembered with what follows from them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``test`` is ``in``, ``prefix`` (both with values; one suffices), ``exists`` or ``missing``."""

    dimension: str
    test: str
    values: tuple[str, ...] = ()

    def holds(self, value: str | None) -> bool:
        match self.test:
            case "missing":
                return value is None
            case "exists":
                return value is not None
            case "prefix":
                return value is not None and value.startswith(self.values)
            case _:
                return value in self.values


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Holds for calls that start in ``[valid_from, valid_to)``; ``None``: since ever, until further notice."""

    name: str
    conditions: tuple[Condition, ...] = ()
    assigns: Mapping[str, str] = field(default_factory=dict[str, str])
    override: bool = False
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def covers(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    def holds(self, values: Mapping[str, str | None]) -> bool:
        return all(condition.holds(values.get(condition.dimension)) for condition in self.conditions)


class Decision(NamedTuple):
    """``value`` stands in place of what was reported, by the rule of that name."""

    dimension: str
    value: str
    rule: str


Decisions = tuple[Decision, ...]


class Rules:
    """The rules of one version, ready to be asked. ``version`` 0: there never were any."""

    def __init__(self, rules: Sequence[Rule] = (), version: int = 0) -> None:
        self.rules = tuple(rules)
        self.version = version
        self.assigned = tuple(name for name in SETTABLE if any(name in rule.assigns for rule in self.rules))
        asked = {condition.dimension for rule in self.rules for condition in rule.conditions}
        self.dimensions = tuple(sorted(asked.union(self.assigned) - set(NEVER_REPORTED)))
        bounds = {bound for rule in self.rules for bound in (rule.valid_from, rule.valid_to) if bound is not None}
        self.instants = tuple(sorted(bounds))
        self._in_force: dict[int, tuple[Rule, ...]] = {}
        self._remembered: dict[tuple[int, tuple[str | None, ...]], Decisions] = {}

    def segment(self, at: datetime) -> int:
        """Between which of ``instants`` a call started, counted as Postgres' ``width_bucket`` does."""
        return bisect_right(self.instants, at)

    def decide(self, segment: int, values: tuple[str | None, ...]) -> Decisions:
        """What is to be laid over ``values``, which are those of ``dimensions``; nothing where they say so already."""
        key = (segment, values)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= MEMORY:
                self._remembered.clear()
            found = decide(self._rules_of(segment), dict(zip(self.dimensions, values, strict=True)))
            self._remembered[key] = found
        return found

    def _rules_of(self, segment: int) -> tuple[Rule, ...]:
        if segment not in self._in_force:
            # Rules begin and end at ``instants`` only, so any instant of a segment stands for all of it.
            at = self.instants[segment - 1] if segment else None
            self._in_force[segment] = tuple(
                rule for rule in self.rules if (rule.valid_from is None if at is None else rule.covers(at))
            )
        return self._in_force[segment]


def decide(rules: Sequence[Rule], values: Mapping[str, str | None]) -> Decisions:
    """``rules`` all hold at the instant in question. ``values`` are as reported, absent ones ``None`` or left out."""
    decided: dict[str, Decision] = {}
    for rule in rules:
        if not rule.holds(values):
            continue
        for dimension, value in rule.assigns.items():
            if dimension not in decided and (rule.override or values.get(dimension) is None):
                decided[dimension] = Decision(dimension, value, rule.name)
    return tuple(one for one in decided.values() if one.value != values.get(one.dimension))
