"""Who comes to which cart: by ownership, by the secret, or by scope."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from new_core.api.cart_parameters import demanded_versions, read_versions
from new_core.domain.actor import ANONYMOUS, Actor, ActorKind
from new_core.domain.buyer import Buyer
from new_core.domain.cart import CUSTOMER_LIFE, GUEST_LIFE, Cart, CartState, renewed
from new_core.domain.cart_access import Opening, check_access, check_version, token_digest
from new_core.errors import ChangedMeanwhile, Forbidden, NotFound, PreconditionMissing

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB, ACME = UUID(int=1), UUID(int=2), UUID(int=3)
GUESTS = Cart(
    UUID(int=9), Buyer("CAD"), CartState.OPEN, (), THEN, THEN, token_sha256=token_digest("key")
)
ANNS = replace(GUESTS, buyer=Buyer("CAD", ANN, account_ids=(ACME,)), token_sha256="")
WITH_KEY, WITH_OTHER = (Opening(GUESTS.id, token_digest(one)) for one in ("key", "other"))
WITHOUT = Opening(GUESTS.id)


def somebody(kind: ActorKind, *scopes: str, **more: object) -> Actor:
    return replace(Actor(kind, "x", frozenset(scopes)), **more)  # type: ignore[arg-type]


ANN_HERSELF = somebody(ActorKind.CUSTOMER, customer_id=ANN)
BOB_HIMSELF = somebody(ActorKind.CUSTOMER, customer_id=BOB)
DESK = somebody(ActorKind.STAFF, "carts:read")
ACMES = somebody(ActorKind.PARTNER, "carts:read", account_ids=(ACME,))
OTHERS = somebody(ActorKind.PARTNER, "carts:read", account_ids=(UUID(int=4),))


@pytest.mark.parametrize(
    ("cart", "opening", "actor"),
    [
        (GUESTS, WITH_KEY, ANONYMOUS), (GUESTS, WITH_KEY, ANN_HERSELF), (GUESTS, WITHOUT, DESK),
        (ANNS, WITHOUT, ANN_HERSELF), (ANNS, WITHOUT, DESK), (ANNS, WITHOUT, ACMES),
    ],
)  # fmt: skip
def test_these_may(cart: Cart, opening: Opening, actor: Actor) -> None:
    assert check_access(cart, opening, actor, "carts:read") is cart


@pytest.mark.parametrize(
    ("cart", "opening", "actor"),
    [
        (GUESTS, WITHOUT, ANONYMOUS), (GUESTS, WITH_OTHER, ANONYMOUS),
        (GUESTS, WITHOUT, ANN_HERSELF), (GUESTS, WITHOUT, ACMES), (ANNS, WITH_KEY, ANONYMOUS),
        (ANNS, WITHOUT, BOB_HIMSELF), (ANNS, WITHOUT, OTHERS), (None, WITH_KEY, DESK),
        (replace(GUESTS, token_sha256=""), WITHOUT, ANONYMOUS),
        (replace(ANNS, token_sha256=token_digest("key")), WITH_KEY, ANONYMOUS),
    ],
)  # fmt: skip
def test_these_cannot_tell_that_it_is_there(
    cart: Cart | None, opening: Opening, actor: Actor
) -> None:
    with pytest.raises(NotFound):
        check_access(cart, opening, actor, "carts:read")


@pytest.mark.parametrize("kind", [ActorKind.STAFF, ActorKind.SERVICE, ActorKind.PARTNER])
def test_whoever_works_here_without_the_scope_is_told_which(kind: ActorKind) -> None:
    with pytest.raises(Forbidden) as refused:
        check_access(GUESTS, WITH_KEY, somebody(kind, "carts:read"), "carts:write")

    assert refused.value.scope == "carts:write"


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, None), ("*", None), (" * ", None), ('"v3"', {3}), ('"v3-0a1b"', {3}),
        ('"v3", "v4-ff"', {3, 4}), ('W/"v3"', set()), ("v3", set()), ('"x"', set()), ("", set()),
    ],
)  # fmt: skip
def test_of_a_tag_the_version_counts(header: str | None, versions: set[int] | None) -> None:
    assert read_versions(header) == versions


def test_a_state_that_has_to_be_said_has_to_be_said() -> None:
    assert demanded_versions("*") is None
    with pytest.raises(PreconditionMissing):
        demanded_versions(None)


def test_who_saw_another_version_changes_nothing() -> None:
    check_version(3, replace(WITHOUT, versions=frozenset({2, 3})))
    check_version(3, WITHOUT)
    with pytest.raises(ChangedMeanwhile):
        check_version(3, replace(WITHOUT, versions=frozenset({2})))


def test_a_customers_cart_is_kept_longer_than_a_guests() -> None:
    assert renewed(GUESTS, THEN).expires_at == THEN + GUEST_LIFE
    assert renewed(ANNS, THEN).expires_at == THEN + CUSTOMER_LIFE
    assert timedelta(0) < GUEST_LIFE < CUSTOMER_LIFE
