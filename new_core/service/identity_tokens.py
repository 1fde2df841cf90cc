"""Use cases of tokens: who gets which, for what, and how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from new_core.domain.actor import ActorKind
from new_core.domain.customer import CustomerStatus
from new_core.domain.events import AuditEntry
from new_core.domain.identity_roles import BUILT_IN, Role, allowed
from new_core.domain.identity_secrets import digest_of, opens, proves
from new_core.domain.identity_tokens import (
    ACCESS_LIVES,
    ADMIN_CLIENT,
    CODE_LIVES,
    CUSTOMER_GRANT_LIVES,
    SHOP_CLIENT,
    STAFF_GRANT_LIVES,
    Claims,
    Client,
    ClientKind,
    Grant,
    SubjectKind,
)
from new_core.errors import GrantRefused
from new_core.ports import Database, UnitOfWork
from new_core.ports.identity import Code, NewSecret, Signer
from new_core.service.doing import Doing
from new_core.service.identity_keys import Keyring


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens, as they are handed out once.

    Attributes:
        refresh_token: empty where the client asks for itself, and just asks again.
    """

    access_token: str
    expires_in_s: int
    scopes: frozenset[str]
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class CodeAsked:
    """What a client wants a person to allow it."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Hands out tokens; one per process.

    Attributes:
        admin_secret_sha256: of the client "admin", which is there while the setting is;
            empty for none.
    """

    database: Database
    keyring: Keyring
    signer: Signer
    new_secret: NewSecret
    admin_secret_sha256: str = ""

    async def for_client(
        self, client_id: str, secret: str, wanted: frozenset[str], doing: Doing
    ) -> Issued:
        """A token of a client for itself.

        Raises:
            GrantRefused: no such client, another secret, or it may not have the scopes.
        """
        async with self.database.reading() as uow:
            client = await self.known_client(uow, client_id, secret)
            if client.for_people or not client.secrets:
                raise GrantRefused("unauthorized_client", "people log in through this client")
            may = await _allowed(uow, client.roles)
        if not wanted <= may:
            raise GrantRefused("invalid_scope", "the client's roles do not allow all of that")
        partner = client.kind is ClientKind.PARTNER
        claims = Claims(
            client.client_id,
            client.client_id,
            ActorKind.PARTNER if partner else ActorKind.SERVICE,
            wanted or may,
            (client.account_id,) if partner and client.account_id else (),
        )
        return await self._signed(claims, doing)

    async def open_grant(
        self,
        uow: UnitOfWork,
        client_id: str,
        whose: tuple[SubjectKind, UUID],
        scopes: frozenset[str],
        doing: Doing,
    ) -> Grant:
        """Begin what a login allows; the caller commits."""
        kind, subject_id = whose
        lives = STAFF_GRANT_LIVES if kind is SubjectKind.STAFF else CUSTOMER_GRANT_LIVES
        grant = Grant(
            doing.new_id(), client_id, kind, subject_id, scopes, doing.at, doing.at + lives
        )
        await uow.identity.open_grant(grant)
        return grant

    async def begin(self, uow: UnitOfWork, grant: Grant, doing: Doing) -> str:
        """The first refresh token of a grant; the caller commits."""
        refresh = self.new_secret()
        await uow.identity.add_refresh(digest_of(refresh), grant.id, doing.at)
        return refresh

    async def hand_out(self, grant: Grant, refresh: str, doing: Doing) -> Issued:
        """Tokens of a grant that was committed.

        Raises:
            GrantRefused: whom it speaks for is gone meanwhile.
        """
        async with self.database.reading() as uow:
            claims = await _claims(uow, grant)
        return replace(await self._signed(claims, doing), refresh_token=refresh)

    async def code(
        self, uow: UnitOfWork, asked: CodeAsked, whose: tuple[SubjectKind, UUID], doing: Doing
    ) -> str:
        """A code for a person who has logged in; the caller commits."""
        grant = await self.open_grant(uow, asked.client_id, whose, asked.scopes, doing)
        secret = self.new_secret()
        code = Code(
            digest_of(secret), grant.id, asked.redirect_uri, asked.challenge, doing.at + CODE_LIVES
        )
        await uow.identity.add_code(code)
        return secret

    async def for_code(
        self, client: Client, code: str, verifier: str, redirect_uri: str, doing: Doing
    ) -> Issued:
        """Tokens for a code.

        Raises:
            GrantRefused: it is not one of this client's that holds. When it was used before,
                all that came of it ends: one of the two was a thief.
        """
        async with self.database.writing() as uow:
            kept = await uow.identity.code(digest_of(code))
            grant = None if kept is None else await uow.identity.grant(kept.grant_id)
            if kept is None or grant is None or grant.client_id != client.client_id:
                raise GrantRefused("invalid_grant", "there is no such code")
            if kept.redirect_uri != redirect_uri or not proves(verifier, kept.challenge):
                raise GrantRefused("invalid_grant", "the code was asked for otherwise")
            if not await uow.identity.take_code(kept.digest, doing.at):
                await _end_stolen(uow, grant, "code_reused", doing)
                await uow.commit()
                raise GrantRefused("invalid_grant", "the code was used before")
            if doing.at >= kept.expires_at or not grant.holds(doing.at):
                raise GrantRefused("invalid_grant", "the code has expired")
            refresh = await self.begin(uow, grant, doing)
            await uow.commit()
        return await self.hand_out(grant, refresh, doing)

    async def for_refresh(
        self, client: Client, token: str, wanted: frozenset[str], doing: Doing
    ) -> Issued:
        """New tokens for a refresh token, which is used up.

        Raises:
            GrantRefused: it is not one of this client's that holds. When it was used before,
                its grant ends: one of the two who had it was a thief.
        """
        digest = digest_of(token)
        async with self.database.writing() as uow:
            grant_id = await uow.identity.grant_of_refresh(digest)
            grant = None if grant_id is None else await uow.identity.grant(grant_id)
            if grant is None or grant.client_id != client.client_id:
                raise GrantRefused("invalid_grant", "there is no such refresh token")
            if not await uow.identity.take_refresh(digest, doing.at):
                await _end_stolen(uow, grant, "refresh_reused", doing)
                await uow.commit()
                raise GrantRefused("invalid_grant", "the refresh token was used before")
            if not grant.holds(doing.at):
                raise GrantRefused("invalid_grant", "the login has ended")
            if not wanted <= grant.scopes:
                raise GrantRefused("invalid_scope", "the login did not allow that")
            refresh = await self.begin(uow, grant, doing)
            await uow.commit()
        narrowed = replace(grant, scopes=wanted or grant.scopes)
        return await self.hand_out(narrowed, refresh, doing)

    async def revoke(self, client: Client, token: str, doing: Doing) -> None:
        """End the login that a refresh token of this client came of; unknown ones are ended
        already. Access tokens of that login still hold for the minutes that they have left.
        """
        async with self.database.writing() as uow:
            grant_id = await uow.identity.grant_of_refresh(digest_of(token))
            grant = None if grant_id is None else await uow.identity.grant(grant_id)
            if grant is not None and grant.client_id == client.client_id:
                await uow.identity.revoke([grant.id], "revoked", doing.at)
                await uow.commit()

    async def known_client(self, uow: UnitOfWork, client_id: str, secret: str) -> Client:
        """The client that asks, which has shown its secret where it has one.

        Raises:
            GrantRefused: nobody of that name, inactive, or another secret.
        """
        client = self._built_in(client_id)
        if client is None:
            stored = await uow.identity.client(client_id)
            client = None if stored is None else stored.value
        known = () if client is None else client.secrets
        right = opens(secret, known or ("",)) if known or client is None else secret == ""
        if client is None or not client.active or not right:
            raise GrantRefused("invalid_client", "no such client, or not its secret")
        return client

    async def client_of_page(self, uow: UnitOfWork, client_id: str) -> Client | None:
        """The client through which people log in, which shows its secret later."""
        stored = await uow.identity.client(client_id)
        found = None if stored is None else stored.value
        return found if found is not None and found.active and found.for_people else None

    def _built_in(self, client_id: str) -> Client | None:
        made = datetime(2026, 1, 1, tzinfo=UTC)
        if client_id == SHOP_CLIENT:
            return Client(UUID(int=0), SHOP_CLIENT, "This shop", ClientKind.SHOP_APP, made)
        if client_id == ADMIN_CLIENT and self.admin_secret_sha256:
            return Client(
                UUID(int=0), ADMIN_CLIENT, "Admin", ClientKind.SERVICE, made,
                secrets=(self.admin_secret_sha256,), roles=("admin",),
            )  # fmt: skip
        return None

    async def _signed(self, claims: Claims, doing: Doing) -> Issued:
        key = await self.keyring.signing(doing.at)
        made = int(doing.at.timestamp())
        lives_s = int(ACCESS_LIVES.total_seconds())
        times = {"iat": made, "exp": made + lives_s, "jti": str(doing.new_id())}
        token = self.signer.sign({**claims.as_json(), **times}, key)
        return Issued(token, lives_s, claims.scopes)


async def known_roles(uow: UnitOfWork) -> dict[str, Role]:
    """All roles by code, built in or not."""
    own = {code: stored.value for code, stored in (await uow.identity.roles()).items()}
    return {**own, **BUILT_IN}


async def _allowed(uow: UnitOfWork, codes: tuple[str, ...]) -> frozenset[str]:
    """What roles allow; one that was deleted allows nothing."""
    known = BUILT_IN if set(codes) <= BUILT_IN.keys() else await known_roles(uow)
    return allowed([known[code] for code in codes if code in known])


async def _claims(uow: UnitOfWork, grant: Grant) -> Claims:
    """What a token of a grant says now: roles may have changed since the login."""
    if grant.subject_kind is SubjectKind.STAFF:
        found = await uow.identity.staff(grant.subject_id)
        if found is None or not found.value.active:
            raise GrantRefused("invalid_grant", "the login has ended")
        scopes = grant.scopes & await _allowed(uow, found.value.roles)
        return Claims(
            str(grant.subject_id), grant.client_id, ActorKind.STAFF, scopes, (), grant.id
        )  # fmt: skip
    customer = await uow.customers.get(grant.subject_id)
    if customer is None or customer.value.status is not CustomerStatus.ACTIVE:
        raise GrantRefused("invalid_grant", "the login has ended")
    accounts = await uow.customers.accounts_of(grant.subject_id)
    return Claims(
        str(grant.subject_id), grant.client_id, ActorKind.CUSTOMER, frozenset(), accounts, grant.id
    )


async def _end_stolen(uow: UnitOfWork, grant: Grant, why: str, doing: Doing) -> None:
    await uow.identity.revoke([grant.id], why, doing.at)
    entry = AuditEntry("grant.revoked", "grant", str(grant.id), after={"reason": why})
    await uow.audit.add([entry], doing.actor, doing.at)
