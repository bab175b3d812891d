"""Files of outcomes and requests of scores: what they may say, and what a mistake is answered with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.errors import BadRequest
from outlay_collector.units.outcomes import Outcome, Score, read_csv, read_scores

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_file_of_outcomes() -> None:
    text = (
        "\ufefftime,outcome,trace_id,session,customer,success,revenue\n"
        f"2026-11-20T10:00:00Z,resolved,{TRACE},,,,\n"
        '2026-11-20,"paid, at last",,s-1,acme,no,49.00\n'
    )
    assert read_csv(text, SEOUL) == [
        Outcome(name="resolved", at=datetime(2026, 11, 20, 10, tzinfo=UTC), trace_id=TRACE),
        Outcome(
            name="paid, at last",
            at=datetime(2026, 11, 19, 15, tzinfo=UTC),
            session="s-1",
            customer="acme",
            success=False,
            revenue=Decimal("49.00"),
        ),
    ]


HEAD = "time,outcome,customer,success,revenue,trace_id\n"
MISTAKES = {
    "when,outcome\n": "o.csv: column 'when' is unknown; there are time, outcome",
    "time,customer\n": "o.csv: column outcome is missing",
    HEAD + "2026-11-20,x\n": "o.csv: line 2: not as many values as the first line has columns",
    HEAD + "2026-11-20,x,acme,,,,more\n": "o.csv: line 2: not as many values",
    HEAD + ",x,acme,,,\n": "o.csv: line 2: time: it is empty",
    HEAD + "soon,x,acme,,,\n": "o.csv: line 2: time: 'soon' is no ISO 8601 time",
    HEAD + "2026-11-20,x,,,,\n": "o.csv: line 2: whose outcome is it?",
    HEAD + "2026-11-20,x,acme,maybe,,\n": "o.csv: line 2: success: 'maybe' is neither true nor false",
    HEAD + "2026-11-20,x,acme,,$49,\n": "o.csv: line 2: revenue: '$49' is no amount",
    HEAD + "2026-11-20,x,acme,,NaN,\n": "o.csv: line 2: revenue: 'NaN' is out of range",
    HEAD + "2026-11-20,x,,,,abc\n": "o.csv: line 2: trace_id: 'abc' is no id of 32 hexadecimal digits",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_named_with_its_line_and_column(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_csv(text, SEOUL, "o.csv")
    assert MISTAKES[text] in str(caught.value)


def test_scores_of_a_request() -> None:
    given = [
        {"name": "helpful", "value": True, "trace_id": TRACE, "span_id": "00f067aa0ba902b7"},
        {"name": "faithful", "label": "fail", "response_id": "resp-1", "at": "2026-11-20T10:00:00Z"},
    ]
    assert list(read_scores(given, SEOUL, NOW)) == [
        Score(name="helpful", at=NOW, value=1.0, trace_id=TRACE, span_id=0x00F067AA0BA902B7),
        Score(name="faithful", at=datetime(2026, 11, 20, 10, tzinfo=UTC), label="fail", response_id="resp-1"),
    ]


@pytest.mark.parametrize(
    ("score", "says"),
    [
        ({"value": 1, "trace_id": TRACE}, "score 1: name: it is empty"),
        ({"name": "x", "trace_id": TRACE}, "score 1: neither value nor label"),
        ({"name": "x", "value": "1", "trace_id": TRACE}, "value: '1' is no number"),
        ({"name": "x", "value": float("nan"), "trace_id": TRACE}, "value: nan is no number"),
        ({"name": "x", "value": 1}, "of which answer is it?"),
        ({"name": "x", "value": 1, "trace_id": TRACE, "span_id": "1"}, "span_id: '1' is no id of 16"),
    ],
)
def test_a_score_that_cannot_be_is_refused(score: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        list(read_scores([score], SEOUL, NOW))
