"""What volume terms take off, worked out from what was used by now."""

from __future__ import annotations

from datetime import UTC, datetime

from outlay_collector.access.store import project_ids
from outlay_collector.costs.volume import store as volume
from outlay_collector.db.engine import connect
from outlay_collector.settings import Settings

SCHEDULE = "*/10 * * * *"


def settle_volume(settings: Settings, database_url: str) -> None:
    """Every project with volume terms, each in a transaction of its own."""
    with connect(database_url, application="outlay-volume") as connection:
        for project_id in project_ids(connection).values():
            volume.settle(connection, project_id, now=datetime.now(UTC), zone=settings.zone)
            connection.commit()
