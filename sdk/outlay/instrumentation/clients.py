"""Our own thin wrappers around the methods by which the OpenAI, Anthropic and Google GenAI clients ask a model.

What a wrapper does is what ``observe`` does; only the name (``chat gpt-4o``) and the provider come from the call. The
methods that other methods of the client are made of are wrapped once: a call inside a wrapped call passes through.
"""

from __future__ import annotations

import os
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from outlay import runtime, semconv
from outlay.attribution import Scope, enter, here, leave
from outlay.configuration import truth
from outlay.instrumentation.imports import when_imported
from outlay.safety import never_raise
from outlay.spans import Span, Step
from outlay.wrapping import code_flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_COROUTINE = 0x80


class Target(NamedTuple):
    """A method of a client's class that asks a model."""

    module: str
    owner: str
    method: str
    operation: str


def _both(module: str, owner: str, methods: tuple[str, ...], operation: str) -> list[Target]:
    return [Target(module, prefix + owner, method, operation) for prefix in ("", "Async") for method in methods]


TARGETS: dict[str, list[Target]] = {
    "openai": [
        *_both("openai.resources.chat.completions", "Completions", ("create", "parse"), semconv.CHAT),
        *_both("openai.resources.beta.chat.completions", "Completions", ("parse",), semconv.CHAT),
        *_both("openai.resources.responses", "Responses", ("create", "parse"), semconv.CHAT),
        *_both("openai.resources.completions", "Completions", ("create",), semconv.TEXT_COMPLETION),
        *_both("openai.resources.embeddings", "Embeddings", ("create",), semconv.EMBEDDINGS),
    ],
    "anthropic": [
        *_both("anthropic.resources.messages", "Messages", ("create", "parse", "stream"), semconv.CHAT),
        *_both("anthropic.resources.beta.messages", "Messages", ("create", "parse", "stream"), semconv.CHAT),
    ],
    "google-genai": [
        *(
            Target("google.genai.models", owner, method, operation)
            for owner in ("Models", "AsyncModels")
            for method, operation in (
                # One HTTP call each; the public methods may make several (automatic function calling).
                ("_generate_content", semconv.GENERATE_CONTENT),
                ("_generate_content_stream", semconv.GENERATE_CONTENT),
                ("embed_content", semconv.EMBEDDINGS),
            )
        ),
    ],
}

_ORIGINAL = "_outlay_original"
_patched: list[tuple[type, str]] = []


def instrument_client(name: str) -> None:
    """Wrap the methods of one client library, now or when it is imported."""
    for target in TARGETS[name]:
        when_imported(target.module, lambda module, target=target: _patch(module, target))


def restore_clients() -> None:
    """Give every class its own methods back."""
    for owner, method in _patched:
        original = getattr(getattr(owner, method), _ORIGINAL, None)
        if original is not None:
            setattr(owner, method, original)
    _patched.clear()


def _patch(module: ModuleType, target: Target) -> None:
    owner = getattr(module, target.owner, None)
    method = getattr(owner, target.method, None)
    if owner is None or method is None or hasattr(method, _ORIGINAL):
        return  # a version without it, or one that has it from a class already wrapped
    asks = target.owner.endswith("Completions") and target.operation == semconv.CHAT and target.method == "create"
    wrap = _async_wrapper if code_flags(method) & _COROUTINE else _wrapper
    wrapper = wrap(method, target.operation, asks)
    setattr(wrapper, _ORIGINAL, method)
    setattr(owner, target.method, wrapper)
    _patched.append((owner, target.method))


def _wrapper(method: Callable[..., Any], operation: str, asks: bool) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = runtime.state.recorder
        if recorder is None or _inside_another():
            return method(self, *args, **kwargs)
        hidden = asks and _ask_for_usage(kwargs)
        span = recorder.begin(_step_of(self, operation, kwargs))
        _describe(span, self, hidden)
        token = enter(span)
        try:
            result = method(self, *args, **kwargs)
        except BaseException as error:
            leave(token)
            recorder.fail(span, error, args, kwargs)
            raise
        leave(token)
        return recorder.finish(span, result, args, kwargs)

    return call


def _async_wrapper(method: Callable[..., Any], operation: str, asks: bool) -> Callable[..., Any]:
    @wraps(method)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = runtime.state.recorder
        if recorder is None or _inside_another():
            return await method(self, *args, **kwargs)
        hidden = asks and _ask_for_usage(kwargs)
        span = recorder.begin(_step_of(self, operation, kwargs))
        _describe(span, self, hidden)
        token = enter(span)
        try:
            result = await method(self, *args, **kwargs)
        except BaseException as error:
            leave(token)
            recorder.fail(span, error, args, kwargs)
            raise
        leave(token)
        return recorder.finish(span, result, args, kwargs)

    return call


def _inside_another() -> bool:
    """Whether we are called by a wrapped method of the same library (``parse`` that calls ``create``)."""
    place = here.get()
    span = place.span if isinstance(place, Scope) else place
    return span is not None and span.step.is_client_method


def _ask_for_usage(kwargs: dict[str, Any]) -> bool:
    """With ``OUTLAY_STREAM_USAGE=1``, have a chat stream end with its usage. True if the caller did not ask for that.

    OpenAI then sends one more chunk, without choices; it is kept from the caller, who does not expect it.
    """
    if kwargs.get("stream") is not True or kwargs.get("stream_options"):
        return False
    if not truth(os.environ.get("OUTLAY_STREAM_USAGE", "")):
        return False
    kwargs["stream_options"] = {"include_usage": True}
    return True


def _step_of(resource: Any, operation: str, kwargs: dict[str, Any]) -> Step:
    model = kwargs.get("model")
    provider, _ = _whereabouts(resource)
    return _step(operation, model if isinstance(model, str) else "", provider)


@lru_cache(maxsize=512)
def _step(operation: str, model: str, provider: str) -> Step:
    step = Step(f"{operation} {model}".strip(), kind=operation, model=model or None, provider=provider or None)
    step.is_client_method = True
    return step


def _describe(span: Span, resource: Any, hidden: bool) -> None:
    _, server = _whereabouts(resource)
    if server:
        span.set(semconv.SERVER_ADDRESS, server)
    span.hides_usage_chunk = hidden


# Who answers at an address that speaks another provider's language.
_PROVIDER_OF_HOST = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.together.xyz", "together_ai"),
    ("openrouter.ai", "openrouter"),
    ("api.fireworks.ai", "fireworks_ai"),
    ("api.cerebras.ai", "cerebras"),
)
# By the client's class, which knows better than its address.
_PROVIDER_OF_CLIENT = (
    ("Azure", "azure.ai.openai"),
    ("Bedrock", "aws.bedrock"),
    ("Vertex", "gcp.vertex_ai"),
)


def _whereabouts(resource: Any) -> tuple[str, str]:
    """(provider, server's host) of the client a resource belongs to; "" for what cannot be told."""
    with never_raise("asking a client for its address"):
        client = getattr(resource, "_client", None)
        if client is not None:
            return _of_client(cast("type[object]", type(client)), str(client.base_url))
        google = getattr(resource, "_api_client", None)
        if google is not None:
            return ("gcp.vertex_ai" if google.vertexai else "gcp.gemini"), ""
    return "", ""


@lru_cache(maxsize=256)
def _of_client(kind: type, base_url: str) -> tuple[str, str]:
    host = base_url.partition("//")[2].partition("/")[0].partition(":")[0]
    name, library = kind.__name__, kind.__module__.partition(".")[0]
    for part, provider in _PROVIDER_OF_CLIENT:
        if part in name:
            return provider, host
    for known, provider in _PROVIDER_OF_HOST:
        if host.endswith(known):
            return provider, host
    return library, host
