"""Where a webhook may go: which URLs are taken, and which addresses behind their names may be connected to.

A name is resolved where it is connected to, and the connection goes to the very address that was looked at here, so that
a name which answers differently a moment later (DNS rebinding) reaches nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from outlay_collector.errors import BadRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_PORTS = (443, 8443)
"""Of receivers on the public internet. On addresses that the operator allows any port is taken, and plain HTTP too."""

_MOST_URL = 2048
_PLAIN = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash, which browsers take for a slash

# What `is_global` of some Python versions lets through, and forms that carry an IPv4 address inside.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "::/96", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class AddressRefused(BadRequest):
    """The receiver is where webhooks may not go."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: what is connected to and what is asked for."""

    scheme: str
    host: str
    port: int
    url: str


def networks(text: str) -> tuple[Network, ...]:
    """``10.0.0.0/8, fd00::/8`` as networks. ValueError names the one that is none."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def target(url: str) -> Target:
    """BadRequest for what is no plain ``https://host[:port]/path``."""
    if not _PLAIN.fullmatch(url) or len(url) > _MOST_URL:
        raise BadRequest(f"A webhook's URL is at most {_MOST_URL} visible ASCII characters; got {url!r:.120}.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadRequest(f"{url!r:.120} is no URL: {error}.") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadRequest(f"A webhook's URL begins with https://host; got {url!r:.120}.")
    if "@" in parts.netloc:
        raise BadRequest("A webhook's URL holds no user or password; the signature says who is calling.")
    if port == 0:
        raise BadRequest(f"Port 0 of {url!r:.120} is none.")
    return Target(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), url)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 form stands for, as packets to it would go there; else the address itself."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is None and any(address in network for network in _NAT64):
            inside = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inside is None and address.teredo is not None:
            inside = address.teredo[1]
        if inside is not None:
            return inside
    return address


def is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    )


def vet(wanted: Target, answers: Sequence[str], allowed: Sequence[Network]) -> list[str]:
    """The addresses to connect to, of what the name resolves to. AddressRefused when any of them is off limits.

    One bad address is enough: a name with a public and a private address is how walls are walked around.
    """
    addresses = [ip_address(answer.partition("%")[0]) for answer in answers]
    if not addresses:
        raise AddressRefused(f"{wanted.host} has no address.")
    inside = [_is_in(unwrapped(address), allowed) or _is_in(address, allowed) for address in addresses]
    for address, is_allowed in zip(addresses, inside, strict=True):
        if not is_allowed and not is_public(unwrapped(address)):
            raise AddressRefused(
                f"{wanted.host} is {address}, which is not public. The operator allows receivers on private addresses by "
                "OUTLAY_WEBHOOK_ALLOW_CIDRS, such as 10.0.0.0/8."
            )
    if not all(inside):
        if wanted.scheme != "https":
            raise AddressRefused(f"{wanted.host} is public, so it must be reached by https.")
        if wanted.port not in PUBLIC_PORTS:
            ports = " and ".join(map(str, PUBLIC_PORTS))
            raise AddressRefused(f"{wanted.host} is public: ports {ports} are taken there, not {wanted.port}.")
    return [str(address) for address in addresses]


def _is_in(address: Address, allowed: Sequence[Network]) -> bool:
    return any(address in network for network in allowed if network.version == address.version)


def masked(url: str) -> str:
    """For people who look at lists: paths and queries of Slack, Teams and Discord are their password."""
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        return url
    rest = url[len(f"{parts.scheme}://{parts.netloc}") :]
    return f"{parts.scheme}://{parts.netloc}" + (rest if len(rest) <= 1 else f"/…{rest[-4:]}")
