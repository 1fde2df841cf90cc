"""An OpenID issuer: where people are sent to sign in, and whose word is checked.

Only what the issuer signed with a key of its own counts. What it is asked goes over
https, or over loopback.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus as quote
from urllib.parse import urlencode

import aiohttp
import jwt

from cutover.core.access import Role
from cutover.core.claims import Terms, is_safe_url, name_of, roles_of
from cutover.errors import IssuerAway, NotVouched

_LEEWAY_S = 60
_KEPT_S = 3_600.0
#: A token may name a key that is unknown; so often the issuer's keys are read anew, at most.
_REREAD_S = 10.0
_LONGEST_ANSWER = 262_144
_LONGEST_TOKEN = 16_384
_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
#: Kind of key to the one algorithm that it is used with. Shared secrets are not among them.
_ALGORITHMS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom the issuer vouches for, until a moment since the epoch."""

    name: str
    roles: frozenset[Role]
    until_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to the issuer and back; what must come back the same.

    Attributes:
        next: where to go in the room afterwards.
        made_s: when it began, since the epoch.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next: str
    made_s: float


def new_attempt(next_path: str, now_s: float) -> Attempt:
    """A way that nobody else can have begun."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(state, nonce, verifier, next_path, float(int(now_s)))


@dataclass(slots=True)
class Issuer:
    """Asks the issuer, and keeps what it said. Belongs to one event loop."""

    terms: Terms
    session: aiohttp.ClientSession
    clock_s: Callable[[], float]
    _about: Mapping[str, Any] | None = field(default=None, init=False)
    _keys: list[tuple[str, str, Any]] = field(default_factory=list, init=False)
    _read_s: float = field(default=float("-inf"), init=False)
    _tried_s: float = field(default=float("-inf"), init=False)
    _trouble: str = field(default="", init=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def way_there(self, attempt: Attempt, back: str) -> str:
        """URL to send somebody to. Raises IssuerAway."""
        about = await self._described()
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.terms.client_id,
            "redirect_uri": back,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        place = str(about["authorization_endpoint"])
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    async def signed_in(self, code: str, attempt: Attempt, back: str) -> Vouched:
        """Whom the issuer sent back with this code.

        Raises:
            IssuerAway: it cannot be asked.
            NotVouched: it knows no such code, or its word does not hold.
        """
        about = await self._described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
        }
        told = await self._exchanged(about, form)
        claims = await self._checked(str(told.get("id_token", "")), self.terms.client_id)
        if not secrets.compare_digest(str(claims.get("nonce", "")), attempt.nonce):
            raise NotVouched("the issuer's answer belongs to another attempt to sign in")
        return self._vouched(claims)

    async def vouched(self, token: str) -> Vouched:
        """Whom a program's token is about.

        Raises:
            IssuerAway: its keys cannot be read.
            NotVouched: the token does not hold, or gives no role here.
        """
        return self._vouched(await self._checked(token, self.terms.audience))

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        name = name_of(claims, self.terms.name_claim)
        roles = roles_of(claims, self.terms.roles_claim, self.terms.mapping)
        if name is None:
            raise NotVouched(f"the issuer gives no name in {self.terms.name_claim}")
        if not roles:
            raise NotVouched(f"nothing in {self.terms.roles_claim} gives a role here")
        return Vouched(name, roles, float(claims["exp"]) + _LEEWAY_S)

    async def _checked(self, token: str, audience: str) -> Mapping[str, Any]:
        try:
            head = jwt.get_unverified_header(token) if len(token) <= _LONGEST_TOKEN else {}
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise NotVouched("the token cannot be read") from exc
        key = await self._key(head.get("kid"), head.get("alg"))
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token, key, algorithms=[head["alg"]], audience=audience,
                issuer=self.terms.issuer, leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as exc:
            raise NotVouched(f"the token does not hold ({type(exc).__name__})") from exc
        if "events" in claims:  # says that somebody signed out, with the same key
            raise NotVouched("the token is not one to sign in with")
        return claims

    async def _key(self, kid: object, alg: object) -> Any:
        """The issuer's key of that name for that algorithm.

        The algorithm is the key's, and a token that names another is refused. Otherwise a
        public key could be taken for a shared secret.
        """
        if alg not in _ALGORITHMS.values():
            raise NotVouched("the token is signed in a way that is not accepted")
        for is_last in (False, True):
            fitting = [key for name, its, key in self._keys if its == alg and kid in (None, name)]
            if len(fitting) == 1 and self.clock_s() - self._read_s < _KEPT_S:
                return fitting[0]
            if not is_last:
                await self._read_keys()
        raise NotVouched("the token is signed with a key that the issuer does not have")

    async def _read_keys(self) -> None:
        async with self._reading:
            now_s = self.clock_s()
            if now_s - self._tried_s < _REREAD_S:
                if self._trouble:
                    raise IssuerAway(self._trouble)
                return
            self._tried_s, self._about = now_s, None
            try:
                told = await self._get(str((await self._described())["jwks_uri"]))
            except IssuerAway as exc:
                self._trouble = str(exc)
                raise
            found = told.get("keys")
            found = found if isinstance(found, list) else []
            self._keys = [key for key in map(_readable, found) if key is not None]
            self._read_s, self._trouble = now_s, ""

    async def _described(self) -> Mapping[str, Any]:
        if self._about is None:
            place = self.terms.issuer.rstrip("/") + "/.well-known/openid-configuration"
            about = await self._get(place)
            if about.get("issuer") != self.terms.issuer:
                raise IssuerAway("the OpenID issuer calls itself by another name than configured")
            for part in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not is_safe_url(str(about.get(part, ""))):
                    raise IssuerAway(f"the OpenID issuer has no {part} that is safe to use")
            self._about = about
        return self._about

    async def _exchanged(self, about: Mapping[str, Any], form: dict[str, str]) -> Mapping[str, Any]:
        ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        headers = {"accept": "application/json"}
        if not self.terms.client_secret or "client_secret_basic" not in ways:
            form["client_id"] = self.terms.client_id
            if self.terms.client_secret:
                form["client_secret"] = self.terms.client_secret
        else:
            pair = f"{quote(self.terms.client_id)}:{quote(self.terms.client_secret)}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return await self._asked("POST", str(about["token_endpoint"]), data=form, headers=headers)

    async def _get(self, url: str) -> Mapping[str, Any]:
        return await self._asked("GET", url)

    async def _asked(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        try:
            async with self.session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, **more
            ) as answer:
                body = await _whole(answer)
                if method == "POST" and 400 <= answer.status < 500:
                    raise NotVouched("the issuer knows no such attempt to sign in")
                if answer.status != 200:
                    raise IssuerAway(f"the OpenID issuer answers {answer.status}")
                told = json.loads(body)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise IssuerAway("the OpenID issuer does not answer") from exc
        except (ValueError, RecursionError) as exc:
            raise IssuerAway("the OpenID issuer's answer cannot be read") from exc
        if not isinstance(told, dict):
            raise IssuerAway("the OpenID issuer's answer cannot be read")
        return told


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_chunked(65_536):
        body += part
        if len(body) > _LONGEST_ANSWER:
            raise IssuerAway("the OpenID issuer's answer is too long")
    return bytes(body)


def _readable(told: object) -> tuple[str, str, Any] | None:
    """A key's name, its algorithm, and itself; None for one that is of no use here."""
    if not isinstance(told, dict) or told.get("use", "sig") != "sig":
        return None
    alg = _ALGORITHMS.get((str(told.get("kty")), str(told.get("crv", ""))))
    if alg is None or told.get("alg", alg) != alg:
        return None
    try:
        return str(told.get("kid", "")), alg, jwt.PyJWK(told, algorithm=alg).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
