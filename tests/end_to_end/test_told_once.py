"""A span that crosses a budget leads to one verified webhook, whatever runs twice."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.crossings import installed


def test_each_crossing_is_one_verified_webhook_with_two_of_everything_running(
    database_url: str, tmp_path: Path
) -> None:
    with installed(database_url, tmp_path) as made:
        for number in range(3):
            made.cross(number)
        assert made.is_told_once_each(3)
