"""What hands out tokens and lets people in, built from the house."""

from __future__ import annotations

from fastapi import Request

from new_core.api.house import House
from new_core.domain.actor import Actor
from new_core.domain.identity_secrets import digest_of
from new_core.service.doing import Doing
from new_core.service.identity_keys import Keyring
from new_core.service.identity_logins import Logins
from new_core.service.identity_tokens import Tokens
from new_core.storage.identity_jwt import JwtSigner
from new_core.storage.identity_passwords import Argon2Hasher
from new_core.storage.identity_secrets import new_secret


def make_tokens(house: House) -> Tokens:
    """Hands out tokens, by the settings."""
    signer = _signer(house)
    secret = house.settings.core_admin_secret
    return Tokens(
        house.database,
        Keyring(house.database, signer),
        signer,
        new_secret,
        digest_of(secret.get_secret_value()) if secret is not None else "",
    )


def make_keyring(house: House) -> Keyring:
    """Reads tokens, by the settings."""
    return Keyring(house.database, _signer(house))


def make_logins(house: House) -> Logins:
    """Lets people in by their passwords."""
    return Logins(house.database, Argon2Hasher())


def doing(house: House, actor: Actor) -> Doing:
    """An act that begins now."""
    return Doing(actor, house.now(), house.new_id)


def address_of(request: Request) -> str:
    """From where a request comes; of one that nobody knows, the same for all."""
    return request.client.host if request.client is not None else ""


def _signer(house: House) -> JwtSigner:
    settings = house.settings
    passphrase = settings.core_key_passphrase.get_secret_value()
    return JwtSigner(settings.core_issuer, settings.core_audience, passphrase)
