"""FOCUS files, of any version from 1.0 on, from clouds, gateways, or Outlay itself.

https://focus.finops.org/focus-specification/. Of other services than AI the cost is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from outlay_collector.bills.formats.table import Row
from outlay_collector.bills.line import BillLine
from outlay_collector.bills.words import family, meter, tier
from outlay_collector.pricing import names

CSV = frozenset({"billedcost", "chargeperiodstart", "chargeperiodend"})

_AI = "AI and Machine Learning"


def read_csv(rows: Iterable[Row]) -> Iterator[BillLine | Decimal]:
    for row in rows:
        cost = row.cost("BilledCost")
        service = row.text("ServiceCategory")
        if service and service != _AI:
            yield cost
            continue
        starts, ends = row.period(("ChargePeriodStart",), ("ChargePeriodEnd",))
        said = " ".join((row.text("SkuMeter"), row.text("ChargeDescription")))
        issuer = row.text("x_Provider", "ProviderName", "ServiceProviderName", "InvoiceIssuerName")
        provider = names.provider(row.text("x_Provider") or _seller(issuer, row.text("ServiceName"))) or "unknown"
        payer = row.text("BillingAccountId")
        quantity = row.amount("ConsumedQuantity")
        yield BillLine(
            number=row.number,
            starts=starts,
            ends=ends,
            provider=provider,
            scope=f"focus:{issuer}:{payer}",
            account=row.text("SubAccountId") or None,
            model=row.text("x_Model", "ResourceName") or family(said) or row.text("SkuId", "ResourceId") or None,
            meter=row.text("x_Meter") or meter(said),
            tier=row.text("x_ServiceTier") or tier(said) or "standard",
            region=row.text("RegionId") or None,
            quantity=quantity,
            cost=None if row.text("x_Unpriced").lower() == "true" else cost,
            currency=row.currency("BillingCurrency"),
            description=row.text("ChargeDescription"),
        )


def _seller(issuer: str, service: str) -> str:
    """A cloud's service for models, where the issuer sells more than them."""
    said = f"{issuer} {service}".lower()
    for word, provider in (
        ("bedrock", "aws.bedrock"),
        ("azure openai", "azure"),
        ("vertex", "vertex_ai"),
        ("gemini", "gemini"),
    ):
        if word in said:
            return provider
    return issuer
