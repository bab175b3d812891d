"""``outlay.instrument()``: record the calls of libraries without decorating anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay import runtime
from outlay.instrumentation import clients, imports, others
from outlay.safety import notice

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

# Names people use for what is listed under another.
_ALSO = {
    "google": "google-genai",
    "google_genai": "google-genai",
    "gemini": "google-genai",
    "llama_index": "llama-index",
}
_PACKAGE = {"openai": "openai", "anthropic": "anthropic", "google-genai": "google-genai"}


def instrument(*names: str) -> dict[str, str]:
    """Record every model call of the named libraries, or of all installed ones; says for each what was done.

    ``openai``, ``anthropic`` and ``google-genai`` are wrapped by Outlay itself, at no cost until the program imports
    them. For others (``langchain``, ``litellm``, ``bedrock``, ``llama-index`` …) the OpenTelemetry, OpenInference or
    OpenLLMetry instrumentor you have installed is switched on, without content unless ``configure(content=…)`` asks for
    it. Call it after ``configure``. ValueError for a name nobody knows.
    """
    known = {*clients.TARGETS, *others.KNOWN}
    wanted = [_ALSO.get(name, name) for name in names]
    for name in wanted:
        if name not in known:
            raise ValueError(f"nothing is known of {name!r}; outlay.instrument knows {', '.join(sorted(known))}")
    done: dict[str, str] = {}
    for name in wanted or sorted(known):
        package = _PACKAGE.get(name) or others.KNOWN[name][0]
        found = others.installed_version(package)
        if found is None:
            if names:
                done[name] = f"{package} is not installed"
        elif name in clients.TARGETS:
            clients.instrument_client(name)
            done[name] = f"wrapped {package} {found}"
        else:
            done[name] = _instrument_other(name)
    return done


def uninstrument() -> None:
    """Give every library back as it was."""
    imports.forget_imports()
    clients.restore_clients()
    others.stop_others()


def _instrument_other(name: str) -> str:
    pipeline, joined = runtime.state.pipeline, runtime.state.provider
    if pipeline is None:
        return "not instrumented: call outlay.configure() first"
    content = pipeline.content != "none"
    try:
        return others.instrument_other(name, joined or _provider(), content=content)
    except Exception as error:  # noqa: BLE001 (another library's fault must not stop the program)
        notice(f"outlay: {name} could not be instrumented: {type(error).__name__}: {error}")
        return f"not instrumented: {type(error).__name__}: {error}"


def _provider() -> TracerProvider:
    from outlay.instrumentation.foreign import ForwardingProvider

    pipeline = runtime.state.pipeline
    assert pipeline is not None
    return ForwardingProvider(runtime.deliver_foreign, pipeline.resource, content=pipeline.content != "none")
