"""A small OpenID issuer on loopback: discovery, keys, authorization code with PKCE.

It checks what it is told as a real one does, and signs in whoever comes as `claims` says.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from typing_extensions import override

now_s = time.time
CLIENT, SECRET = "room", "s3cret/of the+room"


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key with its name, its algorithm and its public half."""

    kid: str
    alg: str
    private: Any = field(repr=False)

    @property
    def public(self) -> dict[str, Any]:
        """As it stands among the issuer's keys."""
        public = self.private.public_key()
        if self.alg == "RS256":
            told = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif self.alg == "ES256":
            told = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            told = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {**told, "kid": self.kid, "use": "sig", "alg": self.alg}


def new_key(alg: str = "RS256") -> Key:
    """A fresh key."""
    private: Any
    if alg == "RS256":
        private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    elif alg == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return Key(secrets.token_hex(4), alg, private)


@dataclass(slots=True)
class IssuerHouse:
    """What the issuer is and what was asked of it.

    Attributes:
        claims: of whoever signs in next, over the usual ones.
        asked: paths in order.
        away: it answers 503 to all.
        calls_itself: the name that it gives in its description.
    """

    url: str = ""
    keys: list[Key] = field(default_factory=lambda: [new_key()])
    claims: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    calls_itself: str = ""
    _codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def token(self, key: Key | None = None, **claims: Any) -> str:
        """A signed token; a claim of None is left out."""
        key, now = key or self.keys[0], int(time.time())
        whole = {
            "iss": self.url, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300,
            "preferred_username": "Iris", "roles": ["operator"],
        } | self.claims | claims  # fmt: skip
        told = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(told, key.private, key.alg, headers={"kid": key.kid})

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.calls_itself or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
        }

    def let_in(self, asked: Mapping[str, str]) -> str:
        """Where somebody goes who came with this query."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.url}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def exchanged(self, form: Mapping[str, str], authorization: str) -> dict[str, Any] | None:
        """Tokens for a code, once; None when anything about it is wrong."""
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None:
            return None
        pair = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = (
            (unquote_plus(pair[0]), unquote_plus(pair[2])) == (CLIENT, SECRET)
            and form["redirect_uri"] == asked["redirect_uri"]
            and challenge == asked["code_challenge"]
        )
        nonce = self.claims.get("nonce", asked["nonce"])
        return {"id_token": self.token(nonce=nonce), "token_type": "Bearer"} if is_right else None


@contextmanager
def issuer() -> Iterator[IssuerHouse]:
    """An issuer that answers until the block ends."""
    house = IssuerHouse()

    class Handler(BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            house.asked.append(parts.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("location", house.let_in(asked))
                self.send_header("content-length", "0")
                self.end_headers()
            elif parts.path == "/jwks":
                self._say({"keys": [key.public for key in house.keys]})
            else:
                self._say(house.described())

        def do_POST(self) -> None:
            house.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            told = house.exchanged(dict(parse_qsl(body)), self.headers["authorization"] or "")
            self._say(told or {"error": "invalid_grant"}, 200 if told else 400)

        def _say(self, told: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(told).encode()
            self.send_response(503 if house.away else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        house.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield house
        finally:
            server.shutdown()
            serving.join(30)
