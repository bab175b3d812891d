"""What an import would change: which rows to close, which to open, and what a reader should be told.

Two kinds of publishers. A *reviewed* one (our files) says everything that holds and held: its rows replace ours. An
*observed* one (the catalogue) mostly says only what holds now: a changed number without a date ends the old price at the
moment it was seen, and what it no longer mentions keeps the history we have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from outlay_collector.pricing.rows import ModelRow, PriceRow
from outlay_collector.pricing.windows import Window

MOST_CHANGE = 10
"""A price that became more than this many times larger or smaller is taken for a mistake until somebody says it is not."""

Key = tuple[str, str, str, str, str | None, int, Window | None, str | None, str, int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One price as a reader of the diff sees it. None: there was, or is, none."""

    provider: str
    model: str
    unit: str
    tier: str | None
    context_over: int
    old: Decimal | None
    new: Decimal | None
    per: int
    currency: str
    valid_from: datetime | None = None


@dataclass(slots=True)
class Diff:
    """Closing and opening these rows applies the import. ``refusals`` are sentences; any of them stops it."""

    close: list[PriceRow] = field(default_factory=list[PriceRow])
    open: list[PriceRow] = field(default_factory=list[PriceRow])
    close_models: list[ModelRow] = field(default_factory=list[ModelRow])
    open_models: list[ModelRow] = field(default_factory=list[ModelRow])
    added: list[Changed] = field(default_factory=list[Changed])
    changed: list[Changed] = field(default_factory=list[Changed])
    ended: list[Changed] = field(default_factory=list[Changed])
    refusals: list[str] = field(default_factory=list[str])

    @property
    def is_empty(self) -> bool:
        return not (self.close or self.open or self.close_models or self.open_models)

    def join(self, other: Diff) -> None:
        for name in ("close", "open", "close_models", "open_models", "added", "changed", "ended", "refusals"):
            getattr(self, name).extend(getattr(other, name))

    def summary(self) -> dict[str, int]:
        return {
            "models_opened": len(self.open_models),
            "models_closed": len(self.close_models),
            "prices_opened": len(self.open),
            "prices_closed": len(self.close),
            "added": len(self.added),
            "changed": len(self.changed),
            "ended": len(self.ended),
        }


def key_of(row: PriceRow) -> Key:
    """What one line of prices over time is about."""
    return (
        row.layer,
        row.provider,
        row.model,
        row.unit,
        row.tier,
        row.context_over,
        row.window,
        row.region_class,
        row.currency,
        row.project_id,
    )


def reviewed(ours: Iterable[PriceRow], theirs: Iterable[PriceRow]) -> Diff:
    """``theirs`` is all there is: rows that differ are closed, and opened as they are now said."""
    diff = Diff()
    before, after = _grouped(ours), _grouped(theirs)
    for key in before.keys() | after.keys():
        old, new = before.get(key, []), after.get(key, [])
        if [_said(row) for row in old] == [_said(row) for row in new]:
            continue
        diff.close.extend(old)
        diff.open.extend(new)
        _tell(diff, old, new)
    return diff


def observed(ours: Iterable[PriceRow], theirs: Iterable[PriceRow], *, at: datetime) -> Diff:
    """``theirs`` is what a catalogue says at the instant ``at``."""
    diff = Diff()
    before, after = _grouped(ours), _grouped(theirs)
    listed = {key[1:3] for key in after}
    for key in before.keys() | after.keys():
        old, new = before.get(key, []), after.get(key, [])
        if not new and key[1:3] not in listed:
            continue  # A model that is no longer listed keeps the prices it had: its calls stay what they were.
        wanted = _merged(old, new, at)
        if [_amounts(row) for row in old] == [_amounts(row) for row in wanted]:
            continue
        diff.close.extend(old)
        diff.open.extend(wanted)
        _tell(diff, old, wanted)
    diff.refusals.extend(_vanished(before, after))
    diff.refusals.extend(_leaps(diff.changed))
    return diff


def _merged(old: Sequence[PriceRow], new: Sequence[PriceRow], at: datetime) -> list[PriceRow]:
    if not old:
        return list(new)
    if not new:
        return [
            row if row.valid_to is not None and row.valid_to <= at else replace(row, valid_to=at)
            for row in old
            if _begins_before(row, at)
        ]
    if len(new) == 1 and new[0].valid_from is None and new[0].valid_to is None:
        return _undated(old, new[0], at)
    return list(new)  # With dates of its own, the catalogue knows its history better than our watching does.


def _undated(old: Sequence[PriceRow], new: PriceRow, at: datetime) -> list[PriceRow]:
    last = old[-1]
    if last.valid_to is None and (last.amount, last.per) == (new.amount, new.per):
        return list(old)
    kept = [row for row in old if _begins_before(row, at)]
    ended = [row if row.valid_to is not None and row.valid_to <= at else replace(row, valid_to=at) for row in kept]
    return [*ended, replace(new, valid_from=at)]


def _begins_before(row: PriceRow, at: datetime) -> bool:
    return row.valid_from is None or row.valid_from < at


def models(ours: Iterable[ModelRow], theirs: Iterable[ModelRow], *, keep_unlisted: bool) -> Diff:
    """Models whose names or notes changed; an observed catalogue's forgotten models are kept."""
    diff = Diff()
    before = {(row.layer, row.provider, row.model, row.project_id): row for row in ours}
    after = {(row.layer, row.provider, row.model, row.project_id): row for row in theirs}
    for key, row in after.items():
        old = before.get(key)
        if old is None:
            diff.open_models.append(row)
        elif replace(old, position=0) != replace(
            row, position=0
        ):  # Positions only break ties; they shift with every new model.
            diff.close_models.append(old)
            diff.open_models.append(row)
    if not keep_unlisted:
        diff.close_models.extend(row for key, row in before.items() if key not in after)
    return diff


def _grouped(rows: Iterable[PriceRow]) -> dict[Key, list[PriceRow]]:
    found: dict[Key, list[PriceRow]] = {}
    for row in rows:
        found.setdefault(key_of(row), []).append(row)
    for group in found.values():
        group.sort(key=lambda row: (row.valid_from is not None, row.valid_from or 0))
    return found


def _said(row: PriceRow) -> PriceRow:
    return replace(row, id=0, amount=row.amount.normalize())


def _amounts(row: PriceRow) -> tuple[object, ...]:
    return row.valid_from, row.valid_to, row.amount, row.per


def _tell(diff: Diff, old: Sequence[PriceRow], new: Sequence[PriceRow]) -> None:
    was = old[-1] if old and old[-1].valid_to is None else None
    now = new[-1] if new and new[-1].valid_to is None else None
    said = now or was or (new or old)[-1]
    line = Changed(
        provider=said.provider,
        model=said.model,
        unit=said.unit,
        tier=said.tier,
        context_over=said.context_over,
        old=was.amount if was else None,
        new=now.amount if now else None,
        per=said.per,
        currency=said.currency,
        valid_from=now.valid_from if now else None,
    )
    (diff.added if not old else diff.ended if not now else diff.changed).append(line)


def _vanished(before: dict[Key, list[PriceRow]], after: dict[Key, list[PriceRow]]) -> Iterable[str]:
    gone = {key[1] for key in before} - {key[1] for key in after}
    for provider in sorted(gone):
        yield f"Provider {provider} is gone from the catalogue."


def _leaps(changed: Iterable[Changed]) -> Iterable[str]:
    for line in changed:
        if line.old is None or line.new is None or line.old == line.new:
            continue
        low, high = sorted((line.old, line.new))
        if low == 0 or high / low > MOST_CHANGE:
            yield (
                f"{line.provider} {line.model} {line.unit} would change from {line.old.normalize():f} to {line.new.normalize():f},"
                f" which is more than {MOST_CHANGE} times."
            )
