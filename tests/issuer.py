"""An OpenID provider on loopback, as small as the protocol allows: address book, public keys, and a login that asks nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "outlay-dashboard"
CLIENT_SECRET = "not so secret"


class Issuer:
    """``person`` is who logs in next; ``rotate()`` signs with a new key from then on."""

    def __init__(self) -> None:
        self.url = ""
        self.person: dict[str, Any] = {"sub": "u-1", "email": "ann@example.com", "groups": ["finops"]}
        self.asked: list[str] = []
        self._nonces: dict[str, str] = {}
        self.rotate()

    def rotate(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = f"key-{time.monotonic_ns()}"

    def token(self, **changes: Any) -> str:
        """An ID token of the person, good for an hour; a claim changed to None is left out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 3600, **self.person, **changes}
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(said, self._key, "RS256", headers={"kid": self._kid})

    def answer(self, path: str, asked: dict[str, str]) -> dict[str, Any] | str:
        """What is found at a path, as JSON; a text is where the browser is sent."""
        self.asked.append(path)
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            case "/keys":
                public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
                return {"keys": [public | {"kid": self._kid, "use": "sig", "alg": "RS256"}]}
            case "/authorize":
                code = f"code-{len(self._nonces)}"
                self._nonces[code] = asked.get("nonce", "")
                return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            case "/token":
                token = self.token(nonce=self._nonces.pop(asked["code"]))
                return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "id_token": token}
        raise KeyError(path)


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def _reply(self, query: str) -> None:
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            try:
                found = issuer.answer(urlsplit(self.path).path, asked)
            except KeyError:
                self.send_error(404)
                return
            body = b"" if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(302 if isinstance(found, str) else 200)
            if isinstance(found, str):
                self.send_header("Location", found)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._reply(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
