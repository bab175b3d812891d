"""Day partitions: which there should be, as data, so that a plan can be shown before it is carried out.

A day's part of table ``span`` is called ``span_p20261121`` and holds start times from that midnight (UTC, included) to
the next (excluded). Names sort like days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

DAY = timedelta(days=1)

Standing = Literal["attached", "detaching", "apart"]
"""Where a day's part stands. ``detaching``: its removal was interrupted half-way, and until that is finished no other day
of its table can be removed. ``apart``: a table by itself, which nobody reads."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table's part for one day."""

    table: str
    day: date
    standing: Standing


@dataclass(frozen=True, slots=True)
class Plan:
    """Days to make and days to drop. Of a plan that was carried out, ``left`` are those still in use: the next run's."""

    create: tuple[date, ...]
    drop: tuple[date, ...]
    left: tuple[date, ...] = ()


def plan(parts: Iterable[Part], tables: Iterable[str], *, today: date, ahead: int, retention: timedelta) -> Plan:
    """Make the coming ``ahead`` days; drop days that end before the retention horizon.

    A day within the horizon whose part stands apart is made again, which attaches it with what it holds.
    """
    have = list(parts)
    attached = {(part.table, part.day) for part in have if part.standing == "attached"}
    horizon = today - retention
    wanted = {today + DAY * n for n in range(ahead + 1)} | {part.day for part in have if part.day >= horizon}
    return Plan(
        create=tuple(sorted(day for day in wanted if any((table, day) not in attached for table in tables))),
        drop=tuple(sorted({part.day for part in have if part.day < horizon})),
    )


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
    attaching an empty table that looks alike conflicts with neither reading nor writing. One that stands apart already,
    left by an interrupted removal, is attached with what it holds.
    """
    part = partition_name(table, day)
    return (
        f"CREATE TABLE IF NOT EXISTS {part} (LIKE {table} INCLUDING ALL)",
        f"ALTER TABLE {table} ATTACH PARTITION {part} "
        f"FOR VALUES FROM ('{day:%Y-%m-%d} 00:00:00+00') TO ('{day + DAY:%Y-%m-%d} 00:00:00+00')",
    )


def detach_statement(table: str, day: date) -> str:
    """Take the part out without stopping anybody. Not inside a transaction; interrupted, the part is ``detaching``."""
    return f"ALTER TABLE {table} DETACH PARTITION {partition_name(table, day)} CONCURRENTLY"


def finish_statement(table: str, day: date) -> str:
    """What an interrupted detaching still needs."""
    return f"ALTER TABLE {table} DETACH PARTITION {partition_name(table, day)} FINALIZE"


def drop_statement(table: str, day: date) -> str:
    """Of a part that stands apart."""
    return f"DROP TABLE {partition_name(table, day)}"
