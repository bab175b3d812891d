"""Day partitions: which there should be, as data, so that a plan can be shown before it is carried out.

A day's part of table ``span`` is called ``span_p20261121`` and holds start times from that midnight (UTC, included) to
the next (excluded). Names sort like days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    create: tuple[date, ...]
    drop: tuple[date, ...]


def plan(existing: Iterable[date], *, today: date, ahead: int, retention: timedelta) -> Plan:
    """Make the coming ``ahead`` days; drop days that end before the retention horizon."""
    have = set(existing)
    wanted = {today + DAY * n for n in range(ahead + 1)}
    horizon = today - retention
    return Plan(create=tuple(sorted(wanted - have)), drop=tuple(sorted(day for day in have if day < horizon)))


def partition_name(table: str, day: date) -> str:
    return f"{table}_p{day:%Y%m%d}"


def day_of_partition(name: str) -> date | None:
    """The day a partition is for, ``None`` when the name is not one of ours."""
    digits = name.rpartition("_p")[2]
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date() if len(digits) == 8 else None
    except ValueError:
        return None


def create_statements(table: str, day: date) -> tuple[str, str]:
    """Make the day's part beside the table, then attach it.

    ``CREATE TABLE … PARTITION OF`` would wait for every reader of the table, and make everybody else wait behind it;
    attaching an empty table that looks alike conflicts with neither reading nor writing.
    """
    part = partition_name(table, day)
    return (
        f"CREATE TABLE {part} (LIKE {table} INCLUDING ALL)",
        f"ALTER TABLE {table} ATTACH PARTITION {part} "
        f"FOR VALUES FROM ('{day:%Y-%m-%d} 00:00:00+00') TO ('{day + DAY:%Y-%m-%d} 00:00:00+00')",
    )


def drop_statements(table: str, day: date) -> tuple[str, str]:
    """Detach without stopping anybody, then drop what nobody sees any more. Not inside a transaction."""
    part = partition_name(table, day)
    return f"ALTER TABLE {table} DETACH PARTITION {part} CONCURRENTLY", f"DROP TABLE {part}"
