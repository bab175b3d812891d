"""Exchange rates: the newest known one, never a future one, never a guess; and money that stays exact after it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.currencies.codes import currency
from outlay_collector.pricing.currencies.files import imported, read
from outlay_collector.pricing.currencies.rates import HOLDS_FOR, Quote, Rates, compare, crossed, latest, sentence
from outlay_collector.pricing.price import Charge, plus
from outlay_collector.pricing.usage import Usage

from tests.unit.pricing.builders import a_book, a_price

UTC_ZONE = ZoneInfo("UTC")
SEOUL = ZoneInfo("Asia/Seoul")

ECB = """Date, USD, JPY, KRW, CYP,
2026-11-20,1.0800,162.50,1512.00,N/A,
2026-11-19,1.1000,160.00,1500.00,N/A,
2007-12-31,1.4721,164.93,1377.96,0.585274,
"""


def ecb(target: str = "USD", zone: ZoneInfo = UTC_ZONE) -> Rates:
    rows = imported(ECB, base="EUR", target=target, zone=zone, source="eurofxref-hist.csv")
    return Rates(target, rows)


def at(day: str, clock: str = "12:00", zone: ZoneInfo = UTC_ZONE) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone)


def rate_at(rates: Rates, moment: datetime, code: str = "KRW") -> Decimal | None:
    found = rates.find(code, moment)
    return None if found is None else found.rate


class TestFiles:
    def test_of_the_ecb_every_cross_rate_goes_by_way_of_the_euro(self):
        found = ecb().find("KRW", at("2026-11-19"))
        assert found is not None
        assert (found.base, found.base_currency, found.base_target) == ("EUR", 1500, Decimal("1.1"))
        assert found.rate == Decimal("0.000733333333333333333")  # 1.1 / 1500, to 18 digits
        assert rate_at(ecb(), at("2026-11-19"), "EUR") == Decimal("1.1")
        assert rate_at(ecb("EUR"), at("2026-11-19"), "USD") == Decimal("0.909090909090909091")
        assert sentence(found) == (
            "1 KRW = 0.000733333333333333333 USD on 2026-11-19 (1 EUR = 1500 KRW = 1.1 USD), eurofxref-hist.csv"
        )

    def test_a_currency_without_a_number_has_no_rate_that_day(self):
        assert rate_at(ecb(), at("2026-11-20"), "CYP") is None
        assert rate_at(ecb(), at("2007-12-31"), "CYP") is not None

    def test_of_our_own_each_line_names_its_base(self):
        text = "date,base,currency,rate,until\n2026-11-01,USD,KRW,1400,2026-12-01\n"
        rates = Rates("USD", imported(text, base="EUR", target="USD", zone=UTC_ZONE, source="treasury"))
        assert rate_at(rates, at("2026-11-30")) == Decimal("0.000714285714285714286")
        assert rate_at(rates, at("2026-12-01", "00:00")) is None

    def test_the_ecbs_daily_file_writes_days_in_words(self):
        assert read("Date, USD\n20 November 2026, 1.08\n") == [
            Quote(day=date(2026, 11, 20), base="EUR", currency="USD", value=Decimal("1.08"))
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "line 1: it must be"),
            ("Date,USD\n2026-11-01,1e99999999\n", "line 2: '1e99999999' is no rate"),
            ("Date,USD\n9999-12-31,1\n", "line 2: '9999-12-31' is no day"),
            ("date,base,currency,rate\n2026-11-01,USD\n", "line 2: it has no currency"),
            ("Date,USD\n2026-11-01,\x00\n", "line 2"),
            ("Date,USD\n2026-13-01,1\n", "line 2: '2026-13-01' is no day"),
            ("Date,USD\n2026-11-01,x\n", "line 2: a number"),
            ("Date,USD\n2026-11-01,-1\n", "line 2: '-1' is no rate"),
            ("Date,USD\n2026-11-01,NaN\n", "line 2: 'NaN' is no rate"),
            ("date,base,currency,rate\n2026-11-01,USD,WON,1400\n", "line 2: 'WON' is no currency"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, text: str, said: str):
        with pytest.raises(ValueError, match=said):
            read(text)

    def test_a_file_that_says_nothing_of_the_instances_currency_is_refused(self):
        with pytest.raises(ValueError, match="into CHF"):
            imported(ECB, base="EUR", target="CHF", zone=UTC_ZONE, source="x")

    def test_two_rates_of_one_day_are_a_contradiction(self):
        text = "date,base,currency,rate\n2026-11-01,USD,KRW,1400\n2026-11-01,USD,KRW,1401\n"
        with pytest.raises(ValueError, match="1400 KRW, and 1401 too"):
            imported(text, base="EUR", target="USD", zone=UTC_ZONE, source="x")

    def test_codes_are_those_of_the_standard(self):
        assert currency(" krw ") == "KRW"
        with pytest.raises(ValueError, match="no currency of ISO 4217"):
            currency("WON")


class TestLookingUp:
    def test_the_last_one_before_holds_and_never_one_of_the_future(self):
        rates = ecb()
        assert rate_at(rates, at("2026-11-18", "23:59")) is None
        assert rate_at(rates, at("2026-11-19", "00:00")) == rate_at(rates, at("2026-11-19", "23:59"))
        assert rate_at(rates, at("2026-11-22")) == rate_at(rates, at("2026-11-20"))

    def test_one_that_is_too_old_is_none(self):
        rates, end = ecb(), at("2026-11-20", "00:00") + HOLDS_FOR
        assert rate_at(rates, end - timedelta(microseconds=1)) is not None
        assert rate_at(rates, end) is None
        assert "is of 2026-11-20, which is too old" in rates.why_not("KRW", end)
        assert "begin on 2007-12-31" in rates.why_not("KRW", at("1999-01-01"))
        assert "no exchange rate from GBP to USD" in rates.why_not("GBP", end)

    def test_days_are_those_of_the_instance(self):
        rates = ecb(zone=SEOUL)
        assert rate_at(rates, at("2026-11-20", "00:00", SEOUL)) == rate_at(ecb(), at("2026-11-20"))
        assert rate_at(rates, at("2026-11-19", "23:59", SEOUL)) == rate_at(ecb(), at("2026-11-19"))

    def test_the_newest_of_each_is_listed(self):
        assert {(row.currency, row.day.isoformat()) for row in latest(ecb().rows)} == {
            ("EUR", "2026-11-20"), ("JPY", "2026-11-20"), ("KRW", "2026-11-20"), ("CYP", "2007-12-31")
        }  # fmt: skip


class TestImporting:
    def test_the_same_again_changes_nothing_whoever_says_it(self):
        before = ecb().rows
        again = imported(ECB, base="EUR", target="USD", zone=UTC_ZONE, source="another file")
        diff = compare(before, again)
        assert (diff.open, diff.close, diff.since) == ([], [], None)

    def test_a_change_closes_what_it_replaces_and_leaves_other_days(self):
        later = ECB.replace("1500.00", "1499.00")
        diff = compare(ecb().rows, imported(later, base="EUR", target="USD", zone=UTC_ZONE, source="x"))
        assert [(old.base_currency, new.base_currency) for old, new in diff.changed] == [(1500, 1499)]
        assert (len(diff.open), len(diff.close), diff.currencies, diff.since) == (
            1,
            1,
            ["KRW"],
            at("2026-11-19", "00:00"),
        )
        assert not diff.refusals

    def test_a_leap_is_refused_from_one_day_to_the_next_and_of_one_day(self):
        slipped = "Date,USD,KRW\n2026-11-21,1.08,151200\n"
        diff = compare(ecb().rows, imported(slipped, base="EUR", target="USD", zone=UTC_ZONE, source="x"))
        assert len(diff.refusals) == 1
        assert "One KRW would be" in diff.refusals[0]
        corrected = ECB.replace("1512.00", "15120")
        diff = compare(ecb().rows, imported(corrected, base="EUR", target="USD", zone=UTC_ZONE, source="x"))
        assert any("on 2026-11-20 would change" in said for said in diff.refusals)


def won_book(rates: Rates) -> Book:
    rows = [a_price("input", "1000", currency="KRW"), a_price("output", "4000", currency="KRW")]
    book = a_book(rows)
    return Book.from_rows(book.models, rows, rates=rates)


class TestBooking:
    usage = Usage(input_tokens=1_000_000, output_tokens=250_000)

    def test_a_charge_is_kept_in_both_currencies_with_the_rate(self):
        book, moment = won_book(ecb()), at("2026-11-20")
        booked = book.booked(book.charge(provider="acme", model="m1", usage=self.usage, at=moment), moment)
        rate = Decimal("0.000714285714285714286")  # 1.08 / 1512
        assert (booked.charge_cost, booked.charge_currency, booked.cost) == (2000, "KRW", 2000 * rate)
        assert booked.status == "priced"

    def test_without_a_rate_the_cost_is_unknown_and_the_charge_is_not(self):
        book, moment = won_book(ecb()), at("2026-12-24")
        booked = book.booked(book.charge(provider="acme", model="m1", usage=self.usage, at=moment), moment)
        assert (booked.cost, booked.status, booked.fx_rate_id) == (None, "unpriced", None)
        assert (booked.charge_cost, booked.charge_currency) == (2000, "KRW")
        explained = book.explain(provider="acme", model="m1", usage=self.usage, at=moment)
        assert "is of 2026-11-20, which is too old; outlay price rates import" in explained.reason

    def test_prices_in_the_instances_currency_need_none(self):
        book, moment = won_book(Rates("KRW")), at("2026-11-20")
        booked = book.booked(book.charge(provider="acme", model="m1", usage=self.usage, at=moment), moment)
        assert booked == (Decimal(2000), "priced", booked.price_ids, None, None, None)

    def test_a_rule_changes_where_the_rate_does(self):
        book = won_book(ecb())
        key = ("acme", "m1", None, None, None)
        cuts = book.cuts(key, at("2026-11-01"), at("2026-12-31"))
        assert cuts.instants == tuple(at(day, "00:00") for day in ("2026-11-19", "2026-11-20", "2026-11-30"))
        rule = book.rule(key, at=at("2026-11-19"), prompt=0, used=["input"])
        assert rule is not None
        assert (rule.currency, rule.factor, rule.status) == ("KRW", Decimal("0.000733333333333333333"), "priced")
        without = book.rule(key, at=at("2026-12-01"), prompt=0, used=["input"])
        assert without is not None
        assert (without.factor, without.status) == (None, "unpriced")


amounts = st.decimals(min_value="0.00000001", max_value="1000000", allow_nan=False, allow_infinity=False)
rates_of_a_day = st.decimals(min_value="0.0001", max_value="100000", places=4).filter(bool)


@given(rates_of_a_day, rates_of_a_day, st.lists(amounts, min_size=1, max_size=20))
def test_converted_money_adds_up_to_the_last_digit(into: Decimal, of: Decimal, costs: list[Decimal]):
    quotes = [
        Quote(day=date(2026, 11, 20), base="EUR", currency="USD", value=into),
        Quote(day=date(2026, 11, 20), base="EUR", currency="KRW", value=of),
    ]
    book = Book(rates=Rates("USD", crossed(quotes, target="USD", zone=UTC_ZONE, source="x")))
    moment = at("2026-11-20")
    parts = [book.booked(Charge(cost, "KRW", "priced"), moment).cost for cost in costs]
    whole, total = Decimal(0), Decimal(0)
    for cost, part in zip(costs, parts, strict=True):
        whole, total = plus(whole, cost) or Decimal(0), plus(total, part) or Decimal(0)
    assert total == book.booked(Charge(whole, "KRW", "priced"), moment).cost
    exact = Fraction(into) / Fraction(of)
    found = book.rates.find("KRW", moment)
    assert found is not None
    assert abs(Fraction(found.rate) - exact) <= exact / 10**17


days = st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 3, 31))


@given(st.dictionaries(days, rates_of_a_day, max_size=12), days, st.integers(0, 86_399))
def test_the_rate_is_the_newest_within_the_bound_or_none(known: dict[date, Decimal], day: date, second: int):
    quotes = [Quote(day=one, base="USD", currency="KRW", value=value) for one, value in known.items()]
    rates = Rates("USD", crossed(quotes, target="USD", zone=SEOUL, source="x"))
    moment = datetime.combine(day, datetime.min.time(), SEOUL) + timedelta(seconds=second)
    candidates = [one for one in known if one <= day and day - one < HOLDS_FOR]
    found = rates.find("KRW", moment.astimezone(UTC))
    assert (found.day if found else None) == max(candidates, default=None)
