"""How Alembic runs here: on a connection that ``db.migrate`` opened, locked and bounded by timeouts."""

from __future__ import annotations

from alembic import context
from outlay_collector.db.migrate import is_ours
from outlay_collector.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=is_ours,
    transaction_per_migration=True,
    version_table="outlay_revision",
)
with context.begin_transaction():
    context.run_migrations()
