"""What a price book is made of: models and how their names look, prices and when they hold, discounts.

These are the rows of the database and of the files in ``corrections/``, read into plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from outlay_collector.pricing.windows import Window

CONTRACT = "contract"
CUSTOM = "custom"
CORRECTION = "correction"
RULE = "rule"
CATALOGUE = "catalogue"
FALLBACK = "fallback"
LOCAL = "local"

LAYERS = (CONTRACT, CUSTOM, CORRECTION, RULE, CATALOGUE, FALLBACK, LOCAL)
"""In the order in which they are asked; the first that has a price for a unit is taken, unit by unit.

contract and custom: the user's own. correction: reviewed here, with history. rule: what a vendor states for many models at
once ("batch is half price since …"), worked out from catalogue prices. catalogue: genai-prices. fallback: names that only
LiteLLM knows, of lower confidence. local: servers of one's own, free unless the user says otherwise.
"""

OWN_LAYERS = (CONTRACT, CUSTOM)
"""What the user entered. No discount applies to them, and their input and output prices cover every part."""

STANDARD = "standard"
TIERS = (STANDARD, "batch", "flex", "priority", "fast")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRow:
    """One model of one provider in one layer. ``match`` is a clause on the lower-cased name, see ``match.py``."""

    layer: str
    provider: str
    model: str
    match: Mapping[str, Any]
    position: int = 0  # among models of its layer and provider; the first of equally good matches wins
    project_id: int | None = None  # None: every project
    billed_as: Mapping[str, str] = field(default_factory=dict[str, str])  # unit without a price of its own → unit
    complete: bool = False  # this row knows all there is: layers after it are not asked for what it leaves out
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """A model that runs on GPUs of one's own: its calls are charged by allocation, not by a price.

    ``providers`` and ``model`` are lower-cased names as calls give them; the provider ``*`` is any.
    """

    providers: frozenset[str]
    model: str
    project_id: int | None = None  # None: every project
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """What ``per`` of ``unit`` cost at an instant. Rows are closed and opened, never edited."""

    id: int
    layer: str
    provider: str
    model: str
    unit: str
    amount: Decimal
    per: int
    currency: str = "USD"
    tier: str | None = STANDARD  # None: every tier
    context_over: int = 0  # holds when the whole prompt is longer than this many tokens
    window: Window | None = None  # None: at any time of day
    region_class: str | None = None  # None: everywhere; else "global" or "regional"
    valid_from: datetime | None = None  # aware, included; None: since ever
    valid_to: datetime | None = None  # aware, excluded; None: until further notice
    project_id: int | None = None
    source_url: str = ""
    source_kind: str = "catalogue"
    checked: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscountRow:
    """A percentage off list prices. ``provider``, ``model`` and ``unit`` may hold ``*``."""

    id: int
    provider: str
    model: str = "*"
    unit: str = "*"
    percent: Decimal
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    project_id: int | None = None
    note: str | None = None
