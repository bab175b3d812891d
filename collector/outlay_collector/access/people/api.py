"""The OpenID provider as it is asked: its address book and its public keys, kept for an hour."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import httpx
import jwt

from outlay_collector.access.keys import Access
from outlay_collector.access.people import token
from outlay_collector.access.people.roles import Role, granted, groups_in, is_safe
from outlay_collector.errors import Forbidden, Unauthorised, Unavailable

logger = logging.getLogger("outlay.access")

FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
"""Between two questions: a token with an unknown signer asks for new keys, and anybody can make one up."""


class People:
    """Whoever bears a token of ``issuer`` for ``audience``, and what their groups let them do."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        roles: Sequence[Role],
        claim: str,
        project_id: Callable[[str], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._roles = roles
        self._claim = claim
        self._project_id = project_id
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._known_at = float("-inf")
        self._lock = threading.Lock()

    def access_of(self, text: str) -> Access:
        """What the bearer of this token may do; Unauthorised when it is not good, Forbidden when nothing is granted."""
        said = self._claims(text)
        name = token.name_of(said)
        scopes, project = granted(self._roles, groups_in(said, self._claim))
        if not scopes:
            raise Forbidden(f"{name.removeprefix('user:')} is in no group that OUTLAY_OIDC_ROLES names.")
        project_id = self._project_id(project) if project is not None else None
        if project is not None and project_id is None:
            raise Forbidden(f"OUTLAY_OIDC_ROLES names the project {project!r:.120}, and there is none.")
        return Access(key_id=name, project_id=project_id, scopes=scopes)

    def _claims(self, text: str) -> dict[str, object]:
        for again in (True, False):
            keys = self._signers(more=not again)
            try:
                return token.claims(text, keys, issuer=self._issuer, audience=self._audience)
            except token.UnknownSigner as error:
                if not again:
                    raise Unauthorised("The token is signed with a key that its issuer does not list.") from error
            except jwt.InvalidTokenError as error:
                raise Unauthorised(f"The token is not good: {error}. Log in again.") from error
        raise AssertionError

    def _signers(self, *, more: bool) -> dict[str, jwt.PyJWK]:
        """The issuer's keys; asked for when they are old, or when ``more`` are wanted than are known."""
        with self._lock:
            now = self._clock()
            stale = now - self._known_at > FRESH_SECONDS
            if (stale or more) and now - self._asked_at > AGAIN_SECONDS:
                self._asked_at = now
                try:
                    self._keys, self._known_at = self._fetch(), now
                except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
                    logger.warning("the OpenID provider %s cannot be asked: %s", self._issuer, error)
            if not self._keys:
                raise Unavailable("The OpenID provider cannot be asked for its keys; try again.")
            return self._keys

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        with httpx.Client(timeout=5, follow_redirects=False) as client:
            book = client.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
            if book["issuer"] != self._issuer:
                raise ValueError(f"it calls itself {book['issuer']!r:.200}")
            if not is_safe(book["jwks_uri"]):
                raise ValueError(f"its keys are at {book['jwks_uri']!r:.200}, which is not https")
            listed = client.get(book["jwks_uri"]).raise_for_status().json()["keys"]
        found: dict[str, jwt.PyJWK] = {}
        for one in listed:
            try:
                if one.get("use", "sig") == "sig":
                    found[str(one.get("kid", ""))] = jwt.PyJWK(one)
            except jwt.PyJWTError:  # of a kind that is not known here
                continue
        return found
