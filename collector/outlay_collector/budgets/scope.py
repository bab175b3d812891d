"""What a budget is about: which calls are in it, whether one budget's calls are all in another's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from outlay_collector.ledger.reads.question import TAG, Filter

ABSENT = ""
"""The instance of a split budget for calls without a value."""

OTHER = "__other__"
"""The instance that holds what is beyond the cap."""

_DIMENSION_OF = {
    "user.id": "user",
    "session.id": "session",
    "gen_ai.conversation.id": "session",
    "service.name": "service",
    "service.version": "release",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "outlay.prompt.version": "prompt_version",
    "gen_ai.provider.name": "provider",
    "gen_ai.request.model": "request_model",
    "gen_ai.response.model": "model",
    "gen_ai.agent.name": "agent",
    "gen_ai.tool.name": "tool",
}


def contains(outer: Iterable[Filter], inner: Iterable[Filter]) -> bool:
    """Whether every call that passes ``inner`` passes ``outer`` too, as far as the filters themselves show it."""
    inside = list(inner)
    return all(any(_implies(one, wanted) for one in inside) for wanted in outer)


def _implies(one: Filter, wanted: Filter) -> bool:
    if one.dimension != wanted.dimension:
        return False
    values, allowed = set(one.values), set(wanted.values)
    if not wanted.values:  # it is there, or it is not
        if wanted.negated:
            return one.negated and not one.values
        return not one.negated
    if wanted.negated:  # none of these: an absent value is none of anything
        if one.negated:
            return not one.values or values >= allowed
        return bool(one.values) and values.isdisjoint(allowed)
    return not one.negated and bool(one.values) and values <= allowed


def dimensions_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """Span attributes as dimensions; names of dimensions are taken as they are."""
    found: dict[str, str] = {}
    for name, value in attributes.items():
        if name.startswith("outlay.tag."):
            found[TAG + name.removeprefix("outlay.tag.")] = value
        else:
            found[_DIMENSION_OF.get(name, name.removeprefix("outlay."))] = value
    return found


def may_be_in(filters: Iterable[Filter], known: Mapping[str, str]) -> bool:
    """Whether a call with these dimensions, and others that are not known, can be in the scope."""
    for one in filters:
        value = known.get(one.dimension)
        if value is None:
            continue
        if not one.values:
            if one.negated:
                return False
        elif (value in one.values) == one.negated:
            return False
    return True
