"""Budgets above budgets: a parent holds all that its children hold, and of both the more restrictive decides. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from outlay_collector.budgets.budget import Budget, plain
from outlay_collector.budgets.periods import period_at
from outlay_collector.budgets.scope import contains
from outlay_collector.errors import BadRequest

MOST_GENERATIONS = 10


def ancestors(name: str, budgets: Mapping[str, Budget]) -> list[Budget]:
    """The budget's parent, its parent and so on, of one project's budgets by name."""
    found: list[Budget] = []
    one = budgets.get(name)
    while one is not None and one.parent is not None and len(found) < MOST_GENERATIONS:
        one = budgets.get(one.parent)
        if one is not None:
            found.append(one)
    return found


def check(budgets: Mapping[str, Budget], *, now: datetime, where: str = "") -> None:
    """That a project's budgets fit together; BadRequest that says which does not, and why."""
    for budget in budgets.values():
        if budget.parent is None:
            continue
        said = f"{where}, budget {budget.name}" if where else f"budget {budget.name}"
        parent = budgets.get(budget.parent)
        if parent is None:
            raise BadRequest(
                f"{said}: parent cannot be {budget.parent!r}; there is no such budget in {budget.project}."
            )
        if parent.name == budget.name or budget.name in [one.name for one in ancestors(parent.name, budgets)]:
            raise BadRequest(f"{said}: parent cannot be {budget.parent!r}; that one stands below it.")
        if len(ancestors(budget.name, budgets)) >= MOST_GENERATIONS:
            raise BadRequest(
                f"{said}: parent cannot be {budget.parent!r}; at most {MOST_GENERATIONS} stand above each other."
            )
        if not contains(parent.filters, budget.filters):
            raise BadRequest(
                f"{said}: parent cannot be {budget.parent!r}; that one's filter lets calls out that this one's lets in. "
                "Repeat the parent's filter in the child."
            )
    for parent in budgets.values():
        if parent.strict:
            _check_sum(parent, [one for one in budgets.values() if one.parent == parent.name], now, where)


def _check_sum(parent: Budget, children: Sequence[Budget], now: datetime, where: str) -> None:
    """Children of the same calendar may not add up to more than a strict parent; split ones have no sum."""
    alike = [one for one in children if one.calendar == parent.calendar and one.per is None]
    period = period_at(parent.calendar, now)
    amount = parent.plan.amount(parent.calendar, period)
    total = sum((one.plan.amount(one.calendar, period) for one in alike), Decimal(0))
    if total > amount:
        said = f"{where}, budget {parent.name}" if where else f"budget {parent.name}"
        names = ", ".join(sorted(one.name for one in alike))
        raise BadRequest(
            f"{said}: it is strict, and {names} add up to {plain(total)} of its {plain(amount)} {parent.currency}; "
            "lower them, or leave strict out."
        )
