"""Argument beats ``OUTLAY_*`` beats ``OTEL_*`` beats the default, for every setting."""

from __future__ import annotations

import pytest
from outlay.configuration import Configuration, InvalidConfiguration, is_disabled, resolve


def test_defaults_suit_a_laptop() -> None:
    settings = resolve({})
    resource = (("service.name", "unknown_service:python"),)
    assert settings == Configuration(resource=resource, evidence_salt="http://127.0.0.1:4318")
    assert settings.traces_url == "http://127.0.0.1:4318/v1/traces"


def test_endpoint_argument_beats_variables() -> None:
    environ = {"OUTLAY_ENDPOINT": "http://b:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}
    assert resolve(environ, endpoint="http://a:1/").traces_url == "http://a:1/v1/traces"
    assert resolve(environ).traces_url == "http://b:1/v1/traces"
    del environ["OUTLAY_ENDPOINT"]
    assert resolve(environ).traces_url == "http://c:1/v1/traces"


def test_otel_traces_endpoint_is_taken_as_it_is() -> None:
    settings = resolve({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c:1/custom"})
    assert settings.traces_url == "https://c:1/custom"


def test_endpoint_may_be_given_with_the_path() -> None:
    assert resolve({}, endpoint="http://a:1/base/v1/traces").endpoint == "http://a:1/base"


def test_anothers_key_is_not_sent_to_our_endpoint() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "x-other-key=secret"}
    assert resolve(environ, endpoint="http://a:1").headers == {}
    otel = {**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}
    assert resolve(otel).headers == {"x-other-key": "secret"}


def test_api_key_becomes_a_bearer_token() -> None:
    assert resolve({"OUTLAY_API_KEY": "out_1"}).headers == {"authorization": "Bearer out_1"}
    assert resolve({"OUTLAY_API_KEY": "out_1"}, api_key="out_2").headers == {"authorization": "Bearer out_2"}


def test_resource_from_every_source() -> None:
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=attr,team%20x=a%2Cb,deployment.environment=old",
        "OTEL_SERVICE_NAME": "otel",
        "OUTLAY_RELEASE": "1.2",
    }
    assert dict(resolve(environ, environment="prod").resource) == {
        "service.name": "otel",
        "service.version": "1.2",
        "deployment.environment.name": "prod",
        "team x": "a,b",
    }
    assert dict(resolve(environ).resource)["deployment.environment.name"] == "old"
    assert dict(resolve({**environ, "OUTLAY_SERVICE": "ours"}).resource)["service.name"] == "ours"
    assert dict(resolve(environ, resource={"service.name": "given"}).resource)["service.name"] == "given"


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"OUTLAY_TIMEOUT": "2.5"}, "timeout", 2.5),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, "timeout", 3.0),
        ({"OUTLAY_QUEUE_SIZE": "7"}, "queue_size", 7),
        ({"OUTLAY_CONTENT": "Masked"}, "content", "masked"),
        ({"OUTLAY_COMPRESSION": "gzip"}, "compression", "gzip"),
        ({"OUTLAY_SPOOL": "/tmp/x"}, "spool", "/tmp/x"),
    ],
)
def test_settings_from_the_environment(environ: dict[str, str], name: str, value: object) -> None:
    assert getattr(resolve(environ), name) == value


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OUTLAY_ENDPOINT": "localhost:4318"}, "http://"),
        ({"OUTLAY_TIMEOUT": "soon"}, "OUTLAY_TIMEOUT is a number"),
        ({"OUTLAY_TIMEOUT": "-1"}, "more than 0"),
        ({"OUTLAY_QUEUE_SIZE": "1.5"}, "whole number"),
        ({"OUTLAY_CONTENT": "some"}, "none, masked, full"),
    ],
)
def test_setting_that_cannot_work_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        resolve(environ)


@pytest.mark.parametrize(
    ("environ", "disabled"),
    [
        ({}, False),
        ({"OUTLAY_DISABLED": "1"}, True),
        ({"OUTLAY_DISABLED": "true"}, True),
        ({"OUTLAY_DISABLED": "0", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SDK_DISABLED": "true"}, True),
    ],
)
def test_emergency_brake(environ: dict[str, str], disabled: bool) -> None:
    assert is_disabled(environ) is disabled
