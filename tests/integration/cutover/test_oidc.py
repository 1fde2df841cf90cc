"""The word of an OpenID issuer, over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cutover.api.oidc import Issuer, new_attempt
from cutover.core.access import Role
from cutover.core.claims import read_terms
from cutover.errors import IssuerAway, NotVouched
from tests.support.oidc import CLIENT, SECRET, IssuerHouse, issuer, new_key, now_s

pytestmark = pytest.mark.integration
BACK = "http://room/signin/back"


@dataclass(slots=True)
class Clock:
    ahead_s: float = field(default=0.0)

    def __call__(self) -> float:
        return now_s() + self.ahead_s


@pytest.fixture
def house() -> Iterator[IssuerHouse]:
    with issuer() as house:
        yield house


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def asking(house: IssuerHouse, clock: Clock) -> AsyncIterator[Issuer]:
    terms = read_terms(
        {
            "BANYAN_OIDC_ISSUER": house.url,
            "BANYAN_OIDC_CLIENT_ID": CLIENT,
            "BANYAN_OIDC_CLIENT_SECRET": SECRET,
        }
    )
    assert terms is not None
    async with aiohttp.ClientSession() as session:
        yield Issuer(terms, session, clock)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_the_issuers_says_who_a_program_is(
    house: IssuerHouse, asking: Issuer, alg: str
) -> None:
    house.keys = [new_key("RS256"), new_key(alg)]

    found = await asking.vouched(house.token(house.keys[1]))

    assert (found.name, found.roles) == ("iris", frozenset((Role.OPERATOR,)))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"}, {"aud": None}, {"iss": "https://evil.test"}, {"exp": None},
        {"iat": None}, {"sub": None}, {"exp": 1_000_000_000}, {"nbf": 2**33},
        {"roles": []}, {"roles": ["king"]}, {"preferred_username": ["x"]}, {"events": {"x": {}}},
    ],
)  # fmt: skip
async def test_a_token_that_does_not_hold_is_refused(
    house: IssuerHouse, asking: Issuer, claims: dict[str, Any]
) -> None:
    token = house.token(**claims)

    with pytest.raises(NotVouched) as told:
        await asking.vouched(token)

    assert token not in str(told.value)


async def test_clocks_may_differ_by_a_minute(house: IssuerHouse, asking: Issuer) -> None:
    found = await asking.vouched(house.token(exp=int(now_s()) - 30))

    assert found.name == "iris"


async def test_no_signature_and_a_shared_secret_are_refused(
    house: IssuerHouse, asking: Issuer
) -> None:
    await asking.vouched(house.token())
    claims = jwt.decode(house.token(), options={"verify_signature": False})
    kid = {"kid": house.keys[0].kid}
    public = house.keys[0].private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    shared = _signed_with_public_key(claims, kid, pem)

    for token in (
        jwt.encode(claims, "", algorithm="none", headers=kid),
        shared,
        jwt.encode(claims, new_key("ES256").private, "ES256", headers=kid),
        jwt.encode(claims, new_key().private, "RS256", headers=kid),
        house.token()[:-4] + "AAAA",
    ):
        with pytest.raises(NotVouched):
            await asking.vouched(token)


def _signed_with_public_key(claims: dict[str, Any], head: dict[str, str], pem: bytes) -> str:
    """What somebody makes who takes the issuer's public key for a shared secret."""

    def part(told: object) -> bytes:
        return urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=")

    text = part({"alg": "HS256", "typ": "JWT", **head}) + b"." + part(claims)
    signed = hmac.new(pem, text, hashlib.sha256).digest()
    return (text + b"." + urlsafe_b64encode(signed).rstrip(b"=")).decode()


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "é.é.é", "e30.e30.", "x" * 40_000, "." * 99])
async def test_garbage_is_refused(asking: Issuer, token: str) -> None:
    with pytest.raises(NotVouched):
        await asking.vouched(token)


async def test_a_new_key_is_met_at_once_and_strange_ones_do_not_make_it_ask_for_ever(
    house: IssuerHouse, asking: Issuer, clock: Clock
) -> None:
    await asking.vouched(house.token())
    clock.ahead_s += 11
    house.keys = [new_key()]
    assert (await asking.vouched(house.token())).name == "iris"
    asked = house.asked.count("/jwks")

    for _ in range(20):
        with pytest.raises(NotVouched, match="key that the issuer does not have"):
            await asking.vouched(house.token(new_key("ES256")))

    assert house.asked.count("/jwks") == asked == 2
    clock.ahead_s += 11
    with pytest.raises(NotVouched):
        await asking.vouched(house.token(new_key("ES256")))
    assert house.asked.count("/jwks") == 3


async def test_a_key_that_was_taken_back_is_forgotten_within_the_hour(
    house: IssuerHouse, asking: Issuer, clock: Clock
) -> None:
    old = house.keys[0]
    await asking.vouched(house.token())
    house.keys = [new_key()]
    clock.ahead_s = 3_601

    with pytest.raises(NotVouched):
        await asking.vouched(house.token(old, exp=int(now_s()) + 9_999))


async def test_an_issuer_that_is_away_or_another_is_told_apart_from_a_bad_token(
    house: IssuerHouse, asking: Issuer, clock: Clock
) -> None:
    house.away = True
    for _ in range(2):
        with pytest.raises(IssuerAway, match="answers 503"):
            await asking.vouched(house.token())

    house.away, house.calls_itself = False, "https://evil.test"
    clock.ahead_s += 11
    with pytest.raises(IssuerAway, match="another name"):
        await asking.vouched(house.token())


async def test_somebody_signs_in_there_and_comes_back(house: IssuerHouse, asking: Issuer) -> None:
    attempt = new_attempt("/data", now_s())
    place = await asking.way_there(attempt, BACK)
    code = await _through(place)

    found = await asking.signed_in(code, attempt, BACK)

    assert (found.name, found.roles) == ("iris", frozenset((Role.OPERATOR,)))
    assert attempt.verifier not in place
    with pytest.raises(NotVouched, match="no such attempt"):
        await asking.signed_in(code, attempt, BACK)


async def test_a_code_of_another_attempt_is_worth_nothing(
    house: IssuerHouse, asking: Issuer
) -> None:
    mine, other = new_attempt("/", now_s()), new_attempt("/", now_s())
    code = await _through(await asking.way_there(mine, BACK))

    with pytest.raises(NotVouched, match="no such attempt"):
        await asking.signed_in(code, other, BACK)

    house.claims["nonce"] = "of another"
    code = await _through(await asking.way_there(mine, BACK))
    with pytest.raises(NotVouched, match="another attempt"):
        await asking.signed_in(code, mine, BACK)


async def _through(place: str) -> str:
    """Go to the issuer, and return the code that one comes back with."""
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(place, allow_redirects=False) as answer,
    ):
        back = urlsplit(answer.headers["location"])
        return parse_qs(back.query)["code"][0]
