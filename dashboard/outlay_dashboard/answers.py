"""The API's answers as values: dicts live on the wire and die here.

Money arrives as a decimal string and becomes ``Decimal``; an unknown cost or count is None and stays None. Fields
that a newer collector adds are ignored, fields that an older one lacks are None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendRow:
    """One group of one period. ``cost`` is None when nothing in it has a price."""

    period_start: datetime | None
    of: Mapping[str, str | None]  # dimension -> value; None where the calls carry none
    cost: Decimal | None
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    unpriced_calls: int
    estimated_calls: int
    missing_usage_calls: int
    unpriced_tokens: int
    duration_us: int  # of all calls together, failed ones too

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Spend:
    start: datetime | None
    end: datetime | None
    currency: str
    complete_until: datetime | None
    rows: tuple[SpendRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Sums over spend rows. ``cost`` is None when no row has a price, also when there are no rows."""

    cost: Decimal | None = None
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced_calls: int = 0
    estimated_calls: int = 0
    missing_usage_calls: int = 0
    unpriced_tokens: int = 0
    duration_us: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedPart:
    """One group's share of a change; ``filters`` find its calls."""

    filters: tuple[str, ...]
    effects: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bridge:
    """Why spend changed: ``effects`` sum to ``after - before`` exactly. ``parts`` are the groups that changed most."""

    before: Decimal
    after: Decimal
    effects: Mapping[str, Decimal]
    parts: tuple[ChangedPart, ...] = ()

    def most_of(self, effect: str) -> ChangedPart | None:
        """The group that made up most of an effect, in its direction."""
        sign = 1 if self.effects[effect] > 0 else -1
        found = [part for part in self.parts if part.effects.get(effect, 0) * sign > 0]
        return max(found, key=lambda part: part.effects[effect] * sign, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class BillGap:
    """What one provider billed for one model beside what was traced. ``cause`` is the likeliest one."""

    provider: str
    model: str | None
    billed: Decimal
    traced: Decimal
    gap: Decimal
    percent: Decimal | None
    cause: str | None
    parts: Mapping[str, Decimal]
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """``billed = traced + untraced + unpriced + residual``. ``outside``: traced where no bill speaks, by provider."""

    has_bills: bool
    currency: str
    first: datetime
    last: datetime
    billed: Decimal
    traced: Decimal
    untraced: Decimal
    unpriced: Decimal
    residual: Decimal
    booked: Decimal
    causes: Mapping[str, Decimal]
    providers: tuple[str, ...]
    outside: Mapping[str, Decimal]
    rows: tuple[BillGap, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BillImport:
    name: str
    format: str
    starts: datetime | None
    ends: datetime | None
    lines: int
    billed: Decimal
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyRow:
    period_start: datetime | None
    of: Mapping[str, str | None]
    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    ttft_p99_ms: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What one unit of a model costs, from when until when. ``amount`` is per ``per`` units."""

    layer: str
    provider: str | None
    model: str
    unit: str
    tier: str | None
    context_over: int
    amount: Decimal
    per: Decimal
    currency: str
    valid_from: datetime | None
    valid_to: datetime | None
    source_url: str | None
    checked: str | None
    has_hours: bool  # holds at some hours only


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceChange:
    """Something that changed the price book."""

    version: int
    at: datetime
    kind: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    id: str
    name: str | None
    project: str | None
    scopes: tuple[str, ...]
    created_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A declared cost allocation tag; ``days_to_go``: days of projects that are still to be summed by it."""

    key: str
    declared_at: datetime | None
    days_to_go: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    name: str
    content: str | None
    created_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What the collector says of itself; ``round_trip_ms`` is how long it took to say so."""

    status: str
    version: str
    time: datetime | None
    uptime_seconds: float | None
    ready: bool
    readiness: str
    revision: str | None
    round_trip_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of an explained charge: ``quantity`` units at ``amount`` per ``per`` units."""

    bucket: str
    quantity: Decimal | None
    amount: Decimal | None
    per: Decimal | None
    cost: Decimal | None
    currency: str
    source_url: str | None
    checked_at: str | None
    percent_off: Decimal | None = None
    tier: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRow:
    """One span as the API tells it. Token counts are totals, None where usage is missing."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str | None
    span_type: str | None
    start_time: datetime
    duration_ms: float
    time_to_first_token_ms: float | None
    status: str
    error_type: str | None
    counted: bool
    not_counted_reason: str | None
    cost: Decimal | None
    currency: str
    charge_status: str | None
    reported_cost: Decimal | None
    usage: Mapping[str, int | None]
    usage_source: str | None
    facts: Json = field(default_factory=dict[str, Any])  # every other field, by its name on the wire
    lines: tuple[Line, ...] = ()
    charge_cost: Decimal | None = None  # in the price's currency, ``charge_currency``
    charge_currency: str | None = None
    rate: Rate | None = None  # by which today's price book converts it
    explained_cost: Decimal | None = None  # what today's prices give; ``cost`` is what was charged
    why_unpriced: str = ""  # the collector's own words

    def fact(self, name: str) -> str | None:
        value = self.facts.get(name)
        return None if value is None or value == "" else str(value)

    @property
    def is_call(self) -> bool:
        return self.span_type in (None, "call")


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    rows: tuple[CallRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedSpans:
    """Spans refused for one reason. ``sample`` is what the newest of them was told."""

    reason: str
    letters: int
    retried: int  # of them, accepted since
    sample: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceGap:
    """A model with calls that have no price. ``estimate`` is what they would cost as ``nearest``; it is in no total."""

    provider: str | None
    model: str | None
    nearest: str | None
    estimate: Decimal | None
    currency: str
    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitRow:
    """One period and group of unit economics; None is not known."""

    period_start: datetime | None
    of: Mapping[str, str | None]
    cost: Decimal | None
    requests: int
    unpriced_calls: int
    users: int | None
    customers: int | None
    outcomes: int | None
    successes: int | None
    cost_per_request: Decimal | None
    cost_per_user: Decimal | None
    cost_per_customer: Decimal | None
    cost_per_success: Decimal | None
    revenue: Decimal | None
    margin: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """``outcome`` is the name that successes are counted by, None where there is none."""

    currency: str
    complete_until: datetime | None
    outcome: str | None
    rows: tuple[UnitRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CostCenter:
    """``direct`` None: none of its calls has a price."""

    name: str | None
    direct: Decimal | None
    shared: Decimal
    total: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Showback:
    currency: str
    total: Decimal
    shared: Decimal
    rows: tuple[CostCenter, ...]


def read_units(answer: Json, dimensions: Sequence[str]) -> Units:
    return Units(
        currency=str(answer.get("currency") or "USD"),
        complete_until=_moment(answer.get("complete_until")),
        outcome=(answer.get("outcome") or {}).get("name"),
        rows=tuple(
            UnitRow(
                period_start=_moment(row.get("period_start")),
                of={name: row.get(name) for name in dimensions},
                requests=int(row.get("requests") or 0),
                unpriced_calls=int(row.get("unpriced_calls") or 0),
                users=_whole(row.get("users")),
                customers=_whole(row.get("customers")),
                outcomes=_whole(row.get("outcomes")),
                successes=_whole(row.get("successes")),
                **{name: _decimal(row.get(name)) for name in _UNIT_COSTS},
            )
            for row in answer["rows"]
        ),
    )


def read_showback(answer: Json) -> Showback:
    return Showback(
        currency=str(answer.get("currency") or "USD"),
        total=Decimal(str(answer["total"])),
        shared=Decimal(str(answer["shared"])),
        rows=tuple(
            CostCenter(
                name=row.get("cost_center"),
                direct=_decimal(row.get("direct")),
                shared=Decimal(str(row["shared"])),
                total=Decimal(str(row["total"])),
            )
            for row in answer["rows"]
        ),
    )


def read_gaps(answer: Json) -> tuple[PriceGap, ...]:
    return tuple(
        PriceGap(
            provider=row.get("provider"),
            model=row.get("model"),
            nearest=(row.get("nearest") or {}).get("model"),
            estimate=_decimal(row.get("estimate")),
            currency=str(row.get("currency") or "USD"),
            command="\n".join(str(row[name]) for name in ("command_like", "command") if row.get(name)),
        )
        for row in answer["rows"]
    )


def read_dropped_by_clients(answer: Json) -> int:
    return int(answer.get("dropped_by_clients") or 0)


def read_refused(answer: Json) -> tuple[RefusedSpans, ...]:
    return tuple(
        RefusedSpans(
            reason=str(row["reason"]),
            letters=int(row["letters"]),
            retried=int(row.get("retried") or 0),
            sample=str(row.get("sample") or ""),
        )
        for row in answer["reasons"]
    )


def read_projects(answer: Json) -> tuple[Project, ...]:
    return tuple(
        Project(name=str(row["name"]), content=row.get("content"), created_at=_moment(row.get("created_at")))
        for row in answer["rows"]
    )


def read_tags(answer: Json) -> tuple[Tag, ...]:
    return tuple(
        Tag(
            key=str(row["key"]), declared_at=_moment(row.get("declared_at")), days_to_go=int(row.get("days_to_go") or 0)
        )
        for row in answer["rows"]
    )


def read_keys(answer: Json) -> tuple[Key, ...]:
    return tuple(
        Key(
            id=str(row["id"]),
            name=row.get("name"),
            project=row.get("project"),
            scopes=tuple(row.get("scopes") or ()),
            created_at=_moment(row.get("created_at")),
            last_used_at=_moment(row.get("last_used_at")),
            expires_at=_moment(row.get("expires_at")),
            revoked_at=_moment(row.get("revoked_at")),
        )
        for row in answer["rows"]
    )


def read_prices(answer: Json) -> tuple[Price, ...]:
    return tuple(
        Price(
            layer=str(row["layer"]),
            provider=row.get("provider"),
            model=str(row["model"]),
            unit=str(row["unit"]),
            tier=row.get("tier"),
            context_over=int(row.get("context_over") or 0),
            amount=Decimal(str(row["amount"])),
            per=Decimal(str(row["per"])),
            currency=str(row["currency"]),
            valid_from=_moment(row.get("valid_from")),
            valid_to=_moment(row.get("valid_to")),
            source_url=row.get("source_url"),
            checked=row.get("checked"),
            has_hours=row.get("window") is not None,
        )
        for row in answer["rows"]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetForecast:
    """What the period is likely to come to; ``course``: day by day, today's rest first. ``error`` and ``run_rate_error``: of
    forecasts at half of past periods, in percent; ``coverage``: how often the band held."""

    p10: Decimal
    p50: Decimal
    p90: Decimal
    low_confidence: bool
    course: tuple[Decimal, ...]
    error: float | None
    run_rate_error: float | None
    coverage: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetLevel:
    """A threshold: the money at which it is reached."""

    key: str
    kind: str
    level: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetTold:
    instance: str | None
    threshold: str
    told_at: datetime
    actual: Decimal
    corrected_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetInstance:
    name: str | None
    actual: Decimal
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """A budget in the period that runs. Of a split one ``amount`` is what each value has, and ``days``, ``forecast`` and
    ``share`` are those of the value that is ``furthest``."""

    name: str
    project: str
    per: str | None
    is_everything: bool  # of its project: nothing is filtered
    is_ready: bool
    period: str
    label: str
    start: datetime
    end: datetime
    zone: str
    currency: str
    amount: Decimal
    actual: Decimal
    share: float
    unpriced_calls: int
    furthest: str | None
    levels: tuple[BudgetLevel, ...]
    told: tuple[BudgetTold, ...]
    instances: tuple[BudgetInstance, ...]
    instance_count: int | None
    days: tuple[tuple[date, Decimal], ...]
    forecast: BudgetForecast | None

    @property
    def spent(self) -> Decimal:
        """Of the amount, by whoever the budget is about."""
        return sum((cost for _, cost in self.days), Decimal(0)) if self.per else self.actual

    @property
    def risk(self) -> float:
        """What is likely to be spent at the end, as a part of the amount."""
        likely = max(self.spent, self.forecast.p50) if self.forecast else self.spent
        return float(likely / self.amount)


def read_budgets(answer: Json) -> tuple[Budget, ...]:
    return tuple(_budget(row) for row in answer["rows"])


def _budget(row: Json) -> Budget:
    return Budget(
        name=str(row["name"]),
        project=str(row["project"]),
        per=row.get("per"),
        is_everything=not row.get("filter") and not row.get("per"),
        is_ready=row["state"] == "ready",
        period=str(row["period"]),
        label=str(row["period_label"]),
        start=datetime.fromisoformat(row["period_start"]),
        end=datetime.fromisoformat(row["period_end"]),
        zone=str(row["time_zone"]),
        currency=str(row["currency"]),
        amount=Decimal(row["amount"]),
        actual=Decimal(row["actual"]),
        share=float(row["share"]),
        unpriced_calls=int(row["unpriced_calls"]),
        furthest=row.get("furthest"),
        levels=tuple(
            BudgetLevel(key=one["key"], kind=one["kind"], level=Decimal(one["level"])) for one in row["thresholds"]
        ),
        told=tuple(
            BudgetTold(
                instance=one["instance"],
                threshold=one["threshold"],
                told_at=datetime.fromisoformat(one["told_at"]),
                actual=Decimal(one["actual"]),
                corrected_at=_moment(one["corrected_at"]),
            )
            for one in row["told"]
        ),
        instances=tuple(
            BudgetInstance(name=one["instance"], actual=Decimal(one["actual"]), share=float(one["share"]))
            for one in row["instances"]
        ),
        instance_count=row.get("instance_count"),
        days=tuple((date.fromisoformat(one["day"]), Decimal(one["cost"])) for one in row["days"]),
        forecast=_budget_forecast(row["forecast"]) if row.get("forecast") else None,
    )


def _budget_forecast(said: Json) -> BudgetForecast:
    halfway = next((one for one in said["backtest"] if one["share"] == 0.5), None) or {}
    return BudgetForecast(
        p10=Decimal(said["p10"]),
        p50=Decimal(said["p50"]),
        p90=Decimal(said["p90"]),
        low_confidence=bool(said["low_confidence"]),
        course=tuple(Decimal(cost) for cost in said["course"]),
        error=halfway.get("error_percent"),
        run_rate_error=halfway.get("run_rate_error_percent"),
        coverage=halfway.get("coverage_percent"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One ``currency`` was ``rate`` of the instance's on ``day``, as ``source`` says."""

    currency: str
    target: str
    rate: Decimal
    day: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The last rate of each currency. ``missing`` are currencies of prices that have none today, and why."""

    currency: str
    rows: tuple[Rate, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


def read_rates(answer: Json) -> Rates:
    return Rates(
        currency=str(answer.get("currency") or "USD"),
        rows=tuple(_rate(row) for row in answer["rows"]),
        missing=tuple((str(row["currency"]), str(row["reason"])) for row in answer.get("missing", ())),
    )


def _rate(row: Json) -> Rate:
    return Rate(
        currency=str(row["currency"]),
        target=str(row["target"]),
        rate=Decimal(str(row["rate"])),
        day=str(row["day"]),
        source=str(row.get("source") or ""),
    )


def read_price_changes(answer: Json) -> tuple[PriceChange, ...]:
    return tuple(
        PriceChange(
            version=int(row["version"]),
            at=datetime.fromisoformat(str(row["at"])).astimezone(UTC),
            kind=str(row.get("kind") or ""),
            name=str(row.get("name") or ""),
        )
        for row in answer["rows"]
    )


def read_spend(answer: Json, dimensions: Sequence[str]) -> Spend:
    return Spend(
        start=_moment(answer.get("from")),
        end=_moment(answer.get("to")),
        currency=str(answer.get("currency") or "USD"),
        complete_until=_moment(answer.get("complete_until")),
        rows=tuple(_spend_row(row, dimensions) for row in answer["rows"]),
    )


def read_latency(answer: Json, dimensions: Sequence[str]) -> tuple[LatencyRow, ...]:
    return tuple(
        LatencyRow(
            period_start=_moment(row.get("period_start")),
            of={name: row.get(name) for name in dimensions},
            calls=int(row.get("calls") or 0),
            **{name: _number(row.get(name)) for name in _LATENCY_MEASURES},
        )
        for row in answer["rows"]
    )


def read_calls(answer: Json) -> Calls:
    return Calls(rows=tuple(read_call(row) for row in answer["rows"]), next_cursor=answer.get("next_cursor"))


def read_bridge(body: Json) -> Bridge:
    def effects(found: Iterable[Json]) -> dict[str, Decimal]:
        return {str(one["effect"]): Decimal(one["amount"]) for one in found}

    return Bridge(
        before=Decimal(body["before"]),
        after=Decimal(body["after"]),
        effects=effects(body["effects"]),
        parts=tuple(
            ChangedPart(filters=tuple(part["filter"]), effects=effects(part["effects"])) for part in body["parts"]
        ),
    )


def read_billed(body: Json) -> tuple[Decimal, Decimal, str] | None:
    """Billed, traced and their currency; None where no bill speaks."""
    if body["billed"] is None:
        return None
    return Decimal(body["billed"]), Decimal(body["traced"]), str(body["currency"])


def read_reconciliation(body: Json) -> Reconciliation:
    totals: Json = body["totals"]
    return Reconciliation(
        has_bills=bool(body["has_bills"]),
        currency=str(body["currency"]),
        first=datetime.fromisoformat(str(body["from"])),
        last=datetime.fromisoformat(str(body["to"])),
        **{name: Decimal(totals[name]) for name in ("billed", "traced", "untraced", "unpriced", "residual", "booked")},
        causes={str(cause): Decimal(amount) for cause, amount in totals["causes"].items()},
        providers=tuple(str(cover["provider"]) for cover in body["covers"]),
        outside={str(name): Decimal(cost) for name, cost in body["outside"].items()},
        rows=tuple(
            BillGap(
                provider=str(row["provider"]),
                model=row["model"],
                billed=Decimal(row["billed"]),
                traced=Decimal(row["traced"]),
                gap=Decimal(row["gap"]),
                percent=None if row["percent"] is None else Decimal(row["percent"]),
                cause=row["cause"],
                parts={str(cause): Decimal(amount) for cause, amount in row["parts"].items()},
                note=str(row["note"]),
            )
            for row in body["rows"]
        ),
    )


def read_bill_imports(body: Json) -> tuple[BillImport, ...]:
    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    return tuple(
        BillImport(
            name=str(row["name"]),
            format=str(row["format"]),
            starts=instant(row["starts"]),
            ends=instant(row["ends"]),
            lines=int(row["lines"]),
            billed=Decimal(row["billed"]),
            state=str(row["state"]),
        )
        for row in body["rows"]
    )


def read_call(row: Json) -> CallRow:
    explain: Json = row.get("explain") or {}
    return CallRow(
        trace_id=str(row["trace_id"]),
        span_id=str(row["span_id"]),
        parent_span_id=row.get("parent_span_id") or None,
        name=row.get("name"),
        span_type=row.get("span_type"),
        start_time=datetime.fromisoformat(str(row["start_time"])).astimezone(UTC),
        duration_ms=_number(row.get("duration_ms")) or 0.0,
        time_to_first_token_ms=_number(row.get("time_to_first_token_ms")),
        status=str(row.get("status") or "ok"),
        error_type=row.get("error_type"),
        counted=bool(row.get("counted", True)),
        not_counted_reason=row.get("not_counted_reason"),
        cost=_decimal(row.get("cost")),
        currency=str(row.get("currency") or "USD"),
        charge_status=row.get("charge_status"),
        reported_cost=_decimal(row.get("reported_cost")),
        usage={name: None if count is None else int(count) for name, count in (row.get("usage") or {}).items()},
        usage_source=row.get("usage_source"),
        facts={name: value for name, value in row.items() if name not in CallRow.__slots__ and name != "explain"},
        lines=tuple(_line(line) for line in explain.get("lines", ())),
        charge_cost=_decimal(row.get("charge_cost")),
        charge_currency=row.get("charge_currency"),
        rate=_rate(explain["fx_rate"]) if explain.get("fx_rate") else None,
        explained_cost=_decimal(explain.get("cost")),
        why_unpriced=str(explain.get("reason") or ""),
    )


def total(rows: Iterable[SpendRow]) -> Totals:
    """The sum of the rows, exact."""
    rows = list(rows)
    costs = [row.cost for row in rows if row.cost is not None]
    return Totals(
        cost=sum(costs, Decimal(0)) if costs else None,
        **{name: sum(getattr(row, name) for row in rows) for name in _COUNTS},
    )


def totals_by(rows: Iterable[SpendRow], key: Callable[[SpendRow], Any]) -> dict[Any, Totals]:
    """Totals per key, in order of first appearance."""
    groups: dict[Any, list[SpendRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {value: total(group) for value, group in groups.items()}


_COUNTS = (
    "calls",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "unpriced_calls",
    "estimated_calls",
    "missing_usage_calls",
    "unpriced_tokens",
    "duration_us",
)
_UNIT_COSTS = (
    "cost",
    "cost_per_request",
    "cost_per_user",
    "cost_per_customer",
    "cost_per_success",
    "revenue",
    "margin",
)
_LATENCY_MEASURES = ("p50_ms", "p95_ms", "p99_ms", "ttft_p50_ms", "ttft_p95_ms", "ttft_p99_ms")


def _spend_row(row: Json, dimensions: Sequence[str]) -> SpendRow:
    return SpendRow(
        period_start=_moment(row.get("period_start")),
        of={name: row.get(name) for name in dimensions},
        cost=_decimal(row.get("cost")),
        **{name: int(row.get(name) or 0) for name in _COUNTS},
    )


def _line(line: Json) -> Line:
    return Line(
        bucket=str(line["bucket"]),
        quantity=_decimal(line.get("quantity")),
        amount=_decimal(line.get("amount")),
        per=_decimal(line.get("per")),
        cost=_decimal(line.get("cost")),
        currency=str(line.get("currency") or "USD"),
        source_url=line.get("source_url"),
        checked_at=line.get("checked") or line.get("checked_at"),
        percent_off=_decimal(line.get("percent_off")),
        tier=line.get("tier"),
    )


def _moment(value: object) -> datetime | None:
    """In UTC: two moments of different zones are never equal in the hour that a clock change repeats (PEP 495)."""
    return datetime.fromisoformat(str(value)).astimezone(UTC) if value else None


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """``data`` is what its kind has to say; of unusual spend how much, where and why."""

    id: str
    project: str | None
    type: str
    severity: str
    state: str
    title: str
    summary: str
    link: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    muted: bool
    muted_until: datetime | None
    data: Json


def read_alerts(body: Json) -> tuple[Alert, ...]:
    return tuple(
        Alert(
            id=str(row["id"]),
            project=row.get("project"),
            type=str(row["type"]),
            severity=str(row["severity"]),
            state=str(row["state"]),
            title=str(row["title"]),
            summary=str(row["summary"]),
            link=str(row["link"]),
            opened_at=datetime.fromisoformat(row["opened_at"]),
            resolved_at=datetime.fromisoformat(row["resolved_at"]) if row.get("resolved_at") else None,
            acknowledged_by=row.get("acknowledged_by"),
            muted=bool(row.get("muted")),
            muted_until=datetime.fromisoformat(row["muted_until"]) if row.get("muted_until") else None,
            data=row.get("data") or {},
        )
        for row in body["rows"]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """``said`` is what went wrong at the last attempt."""

    id: str
    title: str
    kind: str
    receiver: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    status: int | None
    said: str | None


def read_deliveries(body: Json) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(
            id=str(row["id"]),
            title=str(row["title"]),
            kind=str(row["kind"]),
            receiver=str(row.get("webhook") or row["url"]),
            state=str(row["state"]),
            attempts=int(row["attempts"]),
            created_at=datetime.fromisoformat(row["created_at"]),
            next_at=datetime.fromisoformat(row["next_at"]) if row.get("next_at") else None,
            status=row.get("last_status"),
            said=row.get("last_error"),
        )
        for row in body["rows"]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolModel:
    """What a million tokens of one model cost on a pool: when busy, and with everything that was not used."""

    model: str
    busy_prompt: Decimal | None
    busy_output: Decimal | None
    loaded_prompt: Decimal | None
    loaded_output: Decimal | None
    output_tokens: float | None
    evidence: str | None
    weights: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """GPUs of one's own in a period. ``parts`` sum to ``cost``; measures that nobody told are absent."""

    name: str
    currency: str
    gpu: str
    gpus: Decimal | None
    cost: Decimal | None
    gpu_hours: Decimal | None
    is_default: bool
    lacks_rate: bool
    parts: dict[str, Decimal]
    models: tuple[PoolModel, ...]
    measures: dict[str, float]
    hours: tuple[tuple[datetime, dict[str, Decimal]], ...]
    week: tuple[tuple[int, int, Decimal], ...]
    teams: tuple[tuple[str | None, Decimal, Decimal, Decimal], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class VersusPoint:
    utilization: Decimal
    own: Decimal
    api: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Versus:
    """A pool against an API at the mix that was measured."""

    own_per_month: Decimal | None
    api_per_month: Decimal | None
    tokens_per_month: Decimal | None
    utilization: Decimal | None
    used: Decimal | None
    crosses_on: str | None
    curve: tuple[VersusPoint, ...]


POOL_PARTS = ("calls", "jobs", "unattributed", "idle", "startup", "unobserved")


def read_pools(answer: Json) -> tuple[Pool, ...]:
    return tuple(_pool(row, str(answer.get("currency") or "USD")) for row in answer["pools"])


def _pool(row: Json, currency: str) -> Pool:
    measures = {**(row.get("telemetry") or {}), **(row.get("engines") or {})}
    return Pool(
        name=str(row["name"]),
        currency=currency,
        gpu=str(row.get("gpu") or ""),
        gpus=_decimal(row.get("gpus")),
        cost=_decimal(row.get("cost")),
        gpu_hours=_decimal(row.get("gpu_hours")),
        is_default=bool(row.get("is_default")),
        lacks_rate=bool(row.get("lacks_rate")),
        parts=_pool_parts(row),
        models=tuple(
            PoolModel(
                model=str(one["model"]),
                busy_prompt=_decimal(one.get("busy_prompt")),
                busy_output=_decimal(one.get("busy_output")),
                loaded_prompt=_decimal(one.get("loaded_prompt")),
                loaded_output=_decimal(one.get("loaded_output")),
                output_tokens=_number(one.get("output_tokens")),
                evidence=one.get("evidence"),
                weights=one.get("weights"),
            )
            for one in row.get("models") or ()
        ),
        measures={name: float(value) for name, value in measures.items() if value is not None},
        hours=tuple((_instant(one["hour"]), _pool_parts(one)) for one in row.get("hours") or ()),
        week=tuple(
            (int(one["weekday"]), int(one["hour"]), Decimal(str(one["idle_per_hour"]))) for one in row.get("week") or ()
        ),
        teams=tuple(
            (one["team"], Decimal(str(one["apart"])), Decimal(str(one["spread"])), Decimal(str(one["owner"])))
            for one in row.get("teams") or ()
        ),
    )


def _pool_parts(row: Json) -> dict[str, Decimal]:
    return {name: Decimal(str(row.get(name) or 0)) for name in POOL_PARTS}


def _instant(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def read_versus(answer: Json) -> Versus:
    own, api, even = answer["own"], answer["api"], answer["break_even"]
    return Versus(
        own_per_month=_decimal(own.get("per_month")),
        api_per_month=_decimal(api.get("per_month")),
        tokens_per_month=_decimal(even.get("tokens_per_month")),
        utilization=_decimal(even.get("utilization")),
        used=_decimal(own.get("utilization")),
        crosses_on=even.get("crosses_on"),
        curve=tuple(
            VersusPoint(
                utilization=Decimal(str(one["utilization"])), own=Decimal(str(one["own"])), api=Decimal(str(one["api"]))
            )
            for one in answer.get("curve") or ()
        ),
    )
