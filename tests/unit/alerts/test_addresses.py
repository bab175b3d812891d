"""The wall: which URLs are taken at all, and which addresses behind a name may be connected to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from outlay_collector.alerts.webhooks.addresses import (
    AddressRefused,
    is_public,
    masked,
    networks,
    target,
    unwrapped,
    vet,
)
from outlay_collector.errors import BadRequest

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com",
        "https://",
        "example.com/hook",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\r\nHost: other",
        "https://example.com/ a",
        "https://exa\tmple.com/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://[::1/",
        "https://bücher.example/",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        target(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "203.0.113.7", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::",
        "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_off_limits(address: str) -> None:
    with pytest.raises(AddressRefused, match="OUTLAY_WEBHOOK_ALLOW_CIDRS"):
        vet(target("https://example.com/"), [address], ())


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"])
def test_public_addresses_are_taken(address: str) -> None:
    assert is_public(unwrapped(ip_address(address)))
    assert vet(target("https://example.com/"), [address], ()) == [address]


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(AddressRefused):
        vet(target("https://example.com/"), [PUBLIC, "10.0.0.1"], ())


def test_a_public_receiver_needs_https_and_a_usual_port() -> None:
    with pytest.raises(AddressRefused, match="https"):
        vet(target("http://example.com/"), [PUBLIC], ())
    for port in (22, 25, 80, 5432, 6379):
        with pytest.raises(AddressRefused, match="ports"):
            vet(target(f"https://example.com:{port}/"), [PUBLIC], ())
    assert vet(target("https://example.com:8443/"), [PUBLIC], ()) == [PUBLIC]


def test_what_the_operator_allows_may_be_private_and_plain_on_any_port() -> None:
    allowed = networks("10.0.0.0/8, fd00::/8")
    for address in ("10.1.2.3", "::ffff:a01:203", "fd00::7"):
        assert vet(target("http://alerts.internal:9093/"), [address], allowed) == [address]
    with pytest.raises(AddressRefused):
        vet(target("http://alerts.internal:9093/"), ["192.168.0.1"], allowed)
    with pytest.raises(AddressRefused, match="https"):  # partly public
        vet(target("http://alerts.internal:9093/"), ["10.1.2.3", PUBLIC], allowed)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="no address"):
        vet(target("https://example.com/"), [], ())


def test_lists_do_not_show_what_is_a_password() -> None:
    assert masked("https://hooks.slack.com/services/T000/B000/XXXXsecret") == "https://hooks.slack.com/…cret"
    assert masked("https://example.com/") == "https://example.com/"
    assert masked("mailto:ops@example.com") == "mailto:ops@example.com"


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        networks("10.0.0.0/99")
