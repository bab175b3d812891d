"""How a model's row recognises a name, and how a thousand of them are asked at once.

A clause is JSON: ``{"equals": "gpt-4o"}``, ``{"starts_with": …}``, ``{"ends_with": …}``, ``{"contains": …}``,
``{"glob": "claude-*"}``, ``{"regex": …}``, ``{"or": […]}``, ``{"and": […]}``. Names are compared in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from outlay_collector.pricing.rows import ModelRow

Test = Callable[[str], int]
"""Answers how many characters of the name the clause pins down; 0 when it does not match."""

_EXACT = 1_000_000


def compiled(clause: Mapping[str, Any]) -> Test:
    """The clause as a function; ValueError when it is not a clause."""
    ((kind, value),) = clause.items()
    if kind in ("or", "and"):
        tests = [compiled(part) for part in value]
        if kind == "or":
            return lambda name: max((test(name) for test in tests), default=0)
        return lambda name: min((test(name) for test in tests), default=0)
    text = str(value).lower()
    if kind == "equals":
        return lambda name: _EXACT if name == text else 0
    if kind == "starts_with":
        return lambda name: len(text) if name.startswith(text) else 0
    if kind == "ends_with":
        return lambda name: len(text) if name.endswith(text) else 0
    if kind == "contains":
        return lambda name: len(text) if text in name else 0
    if kind == "glob":
        pinned = 1 + len(text) - text.count("*")
        return lambda name: pinned if fnmatchcase(name, text) else 0
    if kind == "regex":
        pattern = re.compile(str(value), re.IGNORECASE)
        return lambda name: _regex_score(pattern, name)
    raise ValueError(f"{kind!r} is no match clause; use equals, starts_with, ends_with, contains, glob, regex, or, and")


def _regex_score(pattern: re.Pattern[str], name: str) -> int:
    # A pattern of lookaheads matches nothing in particular: inside "and" it must not hide how much its neighbours pin down.
    found = pattern.search(name)
    if not found:
        return 0
    return found.end() - found.start() or _EXACT


class Names:
    """The models of one layer and provider, ready to be asked by name."""

    __slots__ = ("_exact", "_others")

    def __init__(self, models: Iterable[ModelRow]) -> None:
        self._exact: dict[str, list[ModelRow]] = {}
        self._others: list[tuple[Test, ModelRow]] = []
        for model in sorted(models, key=lambda row: row.position):
            rest: list[Mapping[str, Any]] = []
            for clause in _alternatives(model.match):
                if "equals" in clause:
                    self._exact.setdefault(str(clause["equals"]).lower(), []).append(model)
                else:
                    rest.append(clause)
            if rest:
                self._others.append((compiled({"or": rest}), model))

    def find(self, name: str, project_id: int | None = None) -> ModelRow | None:
        """The model called ``name`` (lower case): the one that names it exactly, else the one that pins down most of it."""
        for model in self._exact.get(name, ()):
            if model.project_id is None or model.project_id == project_id:
                return model
        best, found = 0, None
        for test, model in self._others:
            if (model.project_id is None or model.project_id == project_id) and (score := test(name)) > best:
                best, found = score, model
        return found

    def find_all(self, name: str, project_id: int | None = None) -> Iterable[tuple[int, ModelRow]]:
        """Every model that recognises ``name``, with how much of it that pins down."""
        for model in self._exact.get(name, ()):
            if model.project_id is None or model.project_id == project_id:
                yield _EXACT, model
        for test, model in self._others:
            if (model.project_id is None or model.project_id == project_id) and (score := test(name)):
                yield score, model

    def exact_names(self) -> Iterable[str]:
        """Names listed one by one; what a misspelt name is compared with."""
        return self._exact


def _alternatives(clause: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "or" in clause:
        for part in clause["or"]:
            yield from _alternatives(part)
    else:
        yield clause
