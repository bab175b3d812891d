"""`outlay report` as its reader calls it: the ledger's figures, in the terminal, as JSON, HTML and a picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from outlay_collector.reports.store import send_weekly
from outlay_collector.settings import Settings

from tests.integration.shop import DAY_ONE, Shop
from tests.servers import outlay

DAY = f"{DAY_ONE:%Y-%m-%d}"
needs_browser = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "google-chrome"))), reason="there is no Chromium for the picture"
)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    shop = Shop(database_url)
    calls = [("search", "12.5", DAY_ONE), ("support", "7.5", DAY_ONE), ("search", "10", DAY_ONE - timedelta(days=1))]
    shop.insert(
        [
            {
                "start_time": start + timedelta(hours=9, minutes=number),
                "team": team,
                "cost": Decimal(cost),
                "charge_status": "priced",
                "input_tokens": 1000,
                "output_tokens": 500,
                "provider": "openai",
                "response_model": "gpt-4o-mini",
            }
            for number, (team, cost, start) in enumerate(calls)
        ]
    )
    shop.settle()
    yield shop
    shop.connection.close()
    shop.writer.close()


def test_a_day_is_told_with_the_day_before(shop: Shop, database_url: str):
    ran = outlay("report", "--period", DAY, env={"OUTLAY_DATABASE_URL": database_url})
    assert ran.returncode == 0, ran.stderr
    for told in ("$20.00", "+100.0 %; $10.00 in the period before", "search", "$12.50", "62.5 %", "support"):
        assert told in ran.stdout


def test_json_is_the_ledger_to_the_last_digit_and_filters_hold(shop: Shop, database_url: str):
    ran = outlay(
        *(
            "report",
            "--from",
            f"{DAY_ONE - timedelta(days=1):%Y-%m-%d}",
            "--to",
            f"{DAY_ONE + timedelta(days=1):%Y-%m-%d}",
        ),
        *("--filter", "team:search", "--json"),
        env={"OUTLAY_DATABASE_URL": database_url},
    )
    found = json.loads(ran.stdout)
    assert found["now"] == {"cost": "22.5", "calls": 2, "tokens": 3000, "unpriced_calls": 0, "errors": 0}
    assert [day["cost"] for day in found["days"]] == ["10", "12.5"]
    assert found["scope"] == ["team = search"]


def test_a_file_ends_in_what_it_is(shop: Shop, database_url: str, tmp_path: Path):
    env = {"OUTLAY_DATABASE_URL": database_url}
    html = tmp_path / "report.html"
    ran = outlay("report", "--period", DAY, "-o", str(html), "--language", "ko", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "팀별" in html.read_text()
    ran = outlay("report", "--period", DAY, "-o", str(tmp_path / "report.pdf"), env=env)
    assert (ran.returncode, ran.stderr.strip()) == (
        1,
        "outlay: 'report.pdf' says not what to write: end it in .html or .png.",
    )


@needs_browser
def test_a_picture_is_as_tall_as_the_report(shop: Shop, database_url: str, tmp_path: Path):
    from PIL import Image

    picture = tmp_path / "report.png"
    ran = outlay("report", "--period", DAY, "-o", str(picture), env={"OUTLAY_DATABASE_URL": database_url}, timeout=150)
    assert ran.returncode == 0, ran.stderr
    with Image.open(picture) as drawn:
        assert drawn.width == 1440
        assert 600 < drawn.height < 4000


def test_the_bridge_explains_the_change_to_the_last_digit(shop: Shop, database_url: str):
    ran = outlay("report", "--period", DAY, "--json", env={"OUTLAY_DATABASE_URL": database_url})
    change = json.loads(ran.stdout)["change"]
    assert sum(map(Decimal, change.values())) == Decimal(10)


def test_last_week_is_queued_once_for_those_who_read_and_pages_nobody(shop: Shop, database_url: str):
    kinds = {
        kind: shop.connection.execute(
            """
            INSERT INTO webhook (project_id, kind, url, secret, created_by)
            VALUES (%s, %s, 'https://example.com/', 'whsec_AAAA', 'tests') RETURNING id
            """,
            (shop.project_id, kind),
        ).fetchall()
        for kind in ("slack", "pagerduty")
    }
    monday = DAY_ONE + timedelta(days=7 - DAY_ONE.weekday(), hours=10)
    settings = Settings(database_url=database_url)
    assert [send_weekly(shop.connection, settings, monday + timedelta(minutes=5 * n)) for n in range(3)] == [1, 0, 0]
    told = shop.connection.execute(
        "SELECT webhook_id, title FROM delivery JOIN alert_event ON alert_event.id = event_id"
    ).fetchall()
    assert [webhook for webhook, _ in told] == [kinds["slack"][0][0]]
    assert "$" in told[0][1]
    assert shop.connection.execute("SELECT count(*) FROM alert").fetchone() == (0,)
