"""How the company's work ended, and what its customers pay: what unit costs are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from outlay_collector.demo.draws import Draws
from outlay_collector.demo.shapes import Recording

RESOLVED, FEE = "resolved", "daily fee"

_ASKED = 0.3  # share of visits after which a customer says whether it helped
_HELPED = 0.86
_CHEAPEST, _DEAREST = 2, 22  # daily fees in whole US dollars
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def endings(day: date, traces: Iterable[Sequence[Recording]]) -> list[dict[str, Any]]:
    """Rows of ``POST /api/v1/units/outcomes``: what customers said of a day's visits, and the fees they pay for the day."""
    found: list[dict[str, Any]] = []
    customers: set[str] = set()
    for trace in traces:
        customer = trace[0].whom.customer
        if customer is None:
            continue
        customers.add(customer)
        draws = Draws("ending", trace[0].trace_id)
        if draws.happens(_ASKED):
            ended = max(recording.end_ns for recording in trace)
            found.append(
                {
                    "time": (_EPOCH + timedelta(microseconds=ended // 1000)).isoformat(),
                    "outcome": RESOLVED,
                    "trace_id": f"{trace[0].trace_id:032x}",
                    "customer": customer,
                    "success": draws.happens(_HELPED),
                }
            )
    for customer in sorted(customers):
        fee = _CHEAPEST + int(Draws("fee", customer).share() * (_DEAREST - _CHEAPEST))
        at = datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
        found.append({"time": at, "outcome": FEE, "customer": customer, "revenue": str(fee)})
    return found
