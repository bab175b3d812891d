"""`make bench-forecast`: forecasts of months against what they came to, beside the linear run-rate.

    python -m benchmarks.forecast [--seeds 24] [--series FILE.csv]

Demo companies are those that `outlay demo` tells of; tenants are generated here (growth, weekends, noise, launches), with
seeds that were not used for choosing any constant. A public series can be given as a CSV of day and value.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from outlay_collector.budgets.forecast import Asked, forecast
from outlay_collector.demo import day as demo
from outlay_collector.demo.company import FEATURES

LENGTH = 30
CUTS = (4, 10, 17, 24)
"""Days of a month that have passed; never whole weeks left, where every method is as good."""

HISTORY = 120
FIRST = date(2026, 1, 5)  # a Monday
HELD_OUT = 10_000
"""Seeds from here on were not looked at when constants were chosen."""

Series = NDArray[np.float64]


def demo_company(seed: int) -> Series:
    """Costs per day of the demo's company: what its features are asked, at a cost per visit of each."""
    rng = np.random.default_rng(seed)
    worth = {feature.name: float(rng.lognormal(-3, 1)) for feature in FEATURES}
    days = [FIRST + timedelta(days=n) for n in range(HISTORY + 2 * LENGTH)]
    return np.asarray([sum(worth[one.name] * visits for one, visits in demo.plan(seed, day)) for day in days])


def tenant(seed: int) -> Series:
    """Costs per day of a made-up tenant: growth or none, weekends, noise, and a launch now and then."""
    rng = np.random.default_rng(HELD_OUT + seed)
    days = np.arange(HISTORY + 2 * LENGTH)
    growth = rng.choice([0.0, 0.0, 0.05, 0.15, 0.3])  # per 30 days
    weekend = rng.uniform(0.15, 1.0)
    noise = rng.uniform(0.05, 0.25)
    level = (1 + growth) ** (days / 30)
    for _ in range(rng.poisson(1)):
        level = level * np.where(days >= rng.integers(0, len(days)), rng.uniform(0.75, 1.5), 1.0)
    week = np.where(days % 7 >= 5, weekend, 1.0)
    return 100 * level * week * rng.lognormal(0, noise, len(days))


def public(file: Path) -> tuple[Series, int]:
    """Values of a CSV with a day in its first column, and the weekday of its first day."""
    rows = list(csv.reader(file.open(encoding="utf-8")))[1:]
    return np.asarray([float(row[1]) for row in rows]), date.fromisoformat(rows[0][0][:10]).weekday()


def origins(series: Series, cut: int, weekday: int = 0) -> Iterator[tuple[float, Asked]]:
    """What months came to, and what was known of them after ``cut`` days; a month begins every three days."""
    for start in range(max(HISTORY - LENGTH, 28), len(series) - LENGTH + 1, 3):
        now = start + cut
        yield (
            float(series[start : start + LENGTH].sum()),
            Asked(
                past=tuple(series[:now]),
                last_weekday=(weekday + now - 1) % 7,
                spent=float(series[start:now].sum()),
                passed=cut,
                left=LENGTH - cut,
                days=LENGTH - cut,
                today_left=1.0,
            ),
        )


def measure(name: str, found: list[tuple[Series, int]]) -> list[str]:
    lines: list[str] = []
    for cut in CUTS:
        errors: list[float] = []
        run_rate: list[float] = []
        held: list[bool] = []
        widths: list[float] = []
        for series, weekday in found:
            for came, asked in origins(series, cut, weekday):
                said = forecast(asked)
                errors.append((said.p50 - came) / came * 100)
                run_rate.append(abs(asked.spent / cut * LENGTH - came) / came * 100)
                held.append(said.p10 <= came <= said.p90)
                widths.append((said.p90 - said.p10) / came * 100)
        coverage = 100 * np.mean(held)
        label = "80 % band" if 70 <= coverage <= 90 else "NOT an 80 % band"
        lines.append(
            f"| {name} | {cut} | {len(errors)} | {np.mean(np.abs(errors)):.1f} | {np.mean(run_rate):.1f} "
            f"| {np.mean(errors):+.1f} | {coverage:.0f} ({label}) | {np.mean(widths):.0f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="companies and tenants each")
    parser.add_argument("--series", type=Path, action="append", default=[], help="CSV of day,value; may be repeated")
    options = parser.parse_args()
    began = time.perf_counter()
    print(f"Months of {LENGTH} days, forecast when so many days had passed; errors in % of what the month came to.\n")
    print("| series | day | origins | error | run-rate | bias | p10–p90 held, % | width |")
    print("|---|---|---|---|---|---|---|---|")
    corpus = {
        "demo companies": [(demo_company(seed), 0) for seed in range(options.seeds)],
        "tenants": [(tenant(seed), 0) for seed in range(options.seeds)],
    } | {file.stem: [public(file)] for file in options.series}
    for name, found in corpus.items():
        print("\n".join(measure(name, found)), flush=True)
    print(
        f"\n{time.perf_counter() - began:.0f} s. Public series: give them with --series; none is part of this repository."
    )


if __name__ == "__main__":
    main()
