"""The words a company is described in: how much varies, what a model is like, what a feature does for one visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity that differs from call to call: log-normal around ``middle`` (its median), tails cut at 3.5 sigma."""

    middle: float
    sigma: float = 0.35  # of the logarithm


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model as its callers see it. Prices are the collector's business, not ours."""

    name: str  # what is asked for
    provider: str
    answers_as: str | None = None  # the model an alias stands for
    ttft: Spread  # time to first token, seconds
    speed: float  # output tokens per second
    errors: float = 0.004  # share of requests that fail on an ordinary day
    cache: str | None = None  # known beginnings of prompts are cheaper; remembering is "free", "paid", or paid for "5m"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request to a model. Counts are tokens."""

    step: str
    model: str
    kind: str = "chat"
    fixed: int = 0  # the same in every call: instructions, examples, tool schemas
    fresh: Spread  # new in every call
    audio: Spread | None = None  # spoken input, on top of ``fresh``
    answer: Spread = Spread(0)
    thinking: Spread | None = None  # reasoning, on top of ``answer``
    cached: bool = False  # laid out so that the fixed part can be cached
    streams: bool = False
    remembers: bool = False  # sees the earlier turns of its session
    tier: str | None = None  # service tier: "batch"
    limit: int = 0  # most tokens it may answer; 0: as many as it likes
    silent: float = 0.0  # share of answers that come without usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """Work that is no model's: a search, a query, somebody else's API."""

    name: str
    seconds: Spread
    gives: Spread = Spread(0)  # tokens its result adds to an agent's prompt
    fails: float = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence:
    """Parts one after the other, under one span."""

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """An answer a program has to read: when it cannot, the same question is asked again, and billed again."""

    ask: Ask
    check: str  # the step that reads the answer
    fails: float = 0.02
    tries: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """Asks and acts in turn until it is done; each round's prompt holds all the rounds before."""

    name: str
    ask: Ask
    rounds: Spread
    tools: tuple[Tool, ...]
    helper: Agent | None = None
    helper_share: float = 0.0  # of visits, how many call the helper
    runaway: float = 0.0  # share of visits in which it calls the same tool over and over


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Many questions handed in together, answered when the provider finds time."""

    name: str
    ask: Ask
    items: Spread


Part = Ask | Tool | Sequence | Checked | Agent | Batch

Rhythm = tuple[float, ...]
"""24 weights: how a weekday's visits are spread over the hours, UTC."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One thing the company's software does with models, and how often."""

    name: str
    team: str
    service: str
    work: Part
    visits: int  # on an ordinary weekday when the story begins (``stories.ANCHOR``)
    growth: float  # added every 30 days, as a share of ``visits``
    rhythm: Rhythm
    weekend: float  # a Sunday's visits as a share of a weekday's
    turns: Spread = Spread(1, 0)  # requests of one visit: the turns of a conversation
    users: str = "nobody"  # customers | staff | nobody: a program on its own
    prompt: str | None = None  # name of its versioned prompt
    staging: float = 0.03  # share of visits that are the team's own trying out


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    name: str
    weight: float
    region: str
    people: int


@dataclass(frozen=True, slots=True)
class Whom:
    """Who a visit was for and which program served it: what all spans of a visit share."""

    team: str
    feature: str
    service: str
    release: str
    environment: str
    customer: str | None
    user: str | None
    session: str | None
    prompt_version: str | None
    tags: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Recording:
    """One span, as the company's own program would have told it to ``outlay.record``. Times: nanoseconds since 1970."""

    whom: Whom
    trace_id: int
    span_id: int
    parent_span_id: int | None
    kind: str  # agent | tool | step, else a model call
    name: str
    start_ns: int
    end_ns: int
    provider: str | None = None
    model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    usage_source: str | None = None
    streaming: bool | None = None
    time_to_first_token: float | None = None  # seconds
    service_tier: str | None = None
    error: str | None = None
    agent: str | None = None

    @property
    def is_call(self) -> bool:
        return self.kind not in ("agent", "tool", "step")


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A team takes a feature from one model to another, a bit more of the traffic each day."""

    begins: date
    feature: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Storm:
    """A night in which nearly every answer was unreadable, and was asked for again and again."""

    feature: str
    day: int  # of the cycle
    from_hour: float
    hours: float
    visits: int  # on top of the ordinary ones
    fails: float
    tries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """A provider in trouble: many errors, slow answers."""

    provider: str
    day: int  # of the cycle
    from_hour: float
    hours: float
    errors: float  # share of requests that fail
    slower: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bloat:
    """A deployment that made a feature's fixed prompt grow, and the later one that trimmed it again."""

    feature: str
    from_day: int  # of the cycle; both at the hour of the release
    to_day: int
    factor: float
