"""What an issuer says, as names and roles of ours."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.core.access import Role
from cutover.core.claims import is_safe_url, name_of, read_mapping, read_terms, roles_of
from cutover.errors import SettingsError

MAPPING = {"shop-ops": Role.OPERATOR, "cn=boss:x": Role.ADMIN}
GOOD = {"BANYAN_OIDC_ISSUER": "https://login.shop.test", "BANYAN_OIDC_CLIENT_ID": "room"}


def test_without_an_issuer_there_are_no_terms() -> None:
    assert read_terms({"BANYAN_OIDC_CLIENT_ID": "room"}) is None


def test_terms_are_read_and_their_secret_is_not_printed() -> None:
    terms = read_terms({**GOOD, "BANYAN_OIDC_CLIENT_SECRET": "hush-hush"})

    assert terms is not None
    assert (terms.audience, terms.roles_claim, terms.name_claim) == (
        "room",
        "roles",
        "preferred_username",
    )
    assert terms.mapping["viewer"] is Role.VIEWER
    assert "hush" not in repr(terms)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BANYAN_OIDC_CLIENT_ID": ""}, "needs BANYAN_OIDC_CLIENT_ID"),
        ({"BANYAN_OIDC_ISSUER": "http://login.shop.test"}, "must begin with https"),
        ({"BANYAN_OIDC_ROLES": "ops"}, "is not group:role"),
        ({"BANYAN_OIDC_ROLES": "ops:king"}, "is not group:role"),
    ],
)
def test_terms_that_do_not_hold_say_so(changes: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_terms({**GOOD, **changes})


def test_a_group_may_hold_colons() -> None:
    assert read_mapping("shop-ops:operator, cn=boss:x:admin") == MAPPING


@pytest.mark.parametrize(
    ("claims", "place", "roles"),
    [
        ({"roles": ["shop-ops", "other", 3, None]}, "roles", {Role.OPERATOR}),
        ({"roles": "shop-ops"}, "roles", {Role.OPERATOR}),
        ({"realm_access": {"roles": ["shop-ops"]}}, "realm_access.roles", {Role.OPERATOR}),
        ({"https://x.test/roles": ["shop-ops"]}, "https://x.test/roles", {Role.OPERATOR}),
        ({"roles": ["admin", "operator"]}, "roles", set()),
        ({"roles": {"shop-ops": True}}, "roles", set()),
        ({"a": ["x"]}, "a.b.c", set()),
        ({}, "roles", set()),
    ],
)
def test_only_groups_that_are_mapped_give_a_role(
    claims: dict[str, Any], place: str, roles: set[Role]
) -> None:
    assert roles_of(claims, place, MAPPING) == roles


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": " Eva ", "sub": "1"}, "eva"),
        ({"sub": "auth0|123"}, "auth0|123"),
        ({"preferred_username": ["eva"], "sub": "1"}, None),
        ({"preferred_username": "e\nva"}, None),
        ({"preferred_username": "x" * 200}, None),
        ({}, None),
    ],
)
def test_a_name_is_one_the_ledger_can_hold(claims: dict[str, Any], name: str | None) -> None:
    assert name_of(claims, "preferred_username") == name


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.shop.test/x", True), ("http://127.0.0.1:9/x", True),
        ("http://[::1]/", True), ("http://login.shop.test", False),
        ("http://127.0.0.1.evil.test", False),
        ("file:///x", False), ("https://", False), ("", False), ("http://[", False),
    ],
)  # fmt: skip
def test_only_https_and_loopback_are_trusted(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe
