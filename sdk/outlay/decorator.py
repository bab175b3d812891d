"""``observe``: the one line. A decorator, bare or with arguments, and a context manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, overload

from outlay import runtime
from outlay.attribution import attributed, enter, leave
from outlay.spans import Span, Step
from outlay.wrapping import guarded, observing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    from outlay.attribution import Entry

    P = ParamSpec("P")
    R = TypeVar("R")


class Observation:
    """What ``observe(...)`` with arguments gives: decorate with it, or enter it."""

    __slots__ = ("_budget", "_entered", "_fallback", "_name", "_options")

    def __init__(
        self,
        name: str | None,
        options: Mapping[str, Any],
        budget: str | None = None,
        fallback: Callable[..., object] | None = None,
    ) -> None:
        self._name = name
        self._budget = budget
        self._fallback = fallback
        self._options = options
        self._entered: list[tuple[Span | None, Entry | None]] = []

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        if self._budget is None:
            return decorated(fn, self._name, self._options)
        # Inside the observation, so that a call refused, and what was called instead, can be seen.
        fallback = cast("Callable[P, R] | None", self._fallback)
        return decorated(guarded(fn, self._budget, fallback), self._name, self._options)

    def __enter__(self) -> Span:
        if self._budget is not None:
            runtime.affordable(self._budget, runtime.nowhere, None)  # a block has no fallback but its own except
        recorder = runtime.state.recorder
        if recorder is None:
            runtime.say_unconfigured()
            self._entered.append((None, None))
            return runtime.nowhere()
        span = recorder.begin(Step(self._name or "block", **self._options))
        self._entered.append((span, enter(span)))
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        span, token = self._entered.pop()
        recorder = runtime.state.recorder
        if span is None or token is None:
            return
        leave(token)
        if recorder is None:
            return
        if error is not None:
            recorder.abort(span, error)
        else:
            recorder.settle(span, None)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


@overload
def observe(fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def observe(
    *,
    name: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    team: str | None = None,
    feature: str | None = None,
    customer: str | None = None,
    tags: Mapping[str, object] | None = None,
    capture: bool | None = None,
    budget: str | None = None,
    fallback: Callable[..., object] | None = None,
) -> Observation: ...
def observe(
    fn: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    team: str | None = None,
    feature: str | None = None,
    customer: str | None = None,
    tags: Mapping[str, object] | None = None,
    capture: bool | None = None,
    budget: str | None = None,
    fallback: Callable[..., object] | None = None,
) -> Callable[P, R] | Observation:
    """Record every call of a function: how long, for whom, and what the model it asked has used.

    Works on plain and async functions, generators, async generators and methods; the signature, what is returned and
    what is raised stay as they are. As a context manager (``with outlay.observe(name="rank") as span:``) it records a
    block, and ``span.response(response)`` tells it of a model's response.

    ``name`` is the step's name (default: the function's qualified name). ``kind`` is ``agent``, ``tool`` or ``step``
    for what is no model call itself, else an OpenTelemetry operation such as ``chat``; left out, the result tells.
    ``model`` and ``provider`` fill in what the response does not say. ``team``, ``feature``, ``customer`` and ``tags``
    hold for everything inside. ``capture`` True or False beats the configuration's ``content`` for this function.

    ``budget`` names a budget of the collector's that is asked before each call (the answer is kept for five seconds; no
    answer allows). When it is spent, ``fallback`` is called instead, with the same arguments, or BudgetExceeded is
    raised.
    """
    options = {
        "kind": kind,
        "model": model,
        "provider": provider,
        "attribution": attributed(team=team, feature=feature, customer=customer, tags=tags),
        "capture": capture,
    }
    if fn is None:
        return Observation(name, options, budget, fallback)
    return decorated(fn, name, options)


def decorated(fn: Callable[P, R], name: str | None, options: Mapping[str, Any]) -> Callable[P, R]:
    """``fn`` observed. TypeError for a class, which would stop being one."""
    target: Any = fn
    if isinstance(target, (staticmethod, classmethod)):
        method = cast("staticmethod[..., object]", target)  # a classmethod is taken apart in the same way
        return cast("Callable[P, R]", type(method)(decorated(method.__func__, name, options)))
    if isinstance(target, type):
        raise TypeError(f"outlay.observe decorates functions and methods, not classes: {target.__qualname__}")
    parameters, defaults = _signature(target)
    return observing(fn, Step(name or _name_of(target), parameters=parameters, defaults=defaults, **options))


def _name_of(fn: Any) -> str:
    """The qualified name, without the function it happens to be defined in."""
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    return str(name).rpartition("<locals>.")[2]


def _signature(fn: Any) -> tuple[dict[str, int], dict[str, object]]:
    """(places of the parameters, -1 for those given by name only; their defaults), as far as the code tells."""
    fn = getattr(fn, "__wrapped__", fn)  # the function inside, whose parameters they are
    code = getattr(fn, "__code__", None)
    if code is None:
        return {}, {}
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    given: tuple[object, ...] = getattr(fn, "__defaults__", None) or ()
    by_name: dict[str, object] = getattr(fn, "__kwdefaults__", None) or {}
    defaults = {**dict(zip(names[len(names) - len(given) :], given, strict=True)), **by_name}
    return {**{name: place for place, name in enumerate(names)}, **dict.fromkeys(by_name, -1)}, defaults
