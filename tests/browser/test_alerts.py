"""The page Alerts in a browser: what stands, what a click does, unusual spend with its cause, deliveries and replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.browser.conftest import Look
from tests.browser.fake_api import FakeApi, serving
from tests.servers import wait_until

Open = Callable[..., Look]


@pytest.fixture
def company(start_dashboard: Callable[..., str]) -> Iterator[tuple[FakeApi, str]]:
    """Its API of this test alone, for clicks change it, and its dashboard."""
    api = FakeApi(datetime.now(UTC))
    with serving(api) as url:
        yield api, start_dashboard(url)


def test_what_stands_is_looked_after_muted_and_over_by_a_click(look: Open, company: tuple[FakeApi, str]) -> None:
    api, url = company
    seen = look(url)
    page = seen.open("/alerts?window=30d", wait_for=".o-calendar")
    assert "3 alerts stand" in seen.text()
    assert "Search is at 80 % of its budget" in seen.text()
    assert page.locator(".o-calendar .day.warning, .o-calendar .day.critical").count() >= 1
    page.locator(".st-key-alert_00000000-0000-0000-0000-000000000001").get_by_role(
        "button", name="I look after it"
    ).click()
    wait_until(lambda: api.alerts[0]["state"] == "acknowledged")
    page.locator(".st-key-alert_00000000-0000-0000-0000-000000000001").get_by_text("k3Jd looks after it").wait_for()
    page.locator(".st-key-alert_00000000-0000-0000-0000-000000000002").get_by_role(
        "button", name="Mute for a day"
    ).click()
    wait_until(lambda: api.alerts[1]["muted"])
    assert api.alerts[1]["hours"] == 24
    page.locator(".st-key-alert_00000000-0000-0000-0000-000000000001").get_by_role("button", name="It is over").click()
    page.get_by_text("2 alerts stand").wait_for()


def test_unusual_spend_says_where_from_and_why_and_takes_a_judgement(look: Open, company: tuple[FakeApi, str]) -> None:
    api, url = company
    seen = look(url)
    page = seen.open("/alerts?window=30d&show=unusual", wait_for=".o-facts")
    text = seen.text()
    for said in ("Spend was unusual 2 times", "$62.30", "$20.20", "$42.10", "feature chat, 95"):
        assert said in text
    assert "number of calls" in text
    assert "+$38.10" in text
    assert "412" in text
    page.get_by_role("button", name="No need to tell").first.click()
    page.get_by_text("Noted.").wait_for()
    assert api.alerts[2]["useful"] is False


def test_deliveries_say_what_receivers_said_and_can_be_replayed(look: Open, company: tuple[FakeApi, str]) -> None:
    api, url = company
    seen = look(url)
    page = seen.open("/alerts?show=deliveries&lang=ko", wait_for=".o-ledger")
    assert "전달 5건, 실패 1건" in seen.text()
    assert "is the URL still valid?" in seen.text()
    page.get_by_role("button", name="다시 전달").click()
    wait_until(lambda: api.deliveries[1]["state"] == "pending")


def test_a_click_that_fails_says_why(look: Open, company: tuple[FakeApi, str]) -> None:
    api, url = company
    seen = look(url)
    page = seen.open("/alerts?window=30d", wait_for=".o-calendar")
    api.alerts[0]["id"] = "gone"
    page.get_by_role("button", name="I look after it").first.click()
    page.get_by_text("That did not work").wait_for()
