"""The schema as SQLAlchemy Core sees it: for migrations and their test. Queries are in ``store.py`` and ``sql/``."""

from outlay_collector.db.tables import (
    alerts,
    attribution,
    bills,
    budgets,
    gpus,
    identity,
    ledger,
    months,
    operation,
    outcomes,
    prices,
    reprice,
    spans,
)
from outlay_collector.db.tables.base import metadata

__all__ = [
    "alerts",
    "attribution",
    "bills",
    "budgets",
    "gpus",
    "identity",
    "ledger",
    "metadata",
    "months",
    "operation",
    "outcomes",
    "prices",
    "reprice",
    "spans",
]
