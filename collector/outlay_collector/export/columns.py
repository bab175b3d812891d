"""The columns of FOCUS as data: what each holds, and what each version of the specification calls it.

FOCUS is the FinOps Open Cost and Usage Specification (https://focus.finops.org). Version 1.2 is what the public validator
bundles. A later version renames or adds columns: it is another entry of ``VERSIONS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TEXT, DECIMAL, TIME, FLAG, WHOLE, JSON = "text", "decimal", "time", "flag", "whole", "json"


@dataclass(frozen=True, slots=True)
class Column:
    """``field`` of ``focus.Row``, its name in FOCUS, and the kind of its values."""

    field: str
    name: str
    kind: str = TEXT


_V1_2 = (
    Column("billed_cost", "BilledCost", DECIMAL),
    Column("effective_cost", "EffectiveCost", DECIMAL),
    Column("list_cost", "ListCost", DECIMAL),
    Column("contracted_cost", "ContractedCost", DECIMAL),
    Column("list_unit_price", "ListUnitPrice", DECIMAL),
    Column("contracted_unit_price", "ContractedUnitPrice", DECIMAL),
    Column("billing_currency", "BillingCurrency"),
    Column("pricing_currency", "PricingCurrency"),
    Column("pricing_currency_effective_cost", "PricingCurrencyEffectiveCost", DECIMAL),
    Column("pricing_currency_list_unit_price", "PricingCurrencyListUnitPrice", DECIMAL),
    Column("pricing_currency_contracted_unit_price", "PricingCurrencyContractedUnitPrice", DECIMAL),
    Column("billing_account_id", "BillingAccountId"),
    Column("billing_account_name", "BillingAccountName"),
    Column("billing_period_start", "BillingPeriodStart", TIME),
    Column("billing_period_end", "BillingPeriodEnd", TIME),
    Column("charge_period_start", "ChargePeriodStart", TIME),
    Column("charge_period_end", "ChargePeriodEnd", TIME),
    Column("charge_category", "ChargeCategory"),
    Column("charge_class", "ChargeClass"),
    Column("charge_description", "ChargeDescription"),
    Column("charge_frequency", "ChargeFrequency"),
    Column("consumed_quantity", "ConsumedQuantity", DECIMAL),
    Column("consumed_unit", "ConsumedUnit"),
    Column("pricing_quantity", "PricingQuantity", DECIMAL),
    Column("pricing_unit", "PricingUnit"),
    Column("pricing_category", "PricingCategory"),
    Column("commitment_discount_status", "CommitmentDiscountStatus"),
    Column("provider_name", "ProviderName"),
    Column("publisher_name", "PublisherName"),
    Column("invoice_issuer_name", "InvoiceIssuerName"),
    Column("invoice_id", "InvoiceId"),
    Column("service_name", "ServiceName"),
    Column("service_category", "ServiceCategory"),
    Column("service_subcategory", "ServiceSubcategory"),
    Column("sub_account_id", "SubAccountId"),
    Column("sub_account_name", "SubAccountName"),
    Column("resource_id", "ResourceId"),
    Column("resource_name", "ResourceName"),
    Column("resource_type", "ResourceType"),
    Column("region_id", "RegionId"),
    Column("region_name", "RegionName"),
    Column("sku_id", "SkuId"),
    Column("sku_meter", "SkuMeter"),
    Column("sku_price_id", "SkuPriceId"),
    Column("sku_price_details", "SkuPriceDetails", JSON),
    Column("tags", "Tags", JSON),
    Column("cost", "x_Cost", DECIMAL),
    Column("unpriced", "x_Unpriced", FLAG),
    Column("calls", "x_Calls", WHOLE),
    Column("provider", "x_Provider"),
    Column("model", "x_Model"),
    Column("meter", "x_Meter"),
    Column("tier", "x_ServiceTier"),
    Column("usage_source", "x_UsageSource"),
    Column("cost_source", "x_CostSource"),
    Column("price_version", "x_PriceVersion", WHOLE),
    Column("ledger_kind", "x_LedgerKind"),
    Column("ledger_cause", "x_LedgerCause"),
    Column("incurred_start", "x_IncurredPeriodStart", TIME),
)

VERSIONS: Mapping[str, tuple[Column, ...]] = {"1.2": _V1_2}
DEFAULT_VERSION = "1.2"

CRITERIA = (
    "USAGE_MEASUREMENT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "REGION_SUPPORTED",
    "TAGGING_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED",
)
"""What of the specification's conditional parts applies to this data, by the names of its requirements model."""

DESCRIPTIONS: Mapping[str, str] = {
    "x_Cost": "The cost, null where it is not known; BilledCost, which may not be null, is then 0.",
    "x_Unpriced": "true: the quantity is known and its price is not. Such a row is not free.",
    "x_Calls": "Calls that this row's quantity comes from. A call has a row per meter.",
    "x_Provider": "The provider as calls name it.",
    "x_Model": "The model as calls name it.",
    "x_Meter": "What was counted: input, cache_read, output, … as in the price book.",
    "x_ServiceTier": "The service tier as the price book calls it.",
    "x_UsageSource": "reported by the provider, estimated, or missing.",
    "x_CostSource": "The layer of the price book that the rate comes from; a ledger line's is ledger.",
    "x_PriceVersion": "The version of the price book that the calls were priced with.",
    "x_LedgerKind": "For lines of the ledger that are no call's charge: what kind of line.",
    "x_LedgerCause": "For lines of the ledger: what caused it.",
    "x_IncurredPeriodStart": "For corrections: the day that a line belongs to.",
}
"""Columns that are not of FOCUS."""
