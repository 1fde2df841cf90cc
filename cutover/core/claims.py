"""What an OpenID issuer says of somebody, as a name and roles of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cutover.core.access import Role
from cutover.errors import SettingsError

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class Terms:
    """Which issuer is believed, and in what.

    Attributes:
        issuer: its URL, as it writes it itself.
        client_id, client_secret: of the room; the secret is "" for a public client.
        audience: whom a program's token must be made for.
        roles_claim, name_claim: where roles and name stand; a dot leads into an object.
        mapping: group to role.
    """

    issuer: str
    client_id: str
    audience: str
    client_secret: str = field(default="", repr=False)
    roles_claim: str = "roles"
    name_claim: str = "preferred_username"
    mapping: Mapping[str, Role] = field(default_factory=dict)


def read_terms(environment: Mapping[str, str]) -> Terms | None:
    """The terms that the environment sets; None where no issuer is.

    Raises:
        SettingsError: they are not whole, or the issuer could be anybody.
    """
    issuer = environment.get("BANYAN_OIDC_ISSUER", "").strip()
    if not issuer:
        return None
    client_id = environment.get("BANYAN_OIDC_CLIENT_ID", "").strip()
    if not client_id:
        raise SettingsError("BANYAN_OIDC_ISSUER needs BANYAN_OIDC_CLIENT_ID beside it")
    if not is_safe_url(issuer):
        raise SettingsError(f"BANYAN_OIDC_ISSUER={issuer} must begin with https://")
    return Terms(
        issuer,
        client_id,
        environment.get("BANYAN_OIDC_AUDIENCE") or client_id,
        environment.get("BANYAN_OIDC_CLIENT_SECRET", ""),
        environment.get("BANYAN_OIDC_ROLES_CLAIM") or "roles",
        environment.get("BANYAN_OIDC_NAME_CLAIM") or "preferred_username",
        read_mapping(environment.get("BANYAN_OIDC_ROLES", "")),
    )


def is_safe_url(url: str) -> bool:
    """Whether nobody on the way can change what comes from there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


def read_mapping(text: str) -> Mapping[str, Role]:
    """Groups to roles, of "group:role,group:role"; of none the roles' own names.

    Raises:
        SettingsError: it is written otherwise, or there is no such role.
    """
    if not text.strip():
        return {role.value: role for role in Role}
    found: dict[str, Role] = {}
    for pair in text.split(","):
        group, _, role = pair.strip().rpartition(":")
        if not group or role not in {one.value for one in Role}:
            raise SettingsError(
                f"BANYAN_OIDC_ROLES: {pair.strip()!r} is not group:role;"
                f" the roles are {', '.join(Role)}"
            )
        found[group] = Role(role)
    return found


def roles_of(claims: Mapping[str, Any], place: str, mapping: Mapping[str, Role]) -> frozenset[Role]:
    """The roles that somebody's groups give them.

    A dot in the place of the claim leads into an object, as in realm_access.roles.
    """
    found: Any = claims.get(place)
    if found is None and "." in place:
        found = claims
        for step in place.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(mapping[one] for one in groups if isinstance(one, str) and one in mapping)


def name_of(claims: Mapping[str, Any], place: str) -> str | None:
    """The name that the ledger will use; None when the issuer says none that can be used."""
    told = claims.get(place) or claims.get("sub")
    if not isinstance(told, str):
        return None
    name = told.strip().lower()
    return name if name.isprintable() and 0 < len(name) <= 128 else None
