"""Which projects a request may speak of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from outlay_collector.access.api import projects_of
from outlay_collector.access.keys import Access
from outlay_collector.errors import NotFound
from outlay_collector.state import State

EVERYWHERE = Access(key_id="key00001", project_id=None, scopes=frozenset({"read"}))
IN_SHOP = Access(key_id="key00002", project_id=1, scopes=frozenset({"read"}))


def a_state(known: dict[str, int], *, appears: dict[str, int] | None = None) -> State:
    """A collector that knows ``known``, and ``appears`` once it looks again."""
    seen = dict(known)
    state: Any = SimpleNamespace(project_ids=lambda: seen, look_again=lambda: seen.update(appears or {}))
    return cast("State", state)


def test_a_project_made_a_moment_ago_is_looked_for() -> None:
    assert projects_of(EVERYWHERE, "new", a_state({"shop": 1}, appears={"new": 2})) == [2]
    assert projects_of(IN_SHOP, "shop", a_state({}, appears={"shop": 1})) == [1]


def test_a_project_of_others_and_one_that_is_not_there_get_the_same_answer() -> None:
    said: list[str] = []
    for name in ("other", "nobody"):
        with pytest.raises(NotFound) as refused:
            projects_of(IN_SHOP, name, a_state({"shop": 1, "other": 2}))
        said.append(str(refused.value).replace(name, "…"))
    assert said[0] == said[1]


def test_without_a_name_it_is_all_that_the_key_may_see() -> None:
    state = a_state({"shop": 1, "search": 2})
    assert projects_of(EVERYWHERE, None, state) == [1, 2]
    assert projects_of(IN_SHOP, None, state) == [1]
