"""What Alertmanager sends to its webhooks, version 4, for receivers that already understand that.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import hashlib

from outlay_collector.alerts.webhooks.message import Message, as_json, cut, instant

_NOT_ENDED = "0001-01-01T00:00:00Z"
_MOST_TITLE = 500
_MOST_DESCRIPTION = 2_000


def render(message: Message, dashboard_url: str) -> bytes:
    """An alert keeps its labels, and so its fingerprint, from firing until resolved; what changes stands in annotations."""
    status = "resolved" if message.resolves else "firing"
    labels = {"alertname": "Outlay", "dedup_key": message.key}
    if message.project is not None:
        labels["project"] = message.project
    annotations = {
        "summary": cut(message.title, _MOST_TITLE),
        "description": cut(message.summary, _MOST_DESCRIPTION),
        "severity": message.severity,
        "type": message.type,
    }
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": instant(message.since),
        "endsAt": instant(message.occurred_at) if message.resolves else _NOT_ENDED,
        "generatorURL": message.url,
        "fingerprint": hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16],
    }
    return as_json(
        {
            "version": "4",
            "groupKey": f'{{}}:{{dedup_key="{message.key}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "outlay",
            "groupLabels": {"dedup_key": message.key},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": dashboard_url,
            "alerts": [alert],
        }
    )
