"""What the use cases of identity need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.identity_keys import KeyTerm, SigningKey
from new_core.domain.identity_roles import Role
from new_core.domain.identity_tokens import Client, Grant, StaffUser, SubjectKind

NewSecret = Callable[[], str]
"""Gives a secret that nobody can guess: 32 random bytes, safe in URLs."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a login through a browser hands to the client.

    Attributes:
        challenge: of the verifier that the client keeps to itself.
    """

    digest: str
    grant_id: UUID
    redirect_uri: str
    challenge: str
    expires_at: datetime
    used: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """What a password was found to be.

    Attributes:
        stale: the hash is of an older kind or weaker than what is made now.
    """

    right: bool
    stale: bool = False


class Hasher(Protocol):
    """Hashes passwords; slow on purpose, off the event loop."""

    async def hash(self, password: str) -> str:
        """A hash of the kind that is made now."""
        ...

    async def verify(self, password: str, hashed: str) -> Verified:
        """Whether a hash is of this password; a hash of an unknown kind is of none."""
        ...

    async def waste(self, like: str) -> None:
        """Take as long as a hash like this one takes to verify; "" is one made now."""
        ...


class Signer(Protocol):
    """Makes and reads signed tokens."""

    def make_key(self, term: KeyTerm) -> SigningKey:
        """A new key."""
        ...

    def sign(self, said: Mapping[str, object], key: SigningKey) -> str:
        """A token that says this; the key's private half must be readable.

        Raises:
            InvalidValue: it is not, with the passphrase that the core was given.
        """
        ...

    def kid_of(self, token: str) -> str:
        """The key that a token claims; empty where it claims none."""
        ...

    def read(self, token: str, key: SigningKey, now: datetime) -> Mapping[str, object]:
        """What a token says.

        Raises:
            Unauthenticated: it is not signed by the key, not for us, or not for now.
        """
        ...

    def public(self, key: SigningKey) -> Mapping[str, object]:
        """The half that everybody may see, as a JWK."""
        ...


class IdentityStore(Protocol):
    """Keys, clients, staff, roles and grants."""

    async def keys(self) -> tuple[SigningKey, ...]:
        """All keys, ascending by number."""
        ...

    async def add_key(self, key: SigningKey) -> bool:
        """Add a key; False when somebody else made the one of that number."""
        ...

    async def client(self, client_id: str) -> Stored[Client] | None:
        """A client by its name."""
        ...

    async def clients(self, after: str, limit: int) -> tuple[Stored[Client], ...]:
        """Clients, ascending by name."""
        ...

    async def put_client(self, client: Client, now: datetime) -> Stored[Client]:
        """Write a client whole.

        Raises:
            InvalidValue: another one has the name.
        """
        ...

    async def roles(self) -> dict[str, Stored[Role]]:
        """The roles that are not built in, by code."""
        ...

    async def put_role(self, role: Role, now: datetime) -> Stored[Role]: ...
    async def delete_role(self, code: str) -> bool:
        """Whether it was there."""
        ...

    async def staff(self, staff_id: UUID) -> Stored[StaffUser] | None: ...
    async def staff_by_email(self, email: str) -> Stored[StaffUser] | None: ...
    async def staff_page(self, after: str, limit: int) -> tuple[Stored[StaffUser], ...]:
        """Staff, ascending by e-mail."""
        ...

    async def put_staff(self, user: StaffUser, now: datetime) -> Stored[StaffUser]:
        """Write a staff user whole.

        Raises:
            InvalidValue: another one has the e-mail address.
        """
        ...

    async def open_grant(self, grant: Grant) -> None: ...
    async def grant(self, grant_id: UUID) -> Grant | None: ...
    async def revoke(self, grant_ids: Sequence[UUID], why: str, now: datetime) -> None:
        """End grants; those that ended before keep their reason."""
        ...

    async def revoke_of(self, kind: SubjectKind, subject_id: UUID, why: str, now: datetime) -> None:
        """End all grants of a person."""
        ...

    async def add_code(self, code: Code) -> None: ...
    async def code(self, digest: str) -> Code | None: ...
    async def take_code(self, digest: str, now: datetime) -> bool:
        """Use a code up; False when somebody did before."""
        ...

    async def add_refresh(self, digest: str, grant_id: UUID, now: datetime) -> None: ...
    async def grant_of_refresh(self, digest: str) -> UUID | None:
        """The grant that a refresh token came of, used up or not."""
        ...

    async def take_refresh(self, digest: str, now: datetime) -> bool:
        """Use a refresh token up; False when somebody did before."""
        ...

    async def take_try(
        self, key: str, most: int, window: timedelta, now: datetime
    ) -> datetime | None:
        """Count one try: None when it is among the first `most` of a window, else when the
        window ends. Of tries at the same time no more than that many pass.
        """
        ...

    async def forget_tries(self, key: str) -> None: ...
    async def forget_ended(self, before: datetime) -> int:
        """Delete grants, codes and tries that ended before; gives how many."""
        ...
