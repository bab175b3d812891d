"""A shop with budgets: what is told of them, and how often."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from outlay_collector.budgets import store
from outlay_collector.budgets.budget import Budget, parse
from outlay_collector.budgets.stored import Stored
from outlay_collector.budgets.watch import store as watch

from tests.integration.shop import UTC_ZONE, Shop


class Purse(Shop):
    """Every call of ``shop.a_call`` costs 0.21."""

    @property
    def project(self) -> str:
        row = self.connection.execute("SELECT name FROM project WHERE id = %s", (self.project_id,)).fetchone()
        assert row is not None
        return row[0]

    def spec(self, **said: Any) -> Budget:
        wanted = {"name": "all", "amount": "0.40", "thresholds": [{"percent": 50}, {"percent": 100}], **said}
        return parse(wanted, where="", project=self.project, currency="USD", zone=UTC_ZONE)

    def budget(self, *, now: datetime | None = None, **said: Any) -> Stored:
        budget = self.spec(**said)
        store.save(self.connection, self.project_id, [budget], actor="test", now=now or datetime.now(UTC))
        self.connection.commit()
        return self.there(budget.name)

    def there(self, name: str = "all") -> Stored:
        (found,) = [one for one in store.active(self.connection, [self.project_id]) if one.budget.name == name]
        self.connection.commit()
        return found

    def follow(self, now: datetime | None = None) -> int:
        """Settle, and let the budgets follow until there is nothing left to do; events told."""
        self.settle()
        told = 0
        while True:
            done = watch.follow(self.connection, self.project_id, now=now or datetime.now(UTC))
            assert done is not None
            told += done.told
            if not done.more:
                return told

    def sweep(self, now: datetime) -> int:
        told = watch.sweep(self.connection, self.project_id, now=now)
        assert told is not None
        return told

    def events(self) -> list[tuple[str, str]]:
        """Type and title, oldest first."""
        rows = self.connection.execute(
            "SELECT type, title FROM alert_event WHERE project_id = %s ORDER BY created_at, type", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return rows

    def types(self) -> list[str]:
        return [kind for kind, _ in self.events()]

    def rows(self) -> list[tuple[str, str, int]]:
        """What was told: instance, threshold, epoch."""
        rows = self.connection.execute(
            "SELECT instance, threshold, epoch FROM budget_alert JOIN budget ON budget.id = budget_id"
            " WHERE project_id = %s ORDER BY 1, 2, 3",
            (self.project_id,),
        ).fetchall()
        self.connection.commit()
        return rows
