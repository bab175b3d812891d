"""Pools as a file or a request declares them: GPUs and hours, rates, what is served, what is scraped. Pure.

A pool's declaration is all there is to know of it: declared again, it replaces what was declared before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from outlay_collector.errors import BadRequest
from outlay_collector.gpu.rates import Owned, owned_rate

LOCAL_SERVERS = ("vllm", "sglang", "tgi", "llama.cpp", "ollama", "triton", "localai", "lm_studio", "mlx")
"""Providers whose calls run on hardware of one's own; of others a pool has to name them."""


def _instant(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value


def _count(value: Any) -> Any:
    """``4``, ``0.5``, or a slice as ``3/7``."""
    try:
        return str(Fraction(str(value)))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r:.40} is no number of GPUs; write 4, 0.5 or 3/7") from None


def _money(value: Any) -> Any:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r:.40} is no amount") from None


Instant = Annotated[datetime, BeforeValidator(_instant)]
Count = Annotated[str, BeforeValidator(_count)]
Money = Annotated[Decimal, BeforeValidator(_money), Field(ge=0, max_digits=20)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _Stretch(_Part):
    starts: Instant = Field(alias="from")
    ends: Instant | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> _Stretch:
        if self.ends is not None and self.ends <= self.starts:
            raise ValueError("`to` must be after `from`")
        return self


class DeclaredGpus(_Stretch):
    gpu: Name
    count: Count


class DeclaredRate(_Part):
    """``usd_per_hour`` of one GPU, or ``owned`` hardware, of which the rate is worked out."""

    gpu: Name = "*"
    kind: Literal["on_demand", "reserved", "owned"] = "on_demand"
    per_hour: Money | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    owned: dict[str, Any] | None = None
    valid_from: Instant | None = Field(default=None, alias="from")
    valid_to: Instant | None = Field(default=None, alias="to")
    source: Annotated[str, Field(max_length=500)] = "declared"

    @model_validator(mode="after")
    def _one_of_both(self) -> DeclaredRate:
        if (self.per_hour is None) == (self.owned is None):
            raise ValueError("a rate is either `per_hour` or `owned`")
        return self

    def amount(self) -> Decimal:
        if self.per_hour is not None:
            return self.per_hour
        try:
            return owned_rate(Owned(**{name: _money(value) for name, value in (self.owned or {}).items()}))
        except TypeError as error:
            raise BadRequest(f"Owned hardware is told by capex, residual_percent, years, kilowatts, pue, "
                             f"per_kilowatt_hour, colocation_per_hour and availability: {error}.") from error  # fmt: skip


class DeclaredServing(_Part):
    model: Name
    providers: Annotated[list[Name], Field(min_length=1, max_length=50)] = Field(
        default_factory=lambda: list(LOCAL_SERVERS)
    )
    project: str | None = None
    gpus: Count | None = None
    valid_from: Instant | None = Field(default=None, alias="from")
    valid_to: Instant | None = Field(default=None, alias="to")


class DeclaredJob(_Stretch):
    name: Name
    gpus: Count
    dimensions: dict[Literal["team", "cost_center", "owner", "feature", "service", "customer"], str] = Field(
        default_factory=dict
    )


class DeclaredTarget(_Part):
    name: Name
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)] | None = None
    model: str | None = None
    interval: Annotated[int, Field(ge=1, le=3600)] = 15


class DeclaredPool(_Part):
    name: Name
    project: str = "default"
    dimensions: dict[Literal["team", "cost_center", "owner", "environment", "region"], str] = Field(
        default_factory=dict
    )
    gpus: list[DeclaredGpus] = Field(default_factory=list, max_length=1000)
    rates: list[DeclaredRate] = Field(default_factory=list, max_length=1000)
    serves: list[DeclaredServing] = Field(default_factory=list, max_length=1000)
    jobs: list[DeclaredJob] = Field(default_factory=list, max_length=10_000)
    targets: list[DeclaredTarget] = Field(default_factory=list, max_length=10_000)


class Declared(_Part):
    """All that a file or a request says."""

    pools: list[DeclaredPool] = Field(default_factory=list, max_length=1000)
    targets: list[DeclaredTarget] = Field(default_factory=list, max_length=10_000)


def declared(raw: object) -> Declared:
    """BadRequest, naming each thing that is wrong and where."""
    if not isinstance(raw, Mapping):
        raise BadRequest("A declaration has `pools:`, and under it pools with name, gpus, rates, serves and targets.")
    try:
        found = Declared.model_validate(raw)
    except ValidationError as error:
        raise BadRequest(_said(error.errors()[:5])) from error
    names = [pool.name for pool in found.pools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadRequest(f"The pool {twice[0]!r} is declared twice.")
    return found


def _said(errors: Sequence[Any]) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in errors)
