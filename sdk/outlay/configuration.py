"""Every setting of the SDK: argument, else ``OUTLAY_*``, else the OpenTelemetry standard variable, else the default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from outlay import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"


class Configuration(NamedTuple):
    """What ``configure`` was told, complete. Times are in seconds, sizes in bytes."""

    endpoint: str = DEFAULT_ENDPOINT  # base URL; /v1/traces and its likes are appended
    traces_url: str = DEFAULT_ENDPOINT + "/v1/traces"
    headers: Mapping[str, str] = {}
    resource: tuple[tuple[str, str], ...] = ()  # service.name and its likes, of every span
    content: str = "none"  # none | masked | full: whether prompts and completions are sent
    queue_size: int = 20_000  # spans waiting to be encoded; more are dropped and counted
    queue_bytes: int = 64 * 2**20  # of encoded requests and captured content in memory
    batch_size: int = 512  # spans in one request
    interval: float = 1.0  # a span waits at most about this long before it is sent
    timeout: float = 10.0  # of one request
    exit_timeout: float = 1.0  # how long an exiting process may be held up
    compression: str = "none"  # none | gzip
    certificate: str | None = None  # file of certificate authorities to trust
    client_certificate: str | None = None
    client_key: str | None = None
    evidence: bool = True  # hashes and sizes of prompts, which suggestions need; see outlay.evidence
    evidence_salt: str = ""  # secret; default: the ingest key
    tokenizer: str = "characters"  # characters | tiktoken: how tokens are estimated that no provider told
    spool: str | None = None  # folder that keeps what could not be delivered; None: memory alone
    spool_bytes: int = 256 * 2**20


class InvalidConfiguration(ValueError):
    """A setting that cannot work; raised by ``configure`` only, so at start-up and never during a call."""


def is_disabled(environ: Mapping[str, str]) -> bool:
    """The emergency brake: ``OUTLAY_DISABLED`` or, without it, ``OTEL_SDK_DISABLED``."""
    return truth(environ.get("OUTLAY_DISABLED", environ.get("OTEL_SDK_DISABLED", "")))


def truth(value: str) -> bool:
    """How a variable says yes."""
    return value.strip().lower() in {"1", "true", "yes", "on"}


def resolve(
    environ: Mapping[str, str],
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    headers: Mapping[str, str] | None = None,
    resource: Mapping[str, str] | None = None,
    content: str | None = None,
    queue_size: int | None = None,
    queue_bytes: int | None = None,
    batch_size: int | None = None,
    interval: float | None = None,
    timeout: float | None = None,
    exit_timeout: float | None = None,
    compression: str | None = None,
    evidence: bool | None = None,
    tokenizer: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    spool_bytes: int | None = None,
) -> Configuration:
    """One configuration from arguments and an environment; InvalidConfiguration says which setting and why."""
    read = _Reader(environ)
    base, traces_url, is_otel = _endpoint(environ, endpoint)
    otel_headers = _pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")) if is_otel else {}
    key = api_key or environ.get("OUTLAY_API_KEY")
    folder = spool if spool is not None else environ.get("OUTLAY_SPOOL") or None
    return Configuration(
        endpoint=base,
        traces_url=traces_url,
        headers={
            **otel_headers,
            **({"authorization": f"Bearer {key}"} if key else {}),
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        resource=_resource(environ, service=service, release=release, environment=environment, given=resource or {}),
        content=_one_of("content", content or environ.get("OUTLAY_CONTENT") or "none", ("none", "masked", "full")),
        queue_size=read.count("queue_size", queue_size, "OUTLAY_QUEUE_SIZE", 20_000),
        queue_bytes=read.count("queue_bytes", queue_bytes, "OUTLAY_QUEUE_BYTES", 64 * 2**20),
        batch_size=read.count("batch_size", batch_size, "OUTLAY_BATCH_SIZE", 512),
        interval=read.seconds("interval", interval, "OUTLAY_INTERVAL", 1.0),
        timeout=read.seconds("timeout", timeout, "OUTLAY_TIMEOUT", 10.0, otel="OTEL_EXPORTER_OTLP_TIMEOUT"),
        exit_timeout=read.seconds("exit_timeout", exit_timeout, "OUTLAY_EXIT_TIMEOUT", 1.0),
        compression=_one_of(
            "compression",
            compression
            or environ.get("OUTLAY_COMPRESSION")
            or (environ.get("OTEL_EXPORTER_OTLP_COMPRESSION") if is_otel else None)
            or "none",
            ("none", "gzip"),
        ),
        certificate=environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE"),
        client_certificate=environ.get("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
        client_key=environ.get("OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        evidence=evidence if evidence is not None else truth(environ.get("OUTLAY_EVIDENCE", "1")),
        evidence_salt=environ.get("OUTLAY_EVIDENCE_SALT") or key or base,
        tokenizer=_one_of(
            "tokenizer",
            tokenizer or environ.get("OUTLAY_TOKENIZER") or "characters",
            ("characters", "tiktoken"),
        ),
        spool=os.fspath(folder) if folder is not None else None,
        spool_bytes=read.count("spool_bytes", spool_bytes, "OUTLAY_SPOOL_BYTES", 256 * 2**20),
    )


class _Reader:
    """Numbers from arguments or the environment, refused with their name when they cannot be."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def count(self, name: str, given: int | None, variable: str, default: int) -> int:
        value = self.seconds(name, given, variable, default)
        if value != int(value):
            raise InvalidConfiguration(f"{name} is a whole number, not {value}")
        return int(value)

    def seconds(
        self, name: str, given: float | None, variable: str, default: float, *, otel: str | None = None
    ) -> float:
        text = self.environ.get(variable) or (self.environ.get(otel) if otel else None)
        try:
            value = float(given if given is not None else text or default)
        except ValueError as error:
            raise InvalidConfiguration(f"{variable} is a number, not {text!r}") from error
        if not 0 < value < float("inf"):
            raise InvalidConfiguration(f"{name} ({variable}) must be more than 0, not {value}")
        return value


def _endpoint(environ: Mapping[str, str], given: str | None) -> tuple[str, str, bool]:
    """(base URL, URL for traces, whether it came from an ``OTEL_*`` variable).

    OpenTelemetry's headers and compression belong to OpenTelemetry's endpoint: another vendor's key must not be sent to
    ours just because both are configured.
    """
    own = given or environ.get("OUTLAY_ENDPOINT")
    if own:
        return (*_urls("endpoint", own), False)
    traces = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if traces:
        _urls("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces)
        base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or traces.removesuffix("/v1/traces")
        return base.rstrip("/"), traces, True
    standard = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if standard:
        return (*_urls("OTEL_EXPORTER_OTLP_ENDPOINT", standard), True)
    return (*_urls("endpoint", DEFAULT_ENDPOINT), False)


def _urls(name: str, url: str) -> tuple[str, str]:
    if not url.startswith(("http://", "https://")):
        raise InvalidConfiguration(f"{name} is an http:// or https:// URL, not {url!r}")
    base = url.rstrip("/").removesuffix("/v1/traces")
    return base, base + "/v1/traces"


def _resource(
    environ: Mapping[str, str],
    *,
    service: str | None,
    release: str | None,
    environment: str | None,
    given: Mapping[str, str],
) -> tuple[tuple[str, str], ...]:
    found = _pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    older = found.pop("deployment.environment", None)
    if older is not None:
        found.setdefault(semconv.ENVIRONMENT, older)
    if environ.get("OTEL_SERVICE_NAME"):
        found[semconv.SERVICE_NAME] = environ["OTEL_SERVICE_NAME"]
    found.update(given)
    for key, value, variable in (
        (semconv.SERVICE_NAME, service, "OUTLAY_SERVICE"),
        (semconv.SERVICE_VERSION, release, "OUTLAY_RELEASE"),
        (semconv.ENVIRONMENT, environment, "OUTLAY_ENVIRONMENT"),
    ):
        chosen = value or (environ.get(variable) if key not in given else None)
        if chosen:
            found[key] = chosen
    found.setdefault(semconv.SERVICE_NAME, "unknown_service:python")
    return tuple(found.items())


def _pairs(text: str) -> dict[str, str]:
    """``key=value,key=value`` with percent-encoding, as OTLP headers and resource attributes are written."""
    found: dict[str, str] = {}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if equals and key.strip():
            found[unquote(key.strip())] = unquote(value.strip())
    return found


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value.lower() not in allowed:
        raise InvalidConfiguration(f"{name} is one of {', '.join(allowed)}, not {value!r}")
    return value.lower()
