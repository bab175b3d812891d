"""One visit to one feature, played out: which spans its programs would have recorded, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from outlay_collector.demo import stories
from outlay_collector.demo.company import CUSTOMERS, ERRORS, FINISHES, MODELS, OPENAI_FINISHES, STAFF
from outlay_collector.demo.draws import Draws, Ids, hashed
from outlay_collector.demo.shapes import (
    Agent,
    Ask,
    Batch,
    Checked,
    Feature,
    Model,
    Part,
    Recording,
    Sequence,
    Spread,
    Tool,
    Whom,
)

_ATTEMPTS = 3  # a client library asks again twice when a request fails
_READS_PROMPT = 18_000  # tokens per second before an answer begins
_CACHE_LEAST, _CACHE_GRAIN = 1_024, 128  # tokens: shortest prompt that is cached, and the steps it is counted in
_WARM = 0.82  # share of visits that find the fixed part of their prompt cached by an earlier one
_RUNAWAY_ROUNDS = 26
_ANSWER_REACHES_CLIENT = 0.985  # share of streams that are read to the end
_PAUSE = Spread(75, 0.6)  # seconds between the turns of a conversation


@dataclass(frozen=True, slots=True)
class Visit:
    """The ``n``-th visit of its day, beginning ``second`` seconds after midnight UTC."""

    seed: int
    day: date
    n: int
    feature: Feature
    second: float
    draws: Draws


@dataclass(slots=True)
class _Answer:
    """What came of asking a model: when it was over, and what the conversation now holds (tokens)."""

    end: float
    failed: str | None = None
    prompt: int = 0
    answer: int = 0


def traces_of(visit: Visit) -> list[list[Recording]]:
    """The visit's spans, one list for each of its requests; a conversation has several."""
    draws, feature = visit.draws, visit.feature
    whom = _whom(visit)
    turns = max(1, min(8, draws.count(feature.turns)))
    model_draw = draws.share()
    traces: list[list[Recording]] = []
    remembered, at = 0, visit.second
    for turn in range(turns):
        request = _Request(visit, whom, turn, model_draw, remembered)
        end, _ = request.play(feature.work, at, None)
        traces.append(request.recordings)
        remembered = request.remembered
        at = end + draws.spread(_PAUSE)
    return traces


def _whom(visit: Visit) -> Whom:
    draws, feature, hour = visit.draws, visit.feature, visit.second / 3600
    tags: dict[str, str] = {}
    customer = user = session = None
    is_staging = draws.happens(feature.staging)
    if feature.users == "customers" and not is_staging:
        chosen = CUSTOMERS[draws.weighted(_CUSTOMER_WEIGHTS)]
        customer, tags["region"] = chosen.name, chosen.region
        # A few people do most of the work: the square of a uniform draw leans to the first ones.
        user = f"{customer}-{int(draws.share() ** 2 * chosen.people) + 1:02d}"
    elif feature.users == "nobody":
        tags["trigger"] = "event" if feature.weekend < 0.75 else "schedule"
    else:
        user = f"fernweh-{int(draws.share() ** 1.6 * STAFF) + 1:02d}"
    if user is not None:
        session = f"s-{hashed(visit.seed, visit.day, visit.n, 'session', bits=64):016x}"
    release = stories.release(visit.day, hour)
    return Whom(
        team=feature.team,
        feature=feature.name,
        service=feature.service,
        release=f"{release}-rc" if is_staging else release,
        environment="staging" if is_staging else "production",
        customer=customer,
        user=user,
        session=session,
        prompt_version=feature.prompt and stories.prompt_version(feature.name, feature.prompt, visit.day, hour),
        tags=tags,
    )


_CUSTOMER_WEIGHTS = tuple(customer.weight for customer in CUSTOMERS)


class _Request:
    """One trace in the making. Instants are seconds after midnight of the visit's day."""

    def __init__(self, visit: Visit, whom: Whom, turn: int, model_draw: float, remembered: int) -> None:
        self.recordings: list[Recording] = []
        self.remembered = remembered  # tokens of the conversation so far
        self._visit, self._whom, self._draws = visit, whom, visit.draws
        self._feature = visit.feature.name
        self._ids = Ids(visit.seed, visit.day, visit.n, turn)
        self._model_draw = model_draw
        self._midnight_ms = int(datetime(visit.day.year, visit.day.month, visit.day.day, tzinfo=UTC).timestamp()) * 1000

    def play(self, part: Part, at: float, parent: int | None) -> tuple[float, str | None]:
        """Play one part; when it ended, and what went wrong in it if something did."""
        match part:
            case Ask():
                answer = self._ask(part, at, parent, context=self._context(part), known=0)
                return answer.end, answer.failed
            case Tool():
                return self._tool(part, at, parent)
            case Sequence():
                return self._sequence(part, at, parent)
            case Checked():
                return self._checked(part, at, parent)
            case Agent():
                return self._agent(part, at, parent)
            case Batch():
                return self._batch(part, at, parent)

    def _sequence(self, part: Sequence, at: float, parent: int | None) -> tuple[float, str | None]:
        own, end, failed = self._ids.span(), at, None
        for inner in part.parts:
            end, failed = self.play(inner, end + 0.004, own)
            if failed:
                break
        self._told("step", part.name, own, parent, at, end + 0.002, error=failed)
        return end + 0.002, failed

    def _tool(self, tool: Tool, at: float, parent: int | None, agent: str | None = None) -> tuple[float, str | None]:
        failed = self._draws.happens(tool.fails)
        end = at + self._draws.spread(tool.seconds)
        self._told(
            "tool", tool.name, self._ids.span(), parent, at, end, error="TimeoutError" if failed else None, agent=agent
        )
        return end, None  # its caller copes with a tool that fails

    def _checked(self, part: Checked, at: float, parent: int | None) -> tuple[float, str | None]:
        storm = stories.STORM if stories.is_stormy(self._feature, self._visit.day, at / 3600) else None
        fails, tries = (storm.fails, storm.tries) if storm else (part.fails, part.tries)
        own, end, failed = self._ids.span(), at, None
        # The same question each time, so that it can be recognised as the same.
        context = self._context(part.ask)
        for _ in range(tries):
            answer = self._ask(part.ask, end, own, context=context, known=0)
            end, failed = answer.end, answer.failed
            if failed:
                break
            failed = "json.decoder.JSONDecodeError" if self._draws.happens(fails) else None
            self._told("step", part.check, self._ids.span(), own, end, end + 0.003, error=failed)
            end += 0.003
            if not failed:
                break
        self._told("step", f"{part.ask.step}_checked", own, parent, at, end, error=failed)
        return end, failed

    def _batch(self, part: Batch, at: float, parent: int | None) -> tuple[float, str | None]:
        own, end = self._ids.span(), at
        for item in range(max(1, self._draws.count(part.items))):
            answer = self._ask(part.ask, at + 0.05 * item, own, context=self._context(part.ask), known=0)
            end = max(end, answer.end)
        self._told("step", part.name, own, parent, at, end)
        return end, None

    def _agent(self, part: Agent, at: float, parent: int | None) -> tuple[float, str | None]:
        draws = self._draws
        own, end, failed = self._ids.span(), at, None
        runs_away = draws.happens(part.runaway)
        rounds = _RUNAWAY_ROUNDS if runs_away else max(1, min(14, draws.count(part.rounds)))
        helped = part.helper is not None and draws.happens(part.helper_share)
        same = draws.pick(part.tools)
        context, known = self._context(part.ask), 0
        for number in range(1, rounds + 1):
            is_last = number == rounds
            answer = self._ask(
                part.ask, end, own, context=context, known=known, agent=part.name, ends="done" if is_last else "tool"
            )
            end, failed = answer.end, answer.failed
            if failed or is_last:
                break
            known = answer.prompt
            if helped and number == 1 and part.helper is not None:
                end, _ = self._agent(part.helper, end, own)
                context += answer.answer + 180
                continue
            tool = same if runs_away else draws.pick(part.tools)
            end, _ = self._tool(tool, end, own, agent=part.name)
            context += answer.answer + draws.count(tool.gives)
        self._told("agent", part.name, own, parent, at, end + 0.003, error=failed)
        return end + 0.003, failed

    def _context(self, ask: Ask) -> int:
        """Tokens a prompt has beside its fixed part."""
        fresh = self._draws.count(ask.fresh)
        return fresh + self.remembered if ask.remembers else fresh

    def _ask(
        self,
        ask: Ask,
        at: float,
        parent: int | None,
        *,
        context: int,
        known: int,
        agent: str | None = None,
        ends: str = "done",
    ) -> _Answer:
        """One question to a model, asked again when the provider fails. ``known`` tokens of it were sent just before."""
        model = MODELS[stories.model_at(self._feature, ask.model, self._visit.day, self._model_draw)]
        failed = None
        # A call that is a trace of its own is not tried again: there is nothing above it that could.
        for attempt in range(_ATTEMPTS if parent is not None else 1):
            is_out = stories.is_out(model.provider, self._visit.day, at / 3600)
            if not self._draws.happens(stories.OUTAGE.errors if is_out else model.errors):
                return self._answered(ask, model, at, parent, context, known, agent, ends, slow=is_out)
            at, failed = self._failure(ask, model, at, parent, agent, is_out=is_out)
            at += 0.5 * 2**attempt + self._draws.share()  # the client library's back-off
        return _Answer(at, failed)

    def _answered(
        self,
        ask: Ask,
        model: Model,
        at: float,
        parent: int | None,
        context: int,
        known: int,
        agent: str | None,
        ends: str,
        *,
        slow: bool,
    ) -> _Answer:
        draws, own = self._draws, self._ids.span()
        fixed = round(ask.fixed * stories.prompt_factor(self._feature, self._visit.day, at / 3600))
        audio = draws.count(ask.audio) if ask.audio else 0
        prompt = fixed + context + audio
        answer = draws.count(ask.answer)
        if ask.limit and answer >= ask.limit:
            answer, ends = ask.limit, "limit"
        thinking = draws.count(ask.thinking) if ask.thinking else 0
        usage = {"input_tokens": prompt}
        if answer or thinking:
            usage["output_tokens"] = answer + thinking
        if audio:
            usage["input_audio_tokens"] = audio
        if thinking:
            usage["reasoning_tokens"] = thinking
        read = self._cached(ask, model, fixed, prompt, known, usage)
        first = draws.spread(model.ttft) + (prompt - read) / _READS_PROMPT
        if slow:
            first *= stories.OUTAGE.slower
        end = at + first + (answer + thinking) / model.speed
        finish: str | None = FINISHES.get(model.provider, OPENAI_FINISHES)[ends]
        source = None
        if ask.streams and not draws.happens(_ANSWER_REACHES_CLIENT):  # closed early: what came is counted, not told
            usage["output_tokens"], finish, source = max(1, answer // 3), None, "estimated"
            usage.pop("reasoning_tokens", None)
        is_silent = bool(ask.silent) and draws.happens(ask.silent)
        self._told(
            ask.kind,
            ask.step,
            own,
            parent,
            at,
            end,
            provider=model.provider,
            model=model.name,
            response_model=model.answers_as or model.name,
            response_id=None if ask.kind == "embeddings" else f"{_ID_PREFIX.get(model.provider, 'cmpl')}_{own:016x}",
            finish_reason=None if ask.kind == "embeddings" else finish,
            usage=None if is_silent else usage,
            usage_source="missing" if is_silent else source,
            streaming=True if ask.streams else None,
            time_to_first_token=round(first, 3) if ask.streams else None,
            service_tier=ask.tier,
            agent=agent,
        )
        if ask.remembers:
            self.remembered = context + answer
        return _Answer(end, None, prompt, answer)

    def _cached(self, ask: Ask, model: Model, fixed: int, prompt: int, known: int, usage: dict[str, int]) -> int:
        """Tokens read from the provider's cache; puts what was read and written into ``usage``."""
        if not (ask.cached and model.cache):
            return 0
        read = known or (fixed if self._draws.happens(_WARM) else 0)
        read = read // _CACHE_GRAIN * _CACHE_GRAIN if read >= _CACHE_LEAST else 0
        if read:
            usage["cache_read_tokens"] = read
        # Worth remembering is what a later call will send again: the fixed part, in an agent also all that was said.
        again = prompt if known or self._in_rounds(ask) else fixed
        written = again - read
        if model.cache != "free" and written >= _CACHE_LEAST:
            usage["cache_write_tokens"] = written
            if model.cache == "5m":
                usage["cache_write_5m_tokens"] = written
        return read

    def _in_rounds(self, ask: Ask) -> bool:
        work = self._visit.feature.work
        return isinstance(work, Agent) and (ask is work.ask or (work.helper is not None and ask is work.helper.ask))

    def _failure(
        self, ask: Ask, model: Model, at: float, parent: int | None, agent: str | None, *, is_out: bool
    ) -> tuple[float, str]:
        limited, slow, broken = ERRORS[model.provider]
        kind = self._draws.weighted((0.2, 0.2, 0.6) if is_out else (0.55, 0.15, 0.3))
        end = at + self._draws.spread((Spread(0.15), Spread(30, 0.05), Spread(1.2))[kind])
        error = (limited, slow, broken)[kind]
        self._told(
            ask.kind,
            ask.step,
            self._ids.span(),
            parent,
            at,
            end,
            provider=model.provider,
            model=model.name,
            streaming=True if ask.streams else None,
            service_tier=ask.tier,
            error=error,
            agent=agent,
        )
        return end, error

    def _told(
        self, kind: str, name: str, own: int, parent: int | None, start: float, end: float, **more: object
    ) -> None:
        # Whole milliseconds: the last digits of a logarithm may differ between machines, a start time must not.
        self.recordings.append(
            Recording(
                whom=self._whom,
                trace_id=self._ids.trace,
                span_id=own,
                parent_span_id=parent,
                kind=kind,
                name=name,
                start_ns=(self._midnight_ms + int(start * 1000)) * 1_000_000,
                end_ns=(self._midnight_ms + int(end * 1000)) * 1_000_000,
                **more,  # type: ignore[arg-type]
            )
        )


_ID_PREFIX = {"openai": "chatcmpl", "anthropic": "msg", "gcp.gemini": "gen", "vllm": "chatcmpl"}
