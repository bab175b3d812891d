"""Traces: the list and the waterfall, as a reader sees them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from tests.browser.conftest import Look

Open = Callable[..., Look]

TRACE = hashlib.sha256(b"trace 0").hexdigest()[:32]


def test_a_trace_shows_what_each_step_cost_and_why_some_are_not_counted(look: Open, shown: str):
    seen = look(shown)
    page = seen.open(f"/traces?trace={TRACE}", wait_for="[data-testid=trace-cost]")
    page.wait_for_selector(".js-plotly-plot .annotation-text")
    texts = " ".join(page.locator(".js-plotly-plot .annotation-text").all_text_contents())
    assert "$0.193" in texts
    assert "not counted: another span describes the same call" in texts
    assert "not priced" in texts
    assert "failed: overloaded_error" in texts
    assert page.locator("[data-testid=trace-cost]").get_attribute("data-exact") == "$0.20584720"
    assert "at least $0.206" in seen.text()


def test_a_click_on_a_step_shows_its_charge_line_by_line(look: Open, shown: str):
    seen = look(shown)
    page = seen.open(f"/traces?trace={TRACE}", wait_for="[data-testid=trace-cost]")
    page.wait_for_selector(".js-plotly-plot .bars .point")
    page.locator(".js-plotly-plot .annotation-text", has_text="write (retry)").wait_for()
    box = page.locator(".js-plotly-plot").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 26 + 44 * 7 + 20)
    page.wait_for_url("**span=0000000000000007**")
    page.get_by_text("2,072 × $2.00 per 1 M").wait_for()
    assert "$0.1934125" in seen.text()
    assert "checked 2026-11-18" in seen.text()


def test_a_pasted_trace_id_opens_the_trace(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/traces", wait_for="[data-testid=stDataFrame]")
    page.get_by_placeholder("Paste a trace id").fill(f"  {TRACE} ")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=trace-cost]")
    assert f"trace={TRACE}" in page.url


def test_an_unknown_trace_is_named(look: Open, shown: str):
    seen = look(shown)
    seen.open(f"/traces?trace={'0' * 32}", wait_for=".o-empty")
    assert f"No trace {'0' * 32}" in seen.text()


def test_the_waterfall_reads_on_a_phone(look: Open, shown: str):
    seen = look(shown, width=390, height=844)
    page = seen.open(f"/traces?trace={TRACE}", wait_for=".js-plotly-plot .annotation-text")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")


def test_what_was_said_is_read_beside_its_cost(look: Open, shown: str):
    seen = look(shown)
    page = seen.open(f"/traces?trace={TRACE}&span=0000000000000007", wait_for="[data-testid=trace-cost]")
    page.get_by_text("What was said (2)").click()
    page.get_by_text("Which firms make <b>heat pumps</b>?").wait_for()
    assert "Seven of them." in seen.text()


def test_from_the_costliest_session_to_its_conversation(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/traces", wait_for="[data-testid=stDataFrame]")
    seen.settle()
    page.get_by_text("Sessions", exact=True).click()
    page.wait_for_url("**view=sessions**")
    page.locator(".o-ledger a[href*='session']").first.wait_for()
    seen.settle()
    page.locator(".o-ledger a[href*='session']").first.click()
    page.get_by_text(re.compile(r"calls in .*: ")).wait_for()
    assert "session%3As-" in page.url
    page.get_by_text("failed: overloaded_error").first.wait_for()


def test_agents_are_told_by_what_their_steps_cost(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/traces?view=agents", wait_for=".o-ledger")
    assert "researcher is 100 % of what agents spent" in seen.text()
    page.get_by_text("By step").wait_for()
    assert "deep-dive" in seen.text()
    assert "answer" not in page.locator(".o-ledger").nth(1).inner_text()
