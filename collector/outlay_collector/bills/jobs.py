"""Pulls bills from the cost and usage APIs of OpenAI and Anthropic, on a schedule or when asked to.

https://platform.openai.com/docs/api-reference/usage and https://platform.claude.com/docs/en/api/admin/cost_report. Both need
an admin key, which is sent to that provider and nowhere else, and is in no message of ours.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
from pydantic import SecretStr

from outlay_collector.bills import store
from outlay_collector.bills.formats.detect import from_pages
from outlay_collector.bills.line import Bill
from outlay_collector.bills.store import Imported
from outlay_collector.db.engine import connect
from outlay_collector.errors import BadRequest, Unavailable
from outlay_collector.ledger.buckets import DAY, Window
from outlay_collector.pricing.store import load_book
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.bills")

SCHEDULE = "23 */6 * * *"
"""Costs of a day are complete some hours after it, and are corrected for some days."""

PROVIDERS = ("openai", "anthropic")
MOST_PAGES = 1_000
_DAYS_PER_PAGE = 31
_TRIES = 4
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Where to ask for one provider's bill, and the key that may."""

    provider: str
    url: str
    key: SecretStr

    def client(self) -> httpx.Client:
        secret = self.key.get_secret_value()
        headers = (
            {"Authorization": f"Bearer {secret}"}
            if self.provider == "openai"
            else {"x-api-key": secret, "anthropic-version": "2023-06-01"}
        )
        return httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)


def accounts(settings: Settings) -> list[Account]:
    """Those whose admin key is set."""
    known = (
        ("openai", settings.openai_billing_url, settings.openai_admin_key),
        ("anthropic", settings.anthropic_billing_url, settings.anthropic_admin_key),
    )
    return [Account(provider=provider, url=url, key=key) for provider, url, key in known if key is not None]


def account_of(settings: Settings, provider: str) -> Account:
    """BadRequest that names the setting when there is no key."""
    found = next((account for account in accounts(settings) if account.provider == provider), None)
    if found is None:
        if provider not in PROVIDERS:
            raise BadRequest(f"Bills are pulled from {' and '.join(PROVIDERS)}; import the files of others.")
        raise BadRequest(
            f"OUTLAY_{provider.upper()}_ADMIN_KEY is not set; {provider}'s cost API asks for an admin key."
        )
    return found


def last_days(days: int, now: datetime) -> Window:
    """Whole UTC days up to the last midnight; today is not complete."""
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(end - days * DAY, end)


def pull(account: Account, window: Window) -> Bill:
    """What the provider billed in the whole UTC days of ``window``, days without a charge included."""
    with account.client() as client:
        pages = list(_openai(client, window) if account.provider == "openai" else _anthropic(client, window))
    covers = {account.provider: (window.start, window.end)}
    if not any(bucket.get("results") for page in pages for bucket in page.get("data") or ()):
        return Bill(format=account.provider, lines=(), covers=covers)
    return replace(from_pages(pages), covers=covers)


def pull_all(settings: Settings, database_url: str) -> list[Imported]:
    """The last days of every provider whose key is set. One that fails is logged, and keeps nobody from the others."""
    done: list[Imported] = []
    window = last_days(settings.bill_pull_days, datetime.now(UTC))
    for account in accounts(settings):
        try:
            bill = pull(account, window)
            with connect(database_url, application="outlay-bills") as connection:
                name = f"{account.provider} {window.start:%Y-%m-%d}/{window.end:%Y-%m-%d}"
                imported = store.import_bill(
                    connection, bill, name=name, actor="outlay worker", book=load_book(connection)
                )
        except Exception as error:  # noqa: BLE001 - the next run tries again
            logger.warning("the bill of %s could not be pulled: %s", account.provider, error)
            continue
        done.append(imported)
        logger.info("bill of %s: %d lines%s", name, imported.lines, "" if imported.is_new else ", known already")
    return done


def _openai(client: httpx.Client, window: Window) -> Iterator[Mapping[str, Any]]:
    bounds = {"start_time": int(window.start.timestamp()), "end_time": int(window.end.timestamp())}
    asked = {**bounds, "bucket_width": "1d", "limit": _DAYS_PER_PAGE}
    yield from _pages(client, "/v1/organization/costs", asked | {"group_by[]": ["project_id", "line_item"]})
    yield from _pages(
        client, "/v1/organization/usage/completions", asked | {"group_by[]": ["project_id", "model", "batch"]}
    )


def _anthropic(client: httpx.Client, window: Window) -> Iterator[Mapping[str, Any]]:
    asked = {
        "starting_at": f"{window.start:%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{window.end:%Y-%m-%dT%H:%M:%SZ}",
        "bucket_width": "1d",
        "limit": _DAYS_PER_PAGE,
    }
    costs, usage = "/v1/organizations/cost_report", "/v1/organizations/usage_report/messages"
    yield from _pages(client, costs, asked | {"group_by[]": ["workspace_id", "description"]})
    yield from _pages(client, usage, asked | {"group_by[]": ["workspace_id", "model", "service_tier"]})


def _pages(client: httpx.Client, path: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    page: str | None = None
    for _ in range(MOST_PAGES):
        body = _get(client, path, {**asked, **({"page": page} if page else {})})
        yield body
        page = body.get("next_page") if body.get("has_more") else None
        if not page:
            return
    raise Unavailable(f"{client.base_url}{path} goes on after {MOST_PAGES} pages; ask for fewer days.")


def _get(client: httpx.Client, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One page. Refusals of the moment (429, 5xx) are tried again; others say what the provider said."""
    parameters: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in asked.items():
        values: Sequence[Any] = value if isinstance(value, list) else [value]
        parameters.extend((name, str(one)) for one in values)
    said = ""
    for number in range(_TRIES):
        try:
            answer = client.get(path, params=parameters)
        except httpx.HTTPError as error:
            said = f"{client.base_url.host} gives no answer ({type(error).__name__})"
        else:
            if answer.is_success:
                # The provider's numbers are decimal texts, and stay what they are.
                return json.loads(answer.text, parse_float=Decimal)
            said = f"{client.base_url.host}{path} answers {answer.status_code}: {answer.text[:200]}"
            if answer.status_code != 429 and answer.status_code < 500:
                hint = (
                    " The key has to be an admin key of the organisation." if answer.status_code in (401, 403) else ""
                )
                raise BadRequest(said + hint)
        if number < _TRIES - 1:
            time.sleep(min(2**number, 8))
    raise Unavailable(said)
