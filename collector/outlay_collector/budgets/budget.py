"""A budget as values, read from what people write (a file, a request) and written as it is kept. Pure.

What cannot be is refused with the place, the key, the value, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from outlay_collector.budgets.periods import KINDS, Calendar, Kind
from outlay_collector.budgets.plan import Plan
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.reads.question import Filter, known_dimension, parse_zone

ThresholdKind = Literal["actual", "forecast"]
Enforce = Literal["block", "warn", "none"]
Confidence = Literal["p10", "p50", "p90"]

MOST_INSTANCES = 1_000_000
DEFAULT_INSTANCES = 100_000
MOST_THRESHOLDS = 20
MOST_VALUES = 500
MOST_AMOUNTS = 400
LARGEST = Decimal(10) ** 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """Reached at ``percent`` of the amount, or at ``amount`` of money. ``on``: which figure of a forecast has to."""

    kind: ThresholdKind
    percent: Decimal | None = None
    amount: Decimal | None = None
    on: Confidence = "p50"

    @property
    def key(self) -> str:
        """What alerts know it by."""
        at = f"{plain(self.percent)}%" if self.percent is not None else plain(self.amount)
        return f"{self.kind}:{at}" if self.kind == "actual" else f"{self.kind}:{self.on}:{at}"

    def level(self, amount: Decimal) -> Decimal:
        """The money at which it is reached, of a budget of ``amount``."""
        if self.percent is not None:
            return amount * self.percent / 100
        assert self.amount is not None
        return self.amount


DEFAULT_THRESHOLDS = (
    Threshold(kind="actual", percent=Decimal(80)),
    Threshold(kind="actual", percent=Decimal(100)),
    Threshold(kind="forecast", percent=Decimal(100)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """``per`` splits it into one instance per value of a dimension. ``webhooks``: None for all of the project.

    ``enforce``: what the guard is told when it is spent. ``strict``: its children's amounts may not add up to more.
    ``re_alert``: an edit makes thresholds that were told before be told again. ``starts``: the first day watched.
    """

    project: str
    name: str
    filters: tuple[Filter, ...]
    per: str | None
    max_instances: int
    calendar: Calendar
    plan: Plan
    currency: str
    thresholds: tuple[Threshold, ...]
    webhooks: tuple[UUID, ...] | None
    parent: str | None
    strict: bool
    enforce: Enforce
    re_alert: bool
    starts: date | None

    def what_is_summed(self) -> tuple[Any, ...]:
        """What its sums depend on; while this stays, they stand."""
        return self.filters, self.per, self.calendar.zone.key, self.max_instances if self.per else None


@dataclass(frozen=True, slots=True)
class _Said:
    """A mapping that somebody wrote, the place it stands in, and the keys that were asked for."""

    where: str
    values: Mapping[str, Any]

    def refuse(self, key: str, value: object, way_out: str) -> NoReturn:
        raise BadRequest(f"{self.where}: {key} cannot be {value!r:.80}; {way_out}")

    def only(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                raise BadRequest(f"{self.where}: there is no key {key!r:.80}; there are {', '.join(known)}.")

    def text(self, key: str, default: str | None = None, most: int = 200) -> str | None:
        value = self.values.get(key, default)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value.strip()) <= most or not value.isprintable():
            self.refuse(key, value, f"write 1 to {most} printable characters.")
        return value.strip()

    def one_of(self, key: str, choices: Sequence[str], default: str) -> Any:
        value = self.values.get(key, default)
        if value not in choices:
            self.refuse(key, value, f"write one of {', '.join(choices)}.")
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(key, value, f"write a whole number from {low} to {high}.")
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, value, "write true or false.")
        return value

    def day(self, key: str) -> date | None:
        value = self.values.get(key)
        if value is None or (isinstance(value, date) and not hasattr(value, "hour")):
            return value
        text = str(value)
        try:
            return date.fromisoformat(f"{text}-01" if len(text) == 7 else text)
        except ValueError:
            self.refuse(key, value, "write a day as 2026-11-01, or a month as 2026-11.")

    def money(self, key: str, value: object, *, low: Decimal = Decimal(0)) -> Decimal:
        number = _decimal(value)
        if number is None or not low < number <= LARGEST:
            self.refuse(key, value, 'write an amount above 0 as a decimal, such as "100.00".')
        return number


def parse(values: object, *, where: str, project: str | None, currency: str, zone: ZoneInfo) -> Budget:
    """A budget as written; ``project``, ``currency`` and ``zone`` are what absent keys mean. BadRequest otherwise."""
    if not isinstance(values, Mapping):
        raise BadRequest(f"{where}: a budget is a mapping of keys and values; got {values!r:.80}.")
    name = _Said(where, values).text("name")
    if name is None:
        raise BadRequest(f"{where}: a budget needs a name, such as name: team-search.")
    said = _Said(f"{where}, budget {name}" if where else f"budget {name}", values)
    said.only(
        "project", "name", "filter", "per", "max_instances", "period", "days", "time_zone", "anchor_day",
        "fiscal_start", "amount", "plan", "currency", "thresholds", "webhooks", "parent", "strict", "enforce", "re_alert",
        "starts",
    )  # fmt: skip
    project = said.text("project", project, 100)
    if project is None:
        raise BadRequest(f"{said.where}: project is missing; `outlay project list` names them.")
    if said.text("currency", currency) != currency:
        said.refuse("currency", values["currency"], f"this instance counts in {currency} (OUTLAY_CURRENCY).")
    calendar = _calendar(said, zone)
    return Budget(
        project=project,
        name=name,
        filters=_filters(said),
        per=_dimension(said, "per", values["per"]) if values.get("per") is not None else None,
        max_instances=said.whole("max_instances", DEFAULT_INSTANCES, 1, MOST_INSTANCES),
        calendar=calendar,
        plan=_plan(said, calendar),
        currency=currency,
        thresholds=_thresholds(said),
        webhooks=_webhooks(said),
        parent=said.text("parent"),
        strict=said.flag("strict"),
        enforce=said.one_of("enforce", get_args(Enforce), "block"),
        re_alert=said.flag("re_alert"),
        starts=said.day("starts"),
    )


def as_json(budget: Budget) -> dict[str, Any]:
    """As it is kept, compared and shown; ``parse`` reads it back."""
    calendar, plan = budget.calendar, budget.plan
    said: dict[str, Any] = {
        "project": budget.project,
        "name": budget.name,
        "filter": _filter_json(budget.filters),
        "period": calendar.kind,
        "time_zone": calendar.zone.key,
        "currency": budget.currency,
        "thresholds": [_threshold_json(one) for one in budget.thresholds],
        "enforce": budget.enforce,
    }
    if budget.per is not None:
        said |= {"per": budget.per, "max_instances": budget.max_instances}
    if calendar.is_rolling:
        said["days"] = calendar.days
    elif calendar.kind in ("month", "quarter", "year"):
        said |= {"anchor_day": calendar.anchor_day}
        if calendar.kind != "month":
            said |= {"fiscal_start": calendar.fiscal_start}
    if plan.since is None:
        said["amount"] = plain(plan.amounts[0])
    else:
        said["plan"] = {"from": plan.since.isoformat(), "amounts": [plain(amount) for amount in plan.amounts]}
        if plan.growth_percent:
            said["plan"]["growth_percent"] = plain(plan.growth_percent)
    optional = {
        "webhooks": None if budget.webhooks is None else [str(one) for one in budget.webhooks],
        "parent": budget.parent,
        "strict": budget.strict or None,
        "re_alert": budget.re_alert or None,
        "starts": None if budget.starts is None else budget.starts.isoformat(),
    }
    return said | {key: value for key, value in optional.items() if value is not None}


def plain(number: Decimal | None) -> str:
    """A decimal as people write it, without an exponent or zeros that say nothing: ``100``, ``0.5``."""
    if number is None:
        return ""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _calendar(said: _Said, zone: ZoneInfo) -> Calendar:
    kind: Kind = said.one_of("period", KINDS, "month")
    allowed = {"anchor_day": ("month", "quarter", "year"), "fiscal_start": ("quarter", "year"), "days": ("rolling",)}
    for key, kinds in allowed.items():
        if key in said.values and kind not in kinds:
            said.refuse(key, said.values[key], f"it belongs to period {' or '.join(kinds)}, and this one's is {kind}.")
    return Calendar(
        kind=kind,
        zone=_zone(said, zone),
        anchor_day=said.whole("anchor_day", 1, 1, 28),
        fiscal_start=said.whole("fiscal_start", 1, 1, 12),
        days=said.whole("days", 30, 1, 366),
    )


def _zone(said: _Said, default: ZoneInfo) -> ZoneInfo:
    name = said.text("time_zone")
    try:
        return parse_zone(name, default)
    except BadRequest:
        said.refuse("time_zone", name, "write an IANA name, such as Asia/Seoul or UTC.")


def _plan(said: _Said, calendar: Calendar) -> Plan:
    amount, plan = said.values.get("amount"), said.values.get("plan")
    if (amount is None) == (plan is None):
        raise BadRequest(
            f"{said.where}: write either amount (the same in every period) or plan (from, and amounts or growth_percent)."
        )
    if plan is None:
        return Plan(amounts=(said.money("amount", amount),))
    if not isinstance(plan, Mapping):
        said.refuse("plan", plan, 'write {from: 2026-11, amounts: ["100", "120"]}, with growth_percent if it grows on.')
    inner = _Said(f"{said.where}, plan", plan)
    inner.only("from", "amount", "amounts", "growth_percent")
    if calendar.is_rolling:
        said.refuse("plan", "…", "a rolling budget has no periods to plan; write amount.")
    since = inner.day("from")
    if since is None:
        inner.refuse("from", None, "write the day the plan begins, as 2026-11-01.")
    amounts = plan.get("amounts", [plan["amount"]] if "amount" in plan else None)
    if not isinstance(amounts, list) or not 0 < len(amounts) <= MOST_AMOUNTS:
        inner.refuse("amounts", amounts, f"write a list of 1 to {MOST_AMOUNTS} amounts, one per period.")
    growth = _decimal(plan.get("growth_percent", "0"))
    if growth is None or not -100 < growth <= 1000:
        inner.refuse("growth_percent", plan.get("growth_percent"), "write percent per period, above -100, such as 5.")
    return Plan(amounts=tuple(inner.money("amounts", one) for one in amounts), since=since, growth_percent=growth)


def _thresholds(said: _Said) -> tuple[Threshold, ...]:
    given = said.values.get("thresholds")
    if given is None:
        return DEFAULT_THRESHOLDS
    if not isinstance(given, list) or len(given) > MOST_THRESHOLDS:
        said.refuse("thresholds", given, f"write a list of at most {MOST_THRESHOLDS}.")
    found = [_threshold(said, one) for one in given]
    keys = [one.key for one in found]
    for key in keys:
        if keys.count(key) > 1:
            said.refuse("thresholds", key, "it stands there twice; leave one of them.")
    return tuple(found)


def _threshold(said: _Said, given: object) -> Threshold:
    example = "write {kind: actual, percent: 80} or {kind: forecast, percent: 100}."
    if not isinstance(given, Mapping):
        said.refuse("thresholds", given, example)
    inner = _Said(f"{said.where}, threshold {dict(given)}", given)
    inner.only("kind", "percent", "amount", "on")
    kind: ThresholdKind = inner.one_of("kind", get_args(ThresholdKind), "actual")
    if "on" in given and kind == "actual":
        inner.refuse("on", given["on"], "it says which figure of a forecast counts; leave it out.")
    on: Confidence = inner.one_of("on", get_args(Confidence), "p50")
    if ("percent" in given) == ("amount" in given):
        said.refuse("thresholds", dict(given), example)
    if "amount" in given:
        return Threshold(kind=kind, amount=inner.money("amount", given["amount"]), on=on)
    percent = _decimal(given["percent"])
    if percent is None or not 0 < percent <= 10_000:
        inner.refuse("percent", given["percent"], "write a number above 0, such as 80.")
    return Threshold(kind=kind, percent=percent, on=on)


def _threshold_json(one: Threshold) -> dict[str, Any]:
    at = {"percent": _number(one.percent)} if one.percent is not None else {"amount": plain(one.amount)}
    return {"kind": one.kind, **at} | ({"on": one.on} if one.kind == "forecast" and one.on != "p50" else {})


def _number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _filters(said: _Said) -> tuple[Filter, ...]:
    given = said.values.get("filter") or {}
    if not isinstance(given, Mapping):
        said.refuse("filter", given, "write dimension: [values], such as {team: [search]}.")
    found: list[Filter] = []
    for key, wanted in given.items():
        dimension = _dimension(said, "filter", key)
        if isinstance(wanted, Mapping):
            inner = _Said(f"{said.where}, filter {dimension}", wanted)
            inner.only("in", "not", "exists")
            if not wanted:
                said.refuse(f"filter {dimension}", wanted, "write values, {not: [values]} or {exists: true}.")
            if "in" in wanted:
                found.append(Filter(dimension, _values(inner, "in", wanted["in"])))
            if "not" in wanted:
                found.append(Filter(dimension, _values(inner, "not", wanted["not"]), negated=True))
            if "exists" in wanted:
                found.append(Filter(dimension, (), negated=not inner.flag("exists")))
        else:
            found.append(Filter(dimension, _values(said, f"filter {dimension}", wanted)))
    return tuple(sorted(found, key=lambda one: (one.dimension, one.negated, one.values)))


def _values(said: _Said, key: str, given: object) -> tuple[str, ...]:
    values: list[Any] = given if isinstance(given, list) else [given]
    if not 0 < len(values) <= MOST_VALUES:
        said.refuse(key, given, f"write 1 to {MOST_VALUES} values.")
    for value in values:
        if not isinstance(value, str) or not 0 < len(value) <= 1_000 or "\x00" in value:
            said.refuse(key, value, "values are texts; put what YAML takes for a number or a date in quotes.")
    return tuple(sorted(set(values)))


def _filter_json(filters: Sequence[Filter]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for one in filters:
        part: dict[str, Any] = (
            {"not" if one.negated else "in": list(one.values)} if one.values else {"exists": not one.negated}
        )
        said.setdefault(one.dimension, {}).update(part)
    return {name: part["in"] if part.keys() == {"in"} else part for name, part in said.items()}


def _dimension(said: _Said, key: str, name: object) -> str:
    if name == "project":
        said.refuse(key, name, "a budget is of the project that its own key project names.")
    if not isinstance(name, str):
        said.refuse(key, name, "write the name of a dimension, such as team.")
    try:
        return known_dimension(name)
    except BadRequest as error:
        raise BadRequest(f"{said.where}: {key}: {error}") from error


def _webhooks(said: _Said) -> tuple[UUID, ...] | None:
    given = said.values.get("webhooks")
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > 50:
        said.refuse("webhooks", given, "write a list of ids; `outlay webhook list` shows them.")
    found: list[UUID] = []
    for one in given:
        try:
            found.append(UUID(str(one)))
        except ValueError:
            said.refuse("webhooks", one, "write a webhook's id; `outlay webhook list` shows them.")
    return tuple(dict.fromkeys(found))


def _decimal(value: object) -> Decimal | None:
    """A number or text as a finite decimal; what YAML read as a float is taken as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and len(number.as_tuple().digits) <= 40 else None
