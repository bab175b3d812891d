"""What a person's groups let them do: ``finops=finance, platform=admin, search-team=read:search``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SCOPES = ("read", "finance", "admin")
"""Programs send telemetry, with keys; people do not."""

EVERYBODY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """``project`` is a name; None means all projects."""

    group: str
    scope: str
    project: str | None = None


def parse_roles(text: str) -> tuple[Role, ...]:
    """ValueError that names the entry which is none."""
    return tuple(_role(part.strip()) for part in text.split(",") if part.strip())


def _role(text: str) -> Role:
    group, sign, granted = text.rpartition("=")
    scope, _, project = granted.partition(":")
    if not sign or not group.strip() or scope.strip() not in SCOPES:
        raise ValueError(
            f"{text!r} is no role; use GROUP={'|'.join(SCOPES)}, or GROUP=read:PROJECT, or *=… for everybody"
        )
    if scope.strip() != "read" and project:
        raise ValueError(f"{text!r}: only read can be bound to a project")
    return Role(group=group.strip(), scope=scope.strip(), project=project.strip() or None)


def granted(roles: Iterable[Role], groups: Iterable[str]) -> tuple[frozenset[str], str | None]:
    """Scopes and the project they are bound to, for somebody in ``groups``; no scopes: nothing is granted.

    Roles for all projects win over those of one. Of several projects the first that the setting names is taken.
    """
    mine = set(groups) | {EVERYBODY}
    held = [role for role in roles if role.group in mine]
    for_all = frozenset(role.scope for role in held if role.project is None)
    if for_all:
        return for_all, None
    return (frozenset({held[0].scope}), held[0].project) if held else (frozenset(), None)


def groups_in(claims: Mapping[str, object], claim: str) -> list[str]:
    """What the token's claim holds: a list of names, or one name; a dot in ``claim`` leads into an object."""
    found: object = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [name for name in found if isinstance(name, str)] if isinstance(found, (list, tuple)) else []


def is_safe(url: str) -> bool:
    """Over TLS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
