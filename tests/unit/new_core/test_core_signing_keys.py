"""Keys follow each other without a gap, whoever makes them and whenever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.actor import ActorKind
from new_core.domain.identity_keys import (
    BELIEVED_AFTER,
    SHOWN_BEFORE,
    SIGNS,
    KeyTerm,
    SigningKey,
    believed,
    next_term,
    signing,
)
from new_core.domain.identity_logins import scheme_of, unlike
from new_core.domain.identity_secrets import challenge_of, digest_of, opens, proves
from new_core.domain.identity_tokens import ACCESS_LIVES, Claims, may_redirect_to, read_claims

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def key(term: KeyTerm) -> SigningKey:
    return SigningKey(term, f"k{term.number}", "", "")


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=45)), min_size=1, max_size=40))
def test_every_token_is_of_a_key_that_is_believed_while_it_lives(gaps: list[timedelta]) -> None:
    keys: list[SigningKey] = []
    now = THEN
    for gap in gaps:
        now += gap
        term = next_term([one.term for one in keys], now)
        if term is not None:
            keys.append(key(term))

        signs = signing(keys, now)

        assert signs is not None
        assert signs in believed(keys, now + ACCESS_LIVES)
    assert [one.term.number for one in keys] == list(range(1, len(keys) + 1))


def test_the_next_key_is_shown_before_it_signs_and_the_last_one_believed_after() -> None:
    first = next_term([], THEN)
    assert first == KeyTerm(1, THEN, THEN + SIGNS, THEN + SIGNS + BELIEVED_AFTER)
    soon = THEN + SIGNS - SHOWN_BEFORE
    assert next_term([first], soon - timedelta(seconds=1)) is None
    second = next_term([first], soon)
    assert second is not None
    both = [key(first), key(second)]

    assert signing(both, soon) == both[0]
    assert believed(both, soon) == tuple(both)
    assert signing(both, first.signs_until) == both[1]
    assert both[0] in believed(both, first.signs_until + ACCESS_LIVES)
    assert next_term([first, second], soon) is None


def test_a_key_made_by_a_clock_that_is_ahead_signs_at_once() -> None:
    ahead = next_term([], THEN + timedelta(seconds=2))
    assert ahead is not None

    assert signing([key(ahead)], THEN) == key(ahead)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_a_secret_opens_what_was_kept_of_it_and_nothing_else(mine: str, others: list[str]) -> None:
    kept = [digest_of(one) for one in others]

    assert opens(mine, kept) == (mine in others and mine != "")
    assert not opens(mine, ("",))


def test_a_verifier_proves_its_own_challenge_only() -> None:
    # The example of RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert proves(verifier, challenge_of(verifier))
    assert not proves(verifier[:-1] + "x", challenge_of(verifier))
    assert not proves("short", challenge_of("short"))


@pytest.mark.parametrize(
    ("uri", "may"),
    [
        ("https://shop.example/back?x=1", True), ("http://127.0.0.1:7000/", True),
        ("http://[::1]/", True), ("http://shop.example/", False), ("https://a@b.example/", False),
        ("https://shop.example/#x", False), ("javascript:alert(1)", False), ("//x/y", False),
        ("shop://x", False), ("https://", False),
    ],
)  # fmt: skip
def test_codes_are_sent_over_tls_or_within_a_machine(uri: str, may: bool) -> None:
    assert may_redirect_to(uri) == may


def test_claims_come_back_as_they_were_said_and_nothing_else_is_taken_for_them() -> None:
    whole = Claims(
        str(UUID(int=1)), "shop", ActorKind.CUSTOMER, frozenset({"orders:read"}),
        (UUID(int=2),), UUID(int=3),
    )  # fmt: skip
    assert read_claims(whole.as_json()) == whole
    assert whole.actor.customer_id == UUID(int=1)
    assert read_claims(whole.as_json() | {"scope": "gone:scope"}).scopes == frozenset()
    for change in ({"sub": "x"}, {"sub": None}, {"kind": "king"}, {"accounts": "x"}, {"sid": "1"}):
        with pytest.raises(ValueError):
            read_claims({**whole.as_json(), **change})


@given(st.sampled_from(["", "$argon2id$v=19$x", "pbkdf2_sha256$9$s$h", "md5$x", "pbkdf2_sha256$7"]))
def test_a_refusal_takes_the_time_of_every_kind_of_hash_once(hashed: str) -> None:
    kinds = ("$argon2id", "pbkdf2_sha256$9$s$h")

    spent = [scheme_of(one) for one in unlike(hashed, kinds)]

    known = [scheme_of(hashed)] if hashed else []
    assert set(spent) | set(known) >= {"argon2id", "pbkdf2_sha256"}
    assert len(spent) == len(set(spent))
