"""Who a call is for: team, feature, customer, user, session, prompt version and free tags, by context."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from outlay import semconv
from outlay.safety import notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Token
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    from outlay.joined import JoinedRecorder
    from outlay.spans import Span

    Entry = Token["Span | Scope | None"] | tuple[Token["Span | Scope | None"], object]
    P = ParamSpec("P")
    R = TypeVar("R")


class Attribution:
    """Immutable. ``values`` are span attributes; ``encoded`` is their OTLP form, kept by whoever encodes it first."""

    __slots__ = ("_last", "encoded", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.encoded: bytes | None = None
        self._last: tuple[Attribution, Attribution] | None = None

    def overlaid(self, inner: Attribution) -> Attribution:
        """Both, ``inner`` winning. The last result is kept: the same function runs in the same context again."""
        if not self.values:
            return inner
        last = self._last
        if last is not None and last[0] is inner:
            return last[1]
        both = Attribution({**self.values, **inner.values})
        self._last = (inner, both)
        return both


NOBODY = Attribution({})


class Scope:
    """A place in the program that has an attribution of its own, inside ``span`` (None: outside of any)."""

    __slots__ = ("attribution", "span")

    def __init__(self, span: Span | None, attribution: Attribution) -> None:
        self.span = span
        self.attribution = attribution


# Where we are: in an observed call, or in a ``context`` block inside (or outside) one.
here: ContextVar[Span | Scope | None] = ContextVar("outlay", default=None)


# Set when our spans live in another TracerProvider, whose own notion of the active span has to follow ours.
joining: JoinedRecorder | None = None


def enter(place: Span | Scope | None) -> Entry:
    """Be in ``place`` until ``leave`` is called with what this returns."""
    token = here.set(place)
    if joining is not None and place is not None and not isinstance(place, Scope) and place.joined is not None:
        return token, joining.enter(place)
    return token


def leave(entry: Entry) -> None:
    """Back to the place before. A generator or task that is thrown away is closed in a context that is not its own;
    there is nothing to go back to then."""
    if isinstance(entry, tuple):
        token, other = entry
        if joining is not None:
            joining.leave(other)
    else:
        token = entry
    try:  # not contextlib.suppress, which costs as much as the rest of a call's recording
        here.reset(token)
    except ValueError:
        return


def attribution_here() -> Attribution:
    """The attribution in force."""
    place = here.get()
    return NOBODY if place is None else place.attribution


def attributed(
    *,
    team: object = None,
    feature: object = None,
    customer: object = None,
    user: object = None,
    session: object = None,
    prompt_version: object = None,
    tags: Mapping[str, object] | None = None,
) -> Attribution | None:
    """What was given as an Attribution; None when nothing was. Values become text; None counts as not given."""
    named = (
        (semconv.TEAM, team),
        (semconv.FEATURE, feature),
        (semconv.CUSTOMER, customer),
        (semconv.USER, user),
        (semconv.SESSION, session),
        (semconv.PROMPT_VERSION, prompt_version),
    )
    values = texts(named)
    if tags:
        values.update(tagged(tags))
    return Attribution(values) if values else None


def tagged(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags under the names of their attributes."""
    return texts([(semconv.TAG + str(key), value) for key, value in tags.items()])


def texts(named: Sequence[tuple[str, object]]) -> dict[str, str]:
    """Values as text, without those that are None; one that cannot be made text is left out, with a notice."""
    try:
        return {key: str(value) for key, value in named if value is not None}
    except Exception:  # noqa: BLE001 (whatever the program's own classes raise)
        return {key: text for key, value in named if value is not None and (text := as_text(key, value)) is not None}


def as_text(key: str, value: object) -> str | None:
    """A program's own value as text; None, with a notice, when it cannot be made text."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 (as above)
        notice(f"outlay: {key} is left out, for its value cannot be made text ({type(error).__name__}).")
        return None


class context:  # noqa: N801 (reads as a statement: with outlay.context(team="search"))
    """Everything observed inside belongs to this team, feature, customer, user, session; other names become tags.

    A context manager (``with`` and ``async with``) and a decorator. An inner block wins over an outer, name by name.
    """

    __slots__ = ("_entered", "_own")

    def __init__(
        self,
        *,
        team: object = None,
        feature: object = None,
        customer: object = None,
        user: object = None,
        session: object = None,
        prompt_version: object = None,
        **tags: object,
    ) -> None:
        self._own = (
            attributed(
                team=team,
                feature=feature,
                customer=customer,
                user=user,
                session=session,
                prompt_version=prompt_version,
                tags=tags,
            )
            or NOBODY
        )
        # A stack, because one block object may be entered again inside itself (a decorated function that recurses).
        self._entered: list[Span | Scope | None] = []

    def scope(self) -> Scope:
        """The place inside this block, seen from here."""
        place = here.get()
        if place is None:
            return Scope(None, self._own)
        span = place.span if isinstance(place, Scope) else place
        return Scope(span, place.attribution.overlaid(self._own))

    def __enter__(self) -> None:
        self._entered.append(here.get())
        here.set(self.scope())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        here.set(self._entered.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        from outlay.wrapping import within

        return within(fn, self.scope)
