"""An ID token is checked: its signature, who gave it out, for whom, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With a public key. One with a shared secret would let the holder of the public key sign."""

LEEWAY_SECONDS = 30
LONGEST = 16_384


class UnknownSigner(Exception):
    """No key of that id is known; the provider may have a new one."""


def looks_like_one(text: str) -> bool:
    return text.count(".") == 2 and text.startswith("ey") and len(text) <= LONGEST


def claims(token: str, keys: Mapping[str, jwt.PyJWK], *, issuer: str, audience: str) -> dict[str, Any]:
    """What the token says of its bearer. ``jwt.InvalidTokenError`` when it is not to be believed, UnknownSigner when
    none of ``keys`` has its id."""
    import jwt  # with cryptography: for installations with a login

    header = jwt.get_unverified_header(token)
    key = keys.get(str(header.get("kid", "")))
    if key is None and "kid" not in header and len(keys) == 1:
        (key,) = keys.values()
    if key is None:
        raise UnknownSigner(str(header.get("kid", ""))[:80])
    return jwt.decode(
        token,
        key,
        algorithms=list(ALGORITHMS),
        issuer=issuer,
        audience=audience,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )


def name_of(said: Mapping[str, Any]) -> str:
    """As whom the audit log knows them: an address where there is one, else the provider's own id."""
    for claim in ("email", "preferred_username", "sub"):
        value = said.get(claim)
        if isinstance(value, str) and value:
            return f"user:{value:.200}"
    return "user:unknown"
