"""Unusual spend: incidents put into synthetic companies, and how many are noticed, how soon, and what is told for nothing.

The companies are made here: hours with a profile of day and week, growth, noise that carries over, launches, some large and
some small. The detector's bounds were set looking at seeds from 1 on; what is printed is of seeds from 1001 on. Every hour
the detector is asked as the worker asks it, also a quarter into the hour.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from outlay_collector.alerts.unusual.detect import HISTORY_HOURS, Hours, Verdict, gate, unusual

ZONE = ZoneInfo("UTC")
START = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE_DAYS, CLEAN_DAYS = 35, 30
FLOOR = 5.0
QUIET_HOURS = 24
MINUTES_IN = 0.25
"""Of an hour that has begun, how much of its spend is there when the detector looks."""

FOLLOWED_HOURS = {
    "3x for 2 hours": 8,
    "a step of 40 %": 96,
    "a new model at 10x the price": 48,
    "a drift of 3 % a day": 28 * 24,
    "an outage of 6 hours": 10,
    "a loop: half a day's spend in 1 h": 6,
}


@dataclass(frozen=True)
class Company:
    """Hours of money, and of the feature that may move to another model (a fifth of it)."""

    hours: Hours
    feature: Hours


def company(seed: int, days: int) -> Company:
    """One company, a function of its seed alone."""
    random = np.random.default_rng(seed)
    count = days * 24
    hour = np.arange(count)
    of_day, of_week = hour % 24, (hour // 24) % 7
    depth = random.uniform(0.1, 0.9)
    day = 1 + depth * np.cos((of_day - random.uniform(12, 16)) / 24 * 2 * np.pi)
    week = np.where(of_week >= 5, random.uniform(0.15, 1.0), 1.0)
    growth = (1 + random.choice([0.0, 0.0, 0.003, 0.008])) ** (hour / 24)
    noise = np.empty(count)
    value, carry, size = 0.0, 0.6, random.uniform(0.04, 0.25)
    for at in range(count):
        value = carry * value + random.normal(0, size * np.sqrt(1 - carry**2))
        noise[at] = value
    launches = np.ones(count)
    if random.random() < 0.3:
        launches[random.integers(0, 25 * 24) :] = random.uniform(1.1, 1.3)
    level = 10 ** random.uniform(0, 2.5)  # from one to some three hundred an hour
    hours = level * day * week * growth * launches * np.exp(noise)
    share = 0.2 * np.exp(random.normal(0, 0.1, count))
    return Company(hours=hours, feature=hours * share)


def burst(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at : at + 2] *= 3
    return hours


def step(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at:] *= 1.4
    return hours


def dear_model(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at:] += 9 * made.feature[at:]
    return hours


def drift(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at:] *= 1.03 ** (np.arange(hours.size - at) / 24)
    return hours


def outage(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at : at + 6] = 0
    return hours


def loop(made: Company, at: int) -> Hours:
    hours = made.hours.copy()
    hours[at] += hours[at - 168 : at].sum() / 14
    return hours


INCIDENTS: dict[str, tuple[Callable[[Company, int], Hours], str]] = {
    "3x for 2 hours": (burst, "high"),
    "a step of 40 %": (step, "high"),
    "a new model at 10x the price": (dear_model, "high"),
    "a drift of 3 % a day": (drift, "any"),
    "an outage of 6 hours": (outage, "low"),
    "a loop: half a day's spend in 1 h": (loop, "high"),
}


def told(hours: Hours, first: int, last: int) -> list[tuple[float, Verdict]]:
    """Messages between two hours, each with when: as the worker tells them, one a day unless the next is twice as large."""
    found: list[tuple[float, Verdict]] = []
    for at in range(first, last):
        began = hours[: at + 1].copy()
        began[at] *= MINUTES_IN
        for when, costs, partial in ((at + MINUTES_IN, began, True), (at + 1.0, hours[: at + 1], False)):
            known = costs[-HISTORY_HOURS:]
            least = gate(float(known[-720:].sum()), FLOOR)
            verdict = unusual(known, START + timedelta(hours=at + 1), ZONE, gate=least, partial=partial)
            if verdict is None:
                continue
            recent = [
                one.impact
                for then, one in found
                if when - then < QUIET_HOURS and (one.kind == "low") == (verdict.kind == "low")
            ]
            if not recent or abs(verdict.impact) >= 2 * max(map(abs, recent)):
                found.append((when, verdict))
    return found


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--companies", type=int, default=30)
    asked.add_argument("--seed", type=int, default=1001)
    options = asked.parse_args()
    seeds = range(options.seed, options.seed + options.companies)
    first = BEFORE_DAYS * 24

    false = [told(company(seed, BEFORE_DAYS + CLEAN_DAYS).hours, first, first + CLEAN_DAYS * 24) for seed in seeds]
    for_nothing = sum(map(len, false))
    kinds = {kind: sum(one.kind == kind for month in false for _, one in month) for kind in ("high", "low", "drift")}
    print(f"{options.companies} companies, seeds from {options.seed}; {CLEAN_DAYS} days without an incident each:")
    print(f"  told for nothing: {for_nothing / len(false):.2f} a company and month {kinds}\n")

    print(f"{'incident':36}{'noticed':>9}{'worth it':>10}{'hours until told':>20}{'median share of the month':>28}")
    noticed_all = 0
    for name, (change, kind) in INCIDENTS.items():
        followed = FOLLOWED_HOURS[name]
        times: list[float] = []
        shares: list[float] = []
        worth_noticed, worth = 0, 0
        for seed in seeds:
            made = company(seed, BEFORE_DAYS + max(followed // 24, 1) + 5)
            at = first + int(np.random.default_rng(seed + 7).integers(0, 4 * 24))
            hours = change(made, at)
            month = float(made.hours[at - 720 : at].sum())
            lost = float(abs(hours[at : at + followed] - made.hours[at : at + followed]).sum())
            shares.append(lost / month)
            matters = lost >= gate(month, FLOOR)
            found = [
                when - at
                for when, one in told(hours, at, min(at + followed, hours.size))
                if kind == "any" or (one.kind == "low") == (kind == "low")
            ]
            worth += matters
            worth_noticed += bool(matters and found)
            times += found[:1]
        noticed_all += len(times)
        spread = "–"
        if times:
            spread = f"{statistics.median(times):.1f} (p90 {float(np.quantile(times, 0.9)):.1f})"
        of_worth = f"{worth_noticed}/{worth}"
        print(f"{name:36}{len(times) / len(shares):>9.0%}{of_worth:>10}{spread:>20}{statistics.median(shares):>28.2%}")
    total = noticed_all + for_nothing
    print(
        f"\nPrecision, with one incident of each kind and one quiet month per company: {noticed_all / max(total, 1):.2f}."
        "\n`worth it`: noticed among those whose money reaches what the detector is asked to tell"
        f" ({gate(100, 0):.1f} % of a month, at least {FLOOR:g})."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
