"""``/metrics``: what a monitoring system asks of us. No key, no names of projects, no money."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from outlay_collector.access.api import state_of
from outlay_collector.alerts.watch import store
from outlay_collector.alerts.watch.metrics import CONTENT_TYPE, page

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Lags of settlement, evaluation and delivery, heartbeats' ages, alerts and deliveries, for Prometheus."""
    with state_of(request).health.connection() as connection:
        text = page(store.vitals(connection), store.counts(connection))
    return Response(text, media_type=CONTENT_TYPE)
