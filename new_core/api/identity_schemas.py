"""What identity takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from new_core.api.schemas import Answer, Page
from new_core.domain.catalog import Stored
from new_core.domain.identity_logins import LONGEST_PASSWORD, SHORTEST_PASSWORD
from new_core.domain.identity_roles import Role
from new_core.domain.identity_tokens import Client, ClientKind, StaffUser
from new_core.service.identity_tokens import Issued

SANE = r"^[^\x00-\x1f\x7f]*$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

Text = Annotated[str, StringConstraints(max_length=200, pattern=SANE)]
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=254,
        pattern=r"^[^\x00-\x20\x7f@]{1,64}@[^\x00-\x20\x7f@]{1,189}$",
    ),
]  # fmt: skip
Password = Annotated[
    str,
    StringConstraints(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        pattern=r"^[^\x00]*$",
    ),
]
AnyPassword = Annotated[str, StringConstraints(max_length=LONGEST_PASSWORD, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Uri = Annotated[str, StringConstraints(max_length=500, pattern=r"^[\x21-\x7e]+$")]


class Asked(BaseModel):
    """Base of all bodies: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TokensOut(Answer):
    """Tokens (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int = Field(description="seconds")
    scope: str
    refresh_token: str | None = Field(default=None, description="good for one use")

    @classmethod
    def of(cls, issued: Issued) -> TokensOut:
        """What was handed out."""
        return cls(
            access_token=issued.access_token,
            expires_in=issued.expires_in_s,
            scope=" ".join(sorted(issued.scopes)),
            refresh_token=issued.refresh_token or None,
        )


class OAuthError(Answer):
    """Why there is no token (RFC 6749, section 5.2)."""

    error: str
    error_description: str


class ClientIn(Asked):
    """A client."""

    client_id: Name
    name: Text
    kind: ClientKind
    redirect_uris: list[Uri] = Field(default=[], max_length=10)
    roles: list[Name] = Field(default=[], max_length=20)
    account_id: UUID | None = Field(default=None, description="whom a partner acts for")
    confidential: StrictBool = Field(default=True, description="false: it cannot keep a secret")


class ClientChange(Asked):
    """What changes of a client."""

    name: Text | None = None
    active: StrictBool | None = None
    redirect_uris: list[Uri] | None = Field(default=None, max_length=10)
    roles: list[Name] | None = Field(default=None, max_length=20)
    account_id: UUID | None = None


class ClientOut(Answer):
    """A client, without its secrets."""

    client_id: str
    name: str
    kind: ClientKind
    active: StrictBool
    redirect_uris: list[str]
    roles: list[str]
    account_id: UUID | None
    secrets: int = Field(description="how many open: two while it changes over")
    created_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Client]) -> ClientOut:
        """A client as it is."""
        one = stored.value
        return cls(
            client_id=one.client_id, name=one.name, kind=one.kind, active=one.active,
            redirect_uris=list(one.redirect_uris), roles=list(one.roles),
            account_id=one.account_id, secrets=len(one.secrets), created_at=one.created_at,
            version=stored.version,
        )  # fmt: skip


class NewClientOut(Answer):
    """A client with a secret that is shown this once."""

    client: ClientOut
    client_secret: str | None = Field(description="null when it cannot keep one")


class ClientList(Answer):
    """Clients by name."""

    data: list[ClientOut]
    page: Page


class RoleIn(Asked):
    """A role of one's own."""

    name: Text
    scopes: list[Annotated[str, StringConstraints(max_length=40, pattern=SANE)]] = Field(
        max_length=60
    )


class RoleOut(Answer):
    """A role."""

    code: str
    name: str
    scopes: list[str]
    built_in: StrictBool

    @classmethod
    def of(cls, role: Role) -> RoleOut:
        """A role as it is."""
        return cls(
            code=role.code, name=role.name, scopes=sorted(role.scopes), built_in=role.built_in
        )  # fmt: skip


class RoleList(Answer):
    """All roles by code."""

    data: list[RoleOut]


class StaffIn(Asked):
    """Somebody new in the shop."""

    email: Email
    name: Text
    password: Password
    roles: list[Name] = Field(default=[], max_length=20)


class StaffChange(Asked):
    """What changes of a staff user."""

    name: Text | None = None
    active: StrictBool | None = None
    password: Password | None = None
    roles: list[Name] | None = Field(default=None, max_length=20)


class StaffOut(Answer):
    """A staff user."""

    id: UUID
    email: str
    name: str
    active: StrictBool
    roles: list[str]
    created_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[StaffUser]) -> StaffOut:
        """A staff user as they are."""
        one = stored.value
        return cls(
            id=one.id, email=one.email, name=one.name, active=one.active, roles=list(one.roles),
            created_at=one.created_at, version=stored.version,
        )  # fmt: skip


class StaffList(Answer):
    """Staff by e-mail."""

    data: list[StaffOut]
    page: Page
