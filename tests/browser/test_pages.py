"""Every page, walked as a reader would: it loads without an error, fits the screen, and speaks the reader's language."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from outlay_dashboard.controls import SECTIONS
from playwright.sync_api import Page

from tests.browser.conftest import Look
from tests.browser.fake_api import FakeApi, serving

Open = Callable[..., Look]

PAGES = [name for names in SECTIONS.values() for name in names]
FIGURES = ".o-ledger, .js-plotly-plot, [data-testid=stDataFrame]"
WITH_CALLS = [name for name in PAGES if name not in ("alerts", "bills", "budgets", "gpus", "health", "settings")]


def at(name: str) -> str:
    """The first page lives at the root."""
    return "" if name == "overview" else name


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_figures_and_fits_a_desk(look: Open, shown: str, name: str):
    seen = look(shown)
    page = seen.open(f"/{at(name)}?window=7d", wait_for=FIGURES)
    assert _fits(page)
    assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_in_the_dark_and_its_titles_are_korean(look: Open, shown: str, name: str):
    seen = look(shown, width=390, height=844, scheme="dark")
    page = seen.open(f"/{at(name)}?window=7d&lang=ko", wait_for=FIGURES)
    assert _fits(page)
    titles = page.locator(".o-title .answer, .o-page-title, .o-headline .label").all_inner_texts()
    assert any("가" <= letter <= "힣" for title in titles for letter in title)


def _fits(page: Page) -> bool:
    return page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("name", WITH_CALLS)
def test_a_page_without_any_call_shows_the_snippet_and_no_empty_box(look: Open, empty_dashboard: str, name: str):
    seen = look(empty_dashboard)
    page = seen.open(f"/{at(name)}", wait_for=".o-waiting")
    assert page.locator(FIGURES).count() == 0


@pytest.fixture(scope="module")
def empty_dashboard(start_dashboard: Callable[..., str]):
    with serving(FakeApi(datetime.now(UTC), mode="empty")) as url:
        yield start_dashboard(url)


def test_the_menu_leads_to_every_page(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/", wait_for=".o-headline")
    for label in (
        "Explore",
        "Models",
        "Customers and units",
        "Bills",
        "My service",
        "Latency",
        "Traces",
        "Alerts",
        "Health",
        "Data quality",
        "Settings",
    ):
        page.get_by_role("link", name=label, exact=True).click()
        page.wait_for_function(f"document.title.includes({label!r})")
        seen.settle()
        assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize(("language", "says"), [("en", "missing instrumentation"), ("ko", "계측 누락")])
def test_bills_show_what_the_invoice_consists_of_and_why_it_differs(look: Open, shown: str, language: str, says: str):
    seen = look(shown)
    page = seen.open(f"/bills?lang={language}", wait_for=".js-plotly-plot .main-svg")
    assert "$6,120.40" in seen.text()
    assert page.locator(".o-ledger", has_text=says).count() == 2  # by cause, and by model
    assert "anthropic $812.50" in seen.text()


def test_without_a_bill_the_page_says_how_to_get_one(look: Open, empty_dashboard: str):
    seen = look(empty_dashboard)
    page = seen.open("/bills", wait_for=".o-empty")
    assert "outlay bill import" in seen.text()
    assert page.locator(FIGURES).count() == 0


def test_the_overview_says_how_much_of_the_bills_is_traced(look: Open, shown: str):
    seen = look(shown)
    seen.open("/", wait_for=".o-headline")
    for text in ("Billed", "$6,120.40", "Of it traced", "86.6 %", "$819.25"):
        assert text in seen.text()


def test_health_is_one_sentence_and_then_figures(look: Open, shown: str):
    seen = look(shown)
    seen.open("/health", wait_for=".o-notice")
    assert re.search(r"Acknowledging; sums \d", seen.text())
    assert "0001_core" in seen.text()


@pytest.mark.parametrize(("language", "says"), [("en", "12 spans were refused"), ("ko", "스팬 12건이 거부되었습니다")])
def test_refused_spans_are_counted_by_reason_with_what_the_sender_was_told(
    look: Open, shown: str, language: str, says: str
):
    seen = look(shown)
    page = seen.open(f"/quality?window=7d&lang={language}", wait_for=FIGURES)
    page.get_by_text(says).wait_for()
    assert "before the retention horizon" in seen.text()
    assert "outlay deadletter retry" in seen.text()


def test_a_model_without_a_price_names_the_nearest_one_and_the_command_that_prices_it(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/quality?window=7d", wait_for=FIGURES)
    page.get_by_text("nearest known: qwen3-8b-fp8, about $4.20 as that").wait_for()
    assert "outlay price override -p vllm -m qwen3-8b" in seen.text()
    assert "Dropped by clients" in seen.text()
    assert "17" in seen.text()


def test_a_key_that_may_not_see_keys_is_told_so_and_sees_the_rest(look: Open, shown: str):
    seen = look(shown)
    seen.open("/settings", wait_for=".o-ledger")
    assert "Only an admin key may see keys" in seen.text()
    assert "genai-prices 0.2.3" in seen.text()
    assert "1 KRW" in seen.text()
    assert "0.000714286 USD" in seen.text()
    assert "no exchange rate from JPY to USD is known" in seen.text()


def test_the_whole_key_is_never_shown(look: Open, fake: tuple[FakeApi, str], start_dashboard: Callable[..., str]):
    seen = look(start_dashboard(fake[1], "out_abcdefgh_verysecret"))
    seen.open("/settings", wait_for=".o-empty")
    assert "verysecret" not in seen.page.content()


def test_a_filter_is_added_from_what_there_is(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/explore?window=7d", wait_for="[data-testid=explored]")
    before = page.locator("[data-testid=explored]").get_attribute("data-exact")
    page.get_by_role("button", name="Filter").click()
    page.locator("[data-testid=stPopoverBody] [data-testid=stSelectbox]").first.click()
    page.get_by_role("option", name="provider").click()
    page.locator("[data-testid=stPopoverBody] [data-testid=stSelectbox]").nth(1).click()
    page.get_by_role("option", name="anthropic").click()
    page.wait_for_url("**filter=provider**")
    page.wait_for_function("was => document.querySelector('[data-testid=explored]')?.dataset.exact !== was", arg=before)


@pytest.mark.parametrize(
    ("shape", "measure"),
    [("time", "cost_per_million"), ("ranking", "cost"), ("pivot", "cost_per_million"), ("table", "cost")],
)
def test_explore_answers_in_every_shape(look: Open, shown: str, shape: str, measure: str):
    seen = look(shown)
    page = seen.open(f"/explore?window=7d&by=model&shape={shape}&measure={measure}", wait_for="[data-testid=explored]")
    page.wait_for_selector(".o-ledger" if shape == "table" else ".js-plotly-plot")
    page.get_by_text("not priced").first.wait_for()


def test_the_download_holds_the_rows_on_screen_to_the_last_digit(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/explore?window=7d&by=model", wait_for="[data-testid=explored]")
    exact = page.locator("[data-testid=explored]").get_attribute("data-exact") or ""
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Parquet").click()
    table = pq.read_table(io.BytesIO(waiting.value.path().read_bytes()))
    total = sum((cost for cost in table["cost"].to_pylist() if cost is not None), Decimal(0))
    assert total == Decimal(exact.replace("$", "").replace(",", ""))
    assert table["cost"].null_count > 0  # the model without a price


def test_the_price_of_a_model_is_drawn_with_its_change_and_its_source(look: Open, shown: str):
    seen = look(shown)
    seen.open("/models?model=gpt-4.1", wait_for=".js-plotly-plot")
    assert "last changed May 1, 2026" in seen.text()
    assert "openai.com/api/pricing/" in seen.text()


def test_a_model_without_a_price_is_told_with_what_to_do(look: Open, shown: str):
    seen = look(shown)
    seen.open("/models?model=qwen3-8b", wait_for=".o-notice")
    assert "Nobody has a price for qwen3-8b" in seen.text()
    assert "outlay price override" in seen.text()


def test_units_say_what_a_success_costs_and_who_bears_what(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/units?window=7d", wait_for=FIGURES)
    page.get_by_text("A success of “resolved” cost").wait_for()
    text = seen.text()
    for said in ("Per success", "4,120 users", "Northwind costs most", "All others", "2 cost centers bear $585.50"):
        assert said in text
    northwind = page.locator(".o-ledger tr", has_text="Northwind").inner_text()
    assert "66.7 %" in northwind  # of three dollars earned one was spent
    assert "no cost center" in text
    page.get_by_role("radio", name="user").click()
    page.wait_for_url("**who=user**")
    seen.settle()
    assert "Revenue" not in seen.text()


def test_the_budget_that_is_likeliest_to_break_comes_first_and_any_can_be_looked_at(look: Open, shown: str):
    seen = look(shown)
    page = seen.open("/budgets?project=shop", wait_for=".js-plotly-plot")
    names = page.locator(".o-ledger").first.locator("tbody tr td:first-child").all_inner_texts()
    assert names[0].startswith("all-of-shop")
    assert names[1].startswith("per-customer")
    text = seen.text()
    assert "all-of-shop" in text
    assert "Forecasts at half of past periods were off by 4.1 %, the run-rate by 7.2 %; the band held 81 %." in text
    assert "3 calls have no known price" in text
    page.locator(".o-ledger a", has_text="per-customer").click()
    page.wait_for_selector("text=Furthest of 2")
    assert "per-customer · Northwind" in seen.text()


def test_without_budgets_the_page_says_how_to_make_one(look: Open, empty_dashboard: str):
    page = look(empty_dashboard).open("/budgets", wait_for=".o-empty")
    assert "outlay budget apply budgets.yaml" in page.locator(".o-empty").inner_text()
