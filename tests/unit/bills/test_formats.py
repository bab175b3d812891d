"""Files of every kind that is known, recognised by their columns, and errors that name the place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from outlay_collector.bills.formats.detect import read
from outlay_collector.bills.line import Bill, BillLine, UnreadableBill

DAY = datetime(2026, 10, 1, tzinfo=UTC)

AWS = """\
bill_payer_account_id,line_item_usage_account_id,line_item_usage_start_date,line_item_usage_end_date,\
line_item_product_code,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_unblended_cost,\
line_item_currency_code,line_item_line_item_description
111,222,2026-10-01T05:00:00Z,2026-10-01T06:00:00Z,AmazonBedrock,USE1-NovaPro-input-tokens-batch,12.5,1K tokens,0.005,USD,x
111,222,2026-10-01T05:00:00Z,2026-10-01T06:00:00Z,AmazonEC2,BoxUsage,1,Hrs,0.75,USD,x
"""
LEGACY_AWS = """\
lineItem/UsageStartDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,pricing/unit,lineItem/UnblendedCost
2026-10-01T00:00:00Z,AmazonBedrock,USE1-Claude3.5Sonnet-output-tokens,2,1K tokens,0.03
"""
GCP = """\
billing_account_id,service.description,sku.description,usage_start_time,usage_end_time,project.id,cost,currency,\
usage.amount,usage.unit,credits
A-1,Vertex AI,Gemini 2.5 Flash GA Text Input - Predictions,2026-10-01 07:00:00 UTC,2026-10-01 08:00:00 UTC,shop,0.3,USD,\
1000000,count,"[{""name"": ""trial"", ""amount"": -0.1}]"
A-1,Compute Engine,N1 Core,2026-10-01 07:00:00 UTC,2026-10-01 08:00:00 UTC,shop,9,USD,1,h,
"""
AZURE = """\
date,meterCategory,meterSubCategory,meterName,quantity,unitOfMeasure,costInBillingCurrency,billingCurrency,SubscriptionId
10/01/2026,Foundry Models,Azure OpenAI,gpt-4o-mini-0718-Inp-glbl Tokens,1500,1K,0.225,USD,sub-1
10/01/2026,Storage,Blob,Hot LRS Write Operations,1,10K,0.05,USD,sub-1
"""
FOCUS = """\
BilledCost,BillingAccountId,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ConsumedQuantity,ProviderName,ServiceCategory,\
ServiceName,SkuMeter,ResourceName
0.15,acc,USD,2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,1000000,OpenAI,AI and Machine Learning,OpenAI API,Input Tokens,gpt-4o-mini
3.00,acc,USD,2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,1,AWS,Compute,Amazon EC2,Hours,vm
"""
OPENAI = """\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,organization_id
1790812800,1790899200,2026-10-01T00:00:00+00:00,2026-10-02T00:00:00+00:00,0.8958740000000000,usd,"gpt-4.1, input",proj_1,org
1790899200,1790985600,2026-10-02T00:00:00+00:00,2026-10-03T00:00:00+00:00,,,,,
"""
ANTHROPIC = """\
usage_date_utc,model,workspace,usage_type,context_window,token_type,cost_usd
2026-10-01,claude-haiku-4-5-20251001,Default,standard,0-200k,cache_read_input_tokens,0.07
"""


def only(bill: Bill) -> BillLine:
    (line,) = bill.lines
    return line


@pytest.mark.parametrize(
    ("text", "format", "provider", "model", "meter", "quantity", "cost", "left_out"),
    [
        (AWS, "aws", "aws.bedrock", "amazon.nova-pro", "input", "12500.0", "0.005", "0.75"),
        (LEGACY_AWS, "aws", "aws.bedrock", "claude-3-5-sonnet", "output", "2000", "0.03", "0"),
        (GCP, "gcp", "gcp.vertex_ai", "gemini-2.5-flash", "input", "1000000", "0.2", "9"),
        (AZURE, "azure", "azure.ai.openai", "gpt-4o-mini", "input", "1500000", "0.225", "0.05"),
        (FOCUS, "focus", "openai", "gpt-4o-mini", "input", "1000000", "0.15", "3.00"),
        (OPENAI, "openai", "openai", "gpt-4.1", "input", None, "0.8958740000000000", "0"),
        (ANTHROPIC, "anthropic", "anthropic", "claude-haiku-4-5-20251001", "cache_read", None, "0.07", "0"),
    ],
)
def test_a_file_is_known_by_its_columns(
    text: str, format: str, provider: str, model: str, meter: str, quantity: str | None, cost: str, left_out: str
) -> None:
    bill = read(text.encode())
    line = only(bill)
    assert (bill.format, line.provider, line.model, line.meter) == (format, provider, model, meter)
    assert (line.quantity, line.cost) == (None if quantity is None else Decimal(quantity), Decimal(cost))
    assert bill.left_out_cost == Decimal(left_out)
    assert line.starts.date() == DAY.date()


def test_a_semicolon_and_a_byte_order_mark_are_as_good() -> None:
    assert only(read(("﻿" + AZURE.replace(",", ";")).encode())).cost == Decimal("0.225")


def test_pages_of_openai_join_costs_with_the_quantities_of_usage() -> None:
    bucket = {"object": "bucket", "start_time": 1790812800, "end_time": 1790899200}
    cost = {
        "object": "organization.costs.result",
        "amount": {"value": 0.06, "currency": "usd"},
        "line_item": "gpt-4.1-2025-04-14, cached input",
        "project_id": "proj_1",
    }
    usage = {
        "object": "organization.usage.completions.result",
        "input_tokens": 500_000,
        "input_cached_tokens": 120_000,
        "output_tokens": 7,
        "project_id": "proj_1",
        "model": "gpt-4.1-2025-04-14",
        "batch": False,
    }
    pages = [{"object": "page", "data": [bucket | {"results": [one]}]} for one in (cost, usage)]
    for text in (json.dumps(pages), "\n".join(map(json.dumps, pages))):
        line = only(read(text.encode()))
        assert (line.meter, line.quantity, line.cost) == ("cache_read", 120_000, Decimal("0.06"))


def test_amounts_of_anthropics_cost_report_are_cents() -> None:
    result = {"amount": "123.45", "currency": "USD", "model": "claude-haiku-4-5", "token_type": "output_tokens"}
    page = {"data": [{"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z", "results": [result]}]}
    assert only(read(json.dumps(page).encode())).cost == Decimal("1.2345")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (AZURE.replace("0.225", "free"), "Line 2, column costInBillingCurrency: holds 'free', and should be a number"),
        (AZURE.replace("10/01/2026,Fou", "13/45/2026,Fou"), "Line 2, column date: holds '13/45/2026'"),
        (OPENAI.replace("usd", "dollars"), "Line 2, column amount_currency: holds 'DOLLARS'"),
        (AWS.replace("2026-10-01T05:00:00Z", ""), "Line 2, column line_item_usage_start_date: is empty"),
        (LEGACY_AWS + "a,b,c,d,e,f,extra\n", "Line 3: 7 cells under 6 columns; the extra one holds 'extra'"),
        ("", "The file is empty"),
        ("a,b\n1,2\n", "No bill that is known has these columns"),
        (FOCUS.replace("ChargePeriodEnd", "Nothing"), "looks most like focus, without: chargeperiodend"),
        ("{}", "no page of a cost API"),
        ('{"data": [', "The file is no JSON"),
        (AZURE.replace("0.225", "NaN"), "should be a number"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UnreadableBill, match=said.replace("(", r"\(")):
        read(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnreadableBill, match="not text in UTF-8"):
        read(b"\x1f\x8b\x08\x00\xff")
