"""Declarations: the example of the documentation, and sentences for what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from outlay_collector.errors import BadRequest
from outlay_collector.gpu.declared import LOCAL_SERVERS, declared

DOCS = Path(__file__).parents[3] / "docs" / "gpu.md"


def test_the_example_of_the_documentation_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (pool,) = declared(yaml.safe_load(text)).pools
    assert (pool.gpus[0].count, pool.gpus[0].starts) == ("4", datetime(2026, 11, 1, tzinfo=UTC))
    assert pool.rates[0].amount() == Decimal("2.49")
    assert [serving.providers for serving in pool.serves] == [list(LOCAL_SERVERS), ["openai"]]


def test_owned_hardware_is_worked_out_and_a_slice_is_a_part_of_a_gpu() -> None:
    owned = {"capex": 30000, "kilowatts": "0.7", "per_kilowatt_hour": "0.12"}
    pool: dict[str, Any] = {
        "name": "own",
        "gpus": [{"gpu": "H100", "count": "3/7", "from": "2026-11-01"}],
        "rates": [{"owned": owned}],
    }
    (found,) = declared({"pools": [pool]}).pools
    assert (found.gpus[0].count, found.rates[0].amount()) == ("3/7", Decimal("0.725638"))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "pools"),
        ({"pools": [{}]}, "pools.0.name"),
        ({"pools": [{"name": "a"}, {"name": "a"}]}, "declared twice"),
        ({"pools": [{"name": "a", "gpus": [{"gpu": "H100", "count": "many", "from": "2026-11-01"}]}]}, "many"),
        ({"pools": [{"name": "a", "rates": [{"gpu": "H100"}]}]}, "per_hour"),
        ({"targets": [{"name": "x", "url": "file:///etc/passwd"}]}, "targets.0.url"),
        (
            {"pools": [{"name": "a", "jobs": [{"name": "j", "gpus": 1, "from": "2026-11-02", "to": "2026-11-01"}]}]},
            "after",
        ),
    ],
)
def test_what_is_wrong_is_named(raw: object, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        declared(raw)
