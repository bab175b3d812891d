"""Daily windows in which a price holds: hours of the day, days of the week, in a zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Half open: ``start`` is in, ``end`` is out. ``end <= start`` runs past midnight and belongs to the day it began on.

    ``days`` counts Monday as 0. ``except_dates`` are days, in ``zone``, on which the window does not open.
    """

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY
    zone: str = "UTC"
    except_dates: frozenset[date] = frozenset()

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        return None if self.zone == "UTC" else ZoneInfo(self.zone)

    def contains(self, at: datetime) -> bool:
        """Is the instant ``at`` (aware) inside?"""
        local = at.astimezone(self._zone or UTC)
        clock, day = local.time(), local.date()
        if self.start < self.end:
            return self.start <= clock < self.end and self._opens_on(day)
        if clock >= self.start:
            return self._opens_on(day)
        return clock < self.end and self._opens_on(day - timedelta(days=1))

    def _opens_on(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.except_dates

    def turns(self, start: datetime, end: datetime) -> list[datetime]:
        """The instants after ``start`` and before ``end`` at which it opens or closes."""
        zone = self._zone or UTC
        found: set[datetime] = set()
        day = start.astimezone(zone).date() - timedelta(days=2)
        while (noon := datetime.combine(day, time(12), UTC)) < end + timedelta(days=2):
            found.update(
                datetime.combine(day, edge, zone).replace(fold=fold).astimezone(UTC)
                for edge in (self.start, self.end)
                for fold in (0, 1)
            )
            if noon.astimezone(zone).utcoffset() != (noon + timedelta(days=1)).astimezone(zone).utcoffset():
                # The clock is put forward or back on the way, at some quarter of an hour.
                found.update(noon + timedelta(minutes=15) * n for n in range(1, 97))
            day += timedelta(days=1)
        moment = timedelta(microseconds=1)
        return sorted(at for at in found if start < at < end and self.contains(at) is not self.contains(at - moment))

    def as_json(self) -> dict[str, object]:
        """The shape that the price table, the API and the YAML files share."""
        found: dict[str, object] = {"start": self.start.isoformat("minutes"), "end": self.end.isoformat("minutes")}
        if self.days != EVERY_DAY:
            found["days"] = [DAY_NAMES[day] for day in sorted(self.days)]
        if self.zone != "UTC":
            found["zone"] = self.zone
        if self.except_dates:
            found["except_dates"] = [day.isoformat() for day in sorted(self.except_dates)]
        return found

    @classmethod
    def from_json(cls, raw: dict[str, object]) -> Window:
        """Inverse of ``as_json``; ValueError or KeyError when it is not such a shape."""
        days, except_dates = raw.get("days"), raw.get("except_dates")
        return cls(
            start=time.fromisoformat(str(raw["start"])),
            end=time.fromisoformat(str(raw["end"])),
            days=_days(days) if days else EVERY_DAY,
            zone=str(raw.get("zone", "UTC")),
            except_dates=frozenset(date.fromisoformat(str(day)) for day in except_dates or ()),  # type: ignore[union-attr]
        )


def _days(raw: object) -> frozenset[int]:
    """``["mon", "fri"]``, ``"mon-fri"`` or ``"sat"``."""
    names = [str(name) for name in raw] if isinstance(raw, list) else str(raw).split(",")
    found: set[int] = set()
    for name in names:
        first, _, last = name.strip().lower().partition("-")
        found.update(range(DAY_NAMES.index(first), DAY_NAMES.index(last or first) + 1))
    return frozenset(found)
