"""Overview, as a reader sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.browser.conftest import Look
from tests.browser.fake_api import KEY, FakeApi, serving

Open = Callable[..., Look]


def test_the_total_is_the_largest_thing_and_equals_the_sum_of_the_ledger(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/", wait_for=".o-headline")
    total = Decimal(seen.total().replace("$", "").replace(",", ""))
    assert total > 1000
    sizes = page.eval_on_selector_all(
        ".o *, [data-testid=stMain] p", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    total_size = page.locator(".total").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert total_size == max(sizes)
    amounts = page.locator(".o-ledger td:nth-child(2)").all_inner_texts()
    assert abs(sum(Decimal(text.strip("$").replace(",", "")) for text in amounts) - total) < Decimal("0.05")


def test_completeness_and_what_has_no_price_are_said_in_words(look: Open, shown: str):
    seen = look(shown)
    seen.open("/", wait_for=".o-headline")
    assert re.search(r"Complete to .*\d\d:\d\d\.", seen.text())
    assert re.search(r"[\d,]+ calls \(\d+\.\d %\) have no known price, so the total is at least this", seen.text())
    assert "$0.00" not in seen.text()


def test_grouping_by_model_shows_the_model_without_a_price_as_not_priced(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/?by=model", wait_for=".o-headline")
    row = page.locator(".o-ledger tr", has_text="qwen3-8b")
    assert "not priced" in row.inner_text()
    assert row.locator(".o-hatched").count() == 1


def test_controls_write_the_url_and_the_url_sets_the_controls(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/", wait_for=".o-headline")
    before = seen.total()
    page.locator("[data-testid=stSelectbox]").nth(1).click()
    page.get_by_role("option", name="Last 7 days").click()
    page.wait_for_url("**window=7d**")
    page.wait_for_function("was => document.querySelector('[data-testid=total]')?.dataset.exact !== was", arg=before)
    after = seen.total()
    again = look(shown)
    again.open("/?window=7d", wait_for=".o-headline")
    assert again.total() == after
    assert "Last 7 days" in again.page.locator("[data-testid=stSelectbox] input").nth(1).input_value()


def test_the_url_goes_along_to_other_pages(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/?window=7d&filter=team:search&lang=ko", wait_for=".o-headline")
    page.get_by_role("link", name="트레이스").click()
    page.wait_for_url("**/traces**")
    assert "window=7d" in page.url
    assert "lang=ko" in page.url
    assert "filter=team" in page.url


def test_a_filter_can_be_taken_away(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/?filter=team:search", wait_for=".o-headline")
    assert page.locator(".o-ledger tbody tr").count() == 1
    page.get_by_role("button", name="team: search").click()
    page.wait_for_function("() => !location.search.includes('filter')")
    page.wait_for_function("() => document.querySelectorAll('.o-ledger tbody tr').length > 3")


def test_from_a_bar_to_the_call_behind_it_in_three_clicks(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/", wait_for=".o-headline")
    page.wait_for_selector(".js-plotly-plot .bars .point")
    bar = page.locator(".js-plotly-plot").first.locator(".bars .point path").nth(20).bounding_box()
    assert bar is not None
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)  # one
    page.wait_for_url("**/traces?**")
    assert "filter=team" in page.url
    assert "window=" in page.url
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    seen.settle()
    page.locator("[data-testid=stDataFrame]").click(position={"x": 120, "y": 55})  # two
    page.wait_for_url("**trace=**")
    page.wait_for_selector("[data-testid=trace-cost]")
    page.get_by_text("Usage").first.wait_for()


def test_from_what_changed_to_the_calls_that_made_most_of_it(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/?window=7d", wait_for=".o-headline")
    figure = page.locator(".js-plotly-plot").nth(1)
    figure.locator(".annotation-text").first.wait_for()
    effect = figure.locator(".bars .point path").nth(1)
    effect.scroll_into_view_if_needed()
    seen.settle()
    bar = effect.bounding_box()
    assert bar is not None
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_url("**/traces?**")
    assert "filter=feature%3Adeep-dive&filter=model%3Aclaude-opus-4-5" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_no_text_is_cut_off_or_wider_than_the_page(look: Open, shown: str, scheme: str, width: int):
    seen = look(shown, width=width, scheme=scheme)
    page = seen.open("/", wait_for=".o-headline")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")
    background = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(15, 19, 24)")


def test_a_korean_browser_gets_korean(look: Open, shown: str):
    seen = look(shown, locale="ko-KR")
    seen.open("/", wait_for=".o-headline")
    assert "지출" in seen.text()
    assert "Spend" not in seen.text()


def test_the_first_run_shows_the_snippet_and_turns_into_the_page_by_itself(
    look: Open, start_dashboard: Callable[..., str]
):
    api = FakeApi(datetime.now(UTC), mode="empty")
    with serving(api) as url:
        seen = look(start_dashboard(url))
        page = seen.open("/", wait_for=".o-waiting")
        page.get_by_text("@outlay.observe").wait_for()
        page.get_by_text(f'"{url}"').wait_for()
        api.mode = "ok"
        page.wait_for_selector(".o-headline", timeout=30_000)


def test_a_window_without_calls_says_so_and_offers_a_longer_one(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/?window=2020-01-01..2020-01-07", wait_for=".o-empty")
    assert "No calls in this window" in seen.text()
    page.get_by_role("button", name="Show the last 90 days").click()
    page.wait_for_selector(".o-headline")


def test_a_collector_that_is_away_is_named_and_the_page_comes_back_with_it(
    look: Open, start_dashboard: Callable[..., str]
):
    api = FakeApi(datetime.now(UTC))
    with serving(api) as url:
        dashboard = start_dashboard(url)
    seen = look(dashboard)
    seen.open("/", wait_for=".o-empty")
    assert f"does not answer at {url}" in seen.text()
    with serving(api, port=int(url.rsplit(":", 1)[1])):
        seen.page.wait_for_selector(".o-headline", timeout=30_000)


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [("refuse", "This key may not read that"), ("broken", "The collector could not answer")],
)
def test_a_refusal_is_one_sentence_with_the_collectors_words_below(
    look: Open, start_dashboard: Callable[..., str], mode: str, sentence: str
):
    with serving(FakeApi(datetime.now(UTC), mode=mode)) as url:
        seen = look(start_dashboard(url, KEY))
        seen.open("/", wait_for=".o-empty")
        assert sentence in seen.text()
        assert "Traceback" not in seen.text()
