"""The file of attribution rules: YAML into rules, or a sentence that names the rule, the key, the value and the way out.

::

    rules:
      - name: search keys                       # what previews and lists call it
        when:                                   # all must hold; no ``when``: every call
          api_key: [k1, k2]                     # one of; a single text: equal to
          service: {prefix: search-}
          team: {missing: true}                 # or {exists: true}
          tag:tier: gold
        set: {team: search, cost_center: "4711", owner: kim}
        override: true                          # default false: fill what instrumentation left empty
        valid_from: 2026-01-01                  # included; default since ever
        valid_to: 2026-07-01                    # excluded; default until further notice
    shared:                                     # see sharing.py
      - name: platform
        costs: {project: platform}
        split: proportional
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import yaml

from outlay_collector.db.names import ALLOCATION_DIMENSIONS
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.attribution.rules import CONDITIONS, SETTABLE, TAG, Condition, Rule
from outlay_collector.ledger.attribution.sharing import EVEN, FIXED, PROPORTIONAL, SharedRule

MAX_BYTES = 1024 * 1024
MAX_RULES = 5_000
MAX_TEXT = 1_024
"""As many characters as a span keeps of a dimension."""

_ALIASES = {"key": "api_key"}
_RULE_KEYS = ("name", "when", "set", "override", "valid_from", "valid_to")
_SHARED_KEYS = ("name", "costs", "split", "over", "shares", "valid_from", "valid_to")
_TESTS = ("in", "prefix", "exists", "missing")
_SPLITS = (EVEN, PROPORTIONAL, FIXED)


@dataclass(frozen=True, slots=True)
class Document:
    """A file, read."""

    rules: tuple[Rule, ...] = ()
    shared: tuple[SharedRule, ...] = ()


class _Texts(yaml.BaseLoader):
    """Every scalar a text, so that 0042 keeps its zeros; and a key that stands twice is a mistake, not the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise BadRequest(f"line {key.start_mark.line + 1}: {key.value!r:.80} stands twice; keep one of them.")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


@lru_cache(maxsize=16)
def read(text: str, zone: ZoneInfo, name: str = "the rules") -> Document:
    """BadRequest that begins with ``name`` (a file's) when there is anything wrong. Bare dates are midnights of ``zone``."""
    if len(text.encode()) > MAX_BYTES:
        raise BadRequest(f"{name}: more than {MAX_BYTES:,} bytes; split conditions into fewer rules.")
    try:
        raw = yaml.load(text, Loader=_Texts)  # noqa: S506  # A BaseLoader makes text only.
        return _document(raw, zone)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise BadRequest(f"{name}: {where}this is no YAML ({getattr(error, 'problem', None) or error}).") from error
    except BadRequest as error:
        raise BadRequest(f"{name}: {error}") from error


def _document(raw: Any, zone: ZoneInfo) -> Document:
    whole = _mapping(raw or {}, "the file")
    _known(whole, ("rules", "shared"), "the file")
    rules = _listed(whole.get("rules"), "rules")
    shared = _listed(whole.get("shared"), "shared")
    if len(rules) + len(shared) > MAX_RULES:
        raise BadRequest(
            f"{len(rules) + len(shared):,} rules are more than {MAX_RULES:,}; join some with a list of values."
        )
    found = Document(
        tuple(_rule(one, number, zone) for number, one in enumerate(rules, 1)),
        tuple(_shared(one, number, zone) for number, one in enumerate(shared, 1)),
    )
    for names in ([rule.name for rule in found.rules], [rule.name for rule in found.shared]):
        for name in names:
            if names.count(name) > 1:
                raise BadRequest(f"rule {name!r:.80}: name: two rules have it; previews could not tell them apart.")
    return found


def _rule(raw: Any, number: int, zone: ZoneInfo) -> Rule:
    where = _where(raw, number, "rule")
    said = _mapping(raw, where)
    _known(said, _RULE_KEYS, where)
    start, end = _validity(said, where, zone)
    return Rule(
        name=_name(said, where),
        conditions=_conditions(said.get("when"), f"{where}: when", (*CONDITIONS,)),
        assigns=_assigns(said.get("set"), where),
        override=_boolean(said.get("override", "false"), f"{where}: override"),
        valid_from=start,
        valid_to=end,
    )


def _shared(raw: Any, number: int, zone: ZoneInfo) -> SharedRule:
    where = _where(raw, number, "shared rule")
    said = _mapping(raw, where)
    _known(said, _SHARED_KEYS, where)
    split = _text(said.get("split"), f"{where}: split")
    if split not in _SPLITS:
        raise BadRequest(f"{where}: split: {split!r:.80} is no way to share; there are {', '.join(_SPLITS)}.")
    costs = _conditions(said.get("costs"), f"{where}: costs", ("project", *ALLOCATION_DIMENSIONS), tags=False)
    if not costs:
        raise BadRequest(f"{where}: costs: say which spend is shared, such as {{project: platform}}.")
    start, end = _validity(said, where, zone)
    return SharedRule(
        name=_name(said, where),
        costs=costs,
        split=split,
        over=tuple(_texts(said["over"], f"{where}: over")) if "over" in said else (),
        shares=_shares(said, split, where),
        valid_from=start,
        valid_to=end,
    )


def _shares(said: Mapping[str, Any], split: str, where: str) -> dict[str, Decimal]:
    if split != FIXED:
        if "shares" in said:
            raise BadRequest(f"{where}: shares: only split: fixed has shares; this one is {split}.")
        return {}
    if "over" in said:
        raise BadRequest(f"{where}: over: with split: fixed the shares name the cost centers; leave over out.")
    shares: dict[str, Decimal] = {}
    for center, text in _mapping(said.get("shares") or {}, f"{where}: shares").items():
        try:
            share = Decimal(str(text).removesuffix("%"))
        except InvalidOperation as error:
            raise BadRequest(
                f"{where}: shares: {center}: {text!r:.80} is no number; write percent, such as 60."
            ) from error
        if not share.is_finite() or share <= 0:
            raise BadRequest(
                f"{where}: shares: {center}: {text!r:.80} is not more than 0; leave it out if it bears nothing."
            )
        shares[center] = share
    total = sum(shares.values(), Decimal(0))
    if total != 100:
        raise BadRequest(f"{where}: shares: they add up to {total:f} percent; they must add up to 100.")
    return shares


def _assigns(raw: Any, where: str) -> dict[str, str]:
    said = _mapping(raw or {}, f"{where}: set")
    if not said:
        raise BadRequest(f"{where}: set: nothing is set; name at least one of {', '.join(SETTABLE)}.")
    for dimension in said:
        if dimension not in SETTABLE:
            raise BadRequest(
                f"{where}: set: {dimension!r:.80} cannot be set by a rule; what can is {', '.join(SETTABLE)}."
            )
    return {dimension: _text(value, f"{where}: set: {dimension}") for dimension, value in said.items()}


def _conditions(raw: Any, where: str, allowed: Sequence[str], *, tags: bool = True) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for said, test in _mapping(raw or {}, where).items():
        dimension = _ALIASES.get(said, said)
        if dimension not in allowed and not (
            tags and dimension.startswith(TAG) and 0 < len(dimension) - len(TAG) <= 200
        ):
            names = ", ".join((*allowed, "tag:<key>") if tags else allowed)
            raise BadRequest(f"{where}: {said!r:.80} is no dimension that can be asked about; there are {names}.")
        found += _tests(dimension, test, f"{where}: {said}")
    return tuple(found)


def _tests(dimension: str, raw: Any, where: str) -> list[Condition]:
    if not isinstance(raw, Mapping):
        return [Condition(dimension, "in", tuple(_texts(raw, where)))]
    tests = cast("Mapping[str, Any]", raw)
    _known(tests, _TESTS, where)
    if not tests:
        raise BadRequest(f"{where}: nothing is asked; there are {', '.join(_TESTS)}.")
    found: list[Condition] = []
    for test, value in tests.items():
        if test in ("exists", "missing"):
            positive = _boolean(value, f"{where}: {test}")
            found.append(Condition(dimension, test if positive else "missing" if test == "exists" else "exists"))
        else:
            found.append(Condition(dimension, test, tuple(_texts(value, f"{where}: {test}"))))
    return found


def _validity(said: Mapping[str, Any], where: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    start, end = (_instant(said.get(name), f"{where}: {name}", zone) for name in ("valid_from", "valid_to"))
    if start is not None and end is not None and start >= end:
        raise BadRequest(
            f"{where}: valid_to: {said['valid_to']!r:.60} is not after valid_from; the rule would never hold."
        )
    return start, end


def _instant(raw: Any, where: str, zone: ZoneInfo) -> datetime | None:
    if raw is None:
        return None
    text = _text(raw, where)
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{where}: {text!r:.60} is no date; write one such as 2026-11-01 or 2026-11-01T09:00:00Z."
        ) from error


def _where(raw: Any, number: int, kind: str) -> str:
    name = cast("Mapping[str, Any]", raw).get("name") if isinstance(raw, Mapping) else None
    return f"{kind} {name!r:.80}" if isinstance(name, str) and name else f"{kind} {number}"


def _name(said: Mapping[str, Any], where: str) -> str:
    if "name" not in said:
        raise BadRequest(f"{where}: name: a rule needs one; previews say by which rule money moves.")
    return _text(said["name"], f"{where}: name")


def _known(said: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for key in said:
        if key not in names:
            raise BadRequest(f"{where}: {key!r:.80} is no key here; there are {', '.join(names)}.")


def _mapping(raw: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise BadRequest(f"{where}: {raw!r:.80} stands where keys with values are expected, such as team: search.")
    return cast("Mapping[str, Any]", raw)


def _listed(raw: Any, where: str) -> Sequence[Any]:
    if raw in (None, ""):
        return ()
    if not isinstance(raw, list):
        raise BadRequest(f"{where}: {raw!r:.80} is no list; begin each rule with a dash.")
    return cast("list[Any]", raw)


def _texts(raw: Any, where: str) -> list[str]:
    values = cast("list[Any]", raw) if isinstance(raw, list) else [raw]
    if not values:
        raise BadRequest(f"{where}: the list is empty, so no call would be meant; name at least one value.")
    return [_text(value, where) for value in values]


def _text(raw: Any, where: str) -> str:
    if not isinstance(raw, str):
        raise BadRequest(f"{where}: {raw!r:.80} is no plain text; write one value.")
    if not raw or len(raw) > MAX_TEXT or "\x00" in raw:
        raise BadRequest(f"{where}: {raw!r:.80} is empty or longer than {MAX_TEXT} characters; write a shorter text.")
    return raw


def _boolean(raw: Any, where: str) -> bool:
    if raw not in ("true", "false"):
        raise BadRequest(f"{where}: {raw!r:.80} is neither true nor false; write one of them.")
    return raw == "true"
