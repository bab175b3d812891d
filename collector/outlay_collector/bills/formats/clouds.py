"""Bills of clouds in CSV: AWS (legacy CUR and Data Exports), Google Cloud (BigQuery export), Azure (cost details).

They hold every service of a cloud. Only language models are kept; the rest is counted and its cost told.
AWS: https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html
Google Cloud: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage
Azure: https://learn.microsoft.com/azure/cost-management-billing/automate/understand-usage-details-fields
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from outlay_collector.bills.formats.table import Row
from outlay_collector.bills.line import BillLine
from outlay_collector.bills.words import azure, bedrock, family, meter, tier

AWS_CSV = frozenset({"lineitemusagestartdate", "lineitemunblendedcost", "lineitemusagetype"})
GCP_CSV = frozenset({"servicedescription", "skudescription", "cost", "usagestarttime"})
AZURE_CSV = frozenset({"metercategory", "metername", "quantity"})

_MODELS_ON_AWS = re.compile(r"bedrock", re.IGNORECASE)
_MODELS_ON_GCP = re.compile(r"vertex ai|gemini|generative language|claude", re.IGNORECASE)
_MODELS_ON_AZURE = re.compile(r"openai|foundry|cognitive services|azure ai", re.IGNORECASE)
_TOKENS = re.compile(r"token|inp|outp|input|output", re.IGNORECASE)

Read = Iterator[BillLine | Decimal]
"""Lines, and the cost of each row that is of something else."""


def read_aws(rows: Iterable[Row]) -> Read:
    for row in rows:
        cost = row.cost("line_item_unblended_cost", "lineItem/UnblendedCost")
        product = " ".join(
            (
                row.text("line_item_product_code", "lineItem/ProductCode"),
                row.text("product_product_name", "product/ProductName", "product_servicename"),
            )
        )
        usage = row.text("line_item_usage_type", "lineItem/UsageType")
        said = row.text("line_item_line_item_description", "lineItem/LineItemDescription")
        if not _MODELS_ON_AWS.search(f"{product} {said}"):
            yield cost
            continue
        starts, ends = row.period(
            ("line_item_usage_start_date", "lineItem/UsageStartDate"),
            ("line_item_usage_end_date", "lineItem/UsageEndDate"),
        )
        meant = bedrock(usage, f"{said} {product}")
        payer = row.text("bill_payer_account_id", "bill/PayerAccountId")
        yield BillLine(
            number=row.number,
            starts=starts,
            ends=ends,
            provider="aws.bedrock",
            scope=f"aws:{payer}" if payer else "aws",
            account=row.text("line_item_usage_account_id", "lineItem/UsageAccountId") or None,
            model=meant.model,
            meter=meant.meter,
            tier=meant.tier or "standard",
            region=row.text("product_region_code", "product/regionCode", "product/region") or None,
            quantity=_counted(
                row.amount("line_item_usage_amount", "lineItem/UsageAmount"),
                row.text("pricing_unit", "pricing/unit"),
            ),
            cost=cost,
            currency=row.currency("line_item_currency_code", "lineItem/CurrencyCode"),
            description=said or usage,
        )


def read_gcp(rows: Iterable[Row]) -> Read:
    for row in rows:
        cost = row.cost("cost") + _credits(row)
        service, sku = row.text("service.description"), row.text("sku.description")
        model = family(f"{service} {sku}") or family(sku)
        if not _MODELS_ON_GCP.search(f"{service} {sku}") or (model is None and not _TOKENS.search(sku)):
            yield cost
            continue
        starts, ends = row.period(("usage_start_time",), ("usage_end_time",))
        payer = row.text("billing_account_id")
        is_gemini = re.search(r"generative language|gemini api", service, re.IGNORECASE)
        unit = row.text("usage.unit")
        yield BillLine(
            number=row.number,
            starts=starts,
            ends=ends,
            provider="gcp.gemini" if is_gemini else "gcp.vertex_ai",
            scope=f"gcp:{payer}" if payer else "gcp",
            account=row.text("project.id") or None,
            model=model,
            meter=meter(sku),
            tier=tier(sku) or "standard",
            region=row.text("location.region") or None,
            quantity=row.amount("usage.amount") if unit in ("", "count", "requests", "tokens") else None,
            cost=cost,
            currency=row.currency("currency"),
            description=sku,
        )


def _credits(row: Row) -> Decimal:
    """Discounts and credits are negative amounts in a list of their own."""
    text = row.text("credits")
    if not text:
        return row.amount("credits.amount", "credits_amount") or Decimal(0)
    if text[0] != "[":
        return row.amount("credits") or Decimal(0)
    try:
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        return sum((credit.get("amount") or Decimal(0) for credit in found), Decimal(0))
    except (ValueError, AttributeError, TypeError) as error:
        raise row.wrong(("credits",), text, "a JSON list of credits") from error


def read_azure(rows: Iterable[Row]) -> Read:
    for row in rows:
        cost = row.cost("costInBillingCurrency", "cost", "pretaxCost")
        category, name = row.text("meterCategory"), row.text("meterName")
        sub, service = row.text("meterSubCategory"), row.text("consumedService", "serviceFamily")
        if not (_MODELS_ON_AZURE.search(f"{category} {sub} {service}") and _TOKENS.search(name)):
            yield cost
            continue
        starts, ends = row.period(("date", "usageDate", "usageDateTime"), ())
        meant = azure(name, sub)
        payer = row.text("billingAccountId", "billingProfileId")
        yield BillLine(
            number=row.number,
            starts=starts,
            ends=ends,
            provider="azure.ai.openai",
            scope=f"azure:{payer}" if payer else "azure",
            account=row.text("subscriptionId", "SubscriptionGuid") or None,
            model=meant.model,
            meter=meant.meter,
            tier=meant.tier or "standard",
            region=row.text("resourceLocation", "location") or None,
            quantity=_counted(row.amount("quantity"), row.text("unitOfMeasure")),
            cost=cost,
            currency=row.currency("billingCurrency", "billingCurrencyCode", "currency"),
            description=name,
        )


def _counted(quantity: Decimal | None, unit: str) -> Decimal | None:
    """One by one: units are ``1K tokens``, ``1M``, ``Units`` …"""
    if quantity is None:
        return None
    found = re.search(r"(\d+)\s*([KkMm])?", unit)
    if not found:
        return quantity * 1000 if re.match(r"^k\b", unit, re.IGNORECASE) else quantity
    return quantity * int(found[1]) * {"k": 1_000, "m": 1_000_000}.get((found[2] or "").lower(), 1)
