"""The page that Prometheus scrapes, as text (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.alerts.events import SEVERITIES
from outlay_collector.alerts.watch.checks import Vitals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATES = ("pending", "delivered", "failed", "muted")


def page(vitals: Vitals, counts: Mapping[str, Any]) -> str:
    """Lags in seconds by part, heartbeats' ages by name, and how many alerts and deliveries there are."""
    deliveries, alerts = counts["deliveries"], counts["alerts"]
    blocks = (
        ("outlay_lag_seconds", "How far a part is behind.", "part", vitals.lags),
        ("outlay_heartbeat_age_seconds", "Time since a part was last heard of.", "name", vitals.ages),
        ("outlay_alerts", "Alerts that stand.", "severity", {name: alerts.get(name, 0) for name in SEVERITIES}),
        ("outlay_deliveries", "Deliveries in the log.", "state", {name: deliveries.get(name, 0) for name in _STATES}),
    )
    lines: list[str] = []
    for name, help_line, label, values in blocks:
        lines += [f"# HELP {name} {help_line}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{{label}="{key}"}} {value:g}' for key, value in sorted(values.items())]
    disabled = "outlay_webhooks_disabled"
    lines += [f"# HELP {disabled} Webhooks that were given up.", f"# TYPE {disabled} gauge"]
    lines.append(f"{disabled} {counts['disabled']}")
    return "\n".join(lines) + "\n"
