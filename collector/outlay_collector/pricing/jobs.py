"""The price catalogue's live feed, fetched on a schedule where that is switched on (``OUTLAY_PRICE_FEED``)."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import httpx

from outlay_collector.db.engine import connect
from outlay_collector.pricing.imports import feed_url, from_feed
from outlay_collector.pricing.store import Imported, import_catalogue
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.prices")

SCHEDULE = "17 5 * * *"
"""Once a day; a price that changed is known to have changed when it was seen."""

NAME = "genai-prices feed"
_MOST_BYTES = 64 * 2**20


def fetched(url: str | None = None) -> Any:
    """The feed as JSON. httpx.HTTPError, or ValueError when it is none."""
    found = bytearray()
    with httpx.stream("GET", url or feed_url(), timeout=30, follow_redirects=True) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            found += chunk
            if len(found) > _MOST_BYTES:
                raise ValueError(f"the feed is larger than {_MOST_BYTES >> 20} MiB")
    return json.loads(found)


def import_feed(settings: Settings, database_url: str) -> Imported | None:
    """Import what the feed says, through the gate that every import goes through; None where it is switched off.

    What cannot be fetched or is refused is said in the log and changes nothing.
    """
    if not settings.price_feed:
        return None
    try:
        catalogue = from_feed(fetched(settings.price_feed_url), name=NAME)
    except (httpx.HTTPError, ValueError) as error:
        logger.warning("the price feed was not imported: %s", error)
        return None
    with connect(database_url, application="outlay-feed") as connection:
        done = import_catalogue(
            connection, catalogue, kind="feed", actor="outlay worker", at=datetime.now(UTC), allow_leaps=False
        )
    if done.diff.refusals:
        logger.warning(
            "the price feed was refused; outlay price import --feed --dry-run shows it: %s",
            " ".join(done.diff.refusals[:5]),
        )
    elif done.version is not None:
        logger.info("the price feed is version %d: %s", done.version, done.diff.summary())
    return done
