"""Laws that hold for any usage and any book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.price import InvalidUsageError, buckets, total
from outlay_collector.pricing.usage import Usage

from tests.unit.pricing.builders import NOON, a_book, a_price

COUNTS = st.none() | st.integers(min_value=0, max_value=300_000)
AMOUNTS = st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(500), places=6, allow_nan=False)
EARLIEST, LATEST = datetime(2023, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
INSTANTS = st.integers(0, int((LATEST - EARLIEST).total_seconds())).map(
    lambda seconds: EARLIEST + timedelta(seconds=seconds)
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Usage whose parts fit into their wholes."""
    cached, written, hour, audio = (draw(st.integers(0, 50_000)) for _ in range(4))
    cached_audio = draw(st.integers(0, cached))
    reasoning, spoken = draw(st.integers(0, 20_000)), draw(st.integers(0, 20_000))
    return Usage(
        input_tokens=cached + written + hour + audio + draw(st.integers(0, 100_000)),
        cache_read_tokens=cached,
        cache_read_audio_tokens=cached_audio,
        cache_write_tokens=written + hour,
        cache_write_1h_tokens=hour,
        input_audio_tokens=audio + cached_audio,
        output_tokens=reasoning + spoken + draw(st.integers(0, 50_000)),
        reasoning_tokens=reasoning,
        output_audio_tokens=spoken,
    )


@given(usages())
def test_buckets_partition_the_totals(usage: Usage):
    assert usage.input_tokens is not None
    assert usage.output_tokens is not None
    parts = buckets(usage)
    assert total(parts) == usage.input_tokens + usage.output_tokens
    assert len({unit for unit, _ in parts}) == len(parts)
    assert all(count > 0 for _, count in parts)


@given(
    st.builds(
        Usage,
        input_tokens=COUNTS,
        cache_read_tokens=COUNTS,
        cache_write_5m_tokens=COUNTS,
        input_audio_tokens=COUNTS,
        output_tokens=COUNTS,
        reasoning_tokens=COUNTS,
    )
)
def test_any_counts_are_either_a_partition_or_refused(usage: Usage):
    try:
        parts = buckets(usage)
    except InvalidUsageError:
        return
    assert total(parts) == (usage.input_tokens or 0) + (usage.output_tokens or 0)


@given(st.lists(usages(), min_size=1, max_size=6), AMOUNTS, AMOUNTS, AMOUNTS)
def test_costs_of_calls_add_up_however_they_are_grouped(calls: list[Usage], one: Decimal, two: Decimal, three: Decimal):
    book = a_book(
        [
            a_price("input", str(one)),
            a_price("output", str(two)),
            *(
                a_price(unit, str(three))
                for unit in (
                    "cache_read",
                    "cache_read_audio",
                    "cache_write",
                    "cache_write:1h",
                    "input_audio",
                    "output_audio",
                )
            ),
        ]
    )
    said = [book.explain(provider="acme", model="m1", usage=usage, at=NOON) for usage in calls]
    by_call = sum((each.charge.cost or Decimal(0) for each in said), Decimal(0))
    by_bucket: dict[str, Decimal] = {}
    for each in said:
        for line in each.lines:
            assert line.cost is not None
            by_bucket[line.bucket] = by_bucket.get(line.bucket, Decimal(0)) + line.cost
    assert sum(by_bucket.values(), Decimal(0)) == by_call

    together = Usage(
        **{
            name: sum(getattr(usage, name) or 0 for usage in calls)
            for name in (
                "input_tokens",
                "cache_read_tokens",
                "cache_read_audio_tokens",
                "cache_write_tokens",
                "cache_write_1h_tokens",
                "input_audio_tokens",
                "output_tokens",
                "reasoning_tokens",
                "output_audio_tokens",
            )
        }
    )
    assert book.charge(provider="acme", model="m1", usage=together, at=NOON).cost == by_call


@given(AMOUNTS, AMOUNTS, INSTANTS, INSTANTS, usages())
def test_a_price_change_at_an_instant_affects_exactly_the_calls_from_it_on(
    before: Decimal, after: Decimal, change: datetime, call: datetime, usage: Usage
):
    old = a_book([a_price("input", str(before)), a_price("output", "1")])
    new = a_book(
        [
            a_price("input", str(before), valid_to=change),
            a_price("input", str(after), valid_from=change),
            a_price("output", "1"),
        ]
    )
    plain = Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    for at in (call, change, change - timedelta(microseconds=1)):
        unchanged = old.charge(provider="acme", model="m1", usage=plain, at=at).cost
        changed = new.charge(provider="acme", model="m1", usage=plain, at=at).cost
        if at < change:
            assert changed == unchanged
        else:
            assert plain.input_tokens is not None
            assert changed is not None
            assert unchanged is not None
            assert changed - unchanged == plain.input_tokens * (after - before) / 1_000_000


@given(st.sampled_from(["openai", "anthropic", "acme", None, "azure"]), st.text(max_size=30), usages(), INSTANTS)
def test_unknown_never_becomes_zero(provider: str | None, model: str, usage: Usage, at: datetime):
    charge = default_book().charge(provider=provider, model=f"no-such-{model}", usage=usage, at=at)
    assert charge.cost is None
    assert charge.status == "unpriced"


@given(st.sampled_from(["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-chat", "o3"]), usages(), INSTANTS)
def test_a_charge_is_its_lines_and_partly_priced_is_never_more_than_them(model: str, usage: Usage, at: datetime):
    book = default_book()
    said = book.explain(provider=None, model=model, usage=usage, at=at)
    known = [line.cost for line in said.lines if line.cost is not None]
    if said.charge.cost is None:
        assert not known
    else:
        assert said.charge.cost == sum(known, Decimal(0))
    missing = [line for line in said.lines if line.cost is None]
    assert (said.charge.status == "priced") == (not missing and said.charge.cost is not None)
