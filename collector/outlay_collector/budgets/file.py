"""``budgets.yaml``: budgets as code. Read, and compared with those in force. Pure.

budgets:
  - name: team-search
    project: shop
    filter: {team: [search]}
    period: month
    amount: "1000"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

from outlay_collector.budgets.budget import Budget, as_json, parse
from outlay_collector.errors import BadRequest

Act = Literal["create", "change", "same", "prune", "leave"]

MOST_BUDGETS = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What applying does to one budget. ``differences``: key, value now, value then."""

    act: Act
    project: str
    name: str
    differences: tuple[tuple[str, object, object], ...] = ()


def read(text: str, *, file: str, project: str | None, currency: str, zone: ZoneInfo) -> list[Budget]:
    """All budgets of a file, as written in it; ``project`` is whose they are where it does not say. BadRequest otherwise."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadRequest(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(said, Mapping) or not isinstance(said.get("budgets"), list):
        raise BadRequest(f"{file}: write budgets: and below it a list, each item with name, project and amount.")
    unknown = [key for key in said if key not in ("budgets", "project")]
    if unknown:
        raise BadRequest(f"{file}: there is no key {unknown[0]!r:.80} at the top; there are project and budgets.")
    if len(said["budgets"]) > MOST_BUDGETS:
        raise BadRequest(f"{file}: at most {MOST_BUDGETS} budgets; got {len(said['budgets'])}.")
    project = said.get("project", project)
    found = [
        parse(
            one,
            where=f"{file}, item {number}" if not _name(one) else file,
            project=project,
            currency=currency,
            zone=zone,
        )
        for number, one in enumerate(said["budgets"], start=1)
    ]
    seen: set[tuple[str, str]] = set()
    for one in found:
        if (one.project, one.name) in seen:
            raise BadRequest(
                f"{file}, budget {one.name}: name stands there twice for project {one.project}; rename one."
            )
        seen.add((one.project, one.name))
    return found


def steps(wanted: Sequence[Budget], there: Sequence[Budget], *, prune: bool) -> list[Step]:
    """From what is in force to what is wanted, in the order of the file. Budgets that the file does not name are left, or
    (``prune``) removed, where the file speaks of their project."""
    known = {(one.project, one.name): one for one in there}
    found: list[Step] = []
    for one in wanted:
        was = known.get((one.project, one.name))
        differences = () if was is None else _differences(as_json(was), as_json(one))
        act: Act = "create" if was is None else "change" if differences else "same"
        found.append(Step(act=act, project=one.project, name=one.name, differences=differences))
    named = {(one.project, one.name) for one in wanted}
    about = {one.project for one in wanted}
    others: Act = "prune" if prune else "leave"
    found += [
        Step(act=others, project=one.project, name=one.name)
        for one in there
        if one.project in about and (one.project, one.name) not in named
    ]
    return found


def _differences(was: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[tuple[str, object, object], ...]:
    keys = [*was, *(key for key in wanted if key not in was)]
    return tuple((key, was.get(key), wanted.get(key)) for key in keys if was.get(key) != wanted.get(key))


def _name(one: object) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get("name"), str)
