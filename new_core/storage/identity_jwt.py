"""Tokens as JWTs signed with ES256 (RFC 9068), by PyJWT."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from new_core.domain.identity_keys import KeyTerm, SigningKey
from new_core.errors import InvalidValue, Unauthenticated

ALGORITHM = "ES256"
TYPE = "at+jwt"
_LEEWAY_S = 5
_NEEDED = ["exp", "iat", "iss", "aud", "sub", "jti"]


class JwtSigner:
    """Makes and reads tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, passphrase: str = "") -> None:
        """Begin without keys.

        Args:
            issuer: URL of who makes the tokens.
            audience: who they are for.
            passphrase: encrypts private keys at rest; empty leaves them readable.
        """
        self._issuer = issuer
        self._audience = audience
        self._passphrase = passphrase.encode() or None
        self._read: dict[tuple[str, str], Any] = {}

    def make_key(self, term: KeyTerm) -> SigningKey:
        """A new key on P-256."""
        private = ec.generate_private_key(ec.SECP256R1())
        public = private.public_key()
        der = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        cipher: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if self._passphrase is not None:
            cipher = serialization.BestAvailableEncryption(self._passphrase)
        pem = serialization.Encoding.PEM
        return SigningKey(
            term,
            digest.finalize().hex()[:32],
            private.private_bytes(pem, serialization.PrivateFormat.PKCS8, cipher).decode(),
            public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
        )

    def sign(self, said: Mapping[str, object], key: SigningKey) -> str:
        """A token; `said` holds its times, and we say who made it and whom it is for."""
        ours = {"iss": self._issuer, "aud": self._audience}
        headers = {"kid": key.kid, "typ": TYPE}
        return jwt.encode({**said, **ours}, self._private(key), ALGORITHM, headers=headers)

    def kid_of(self, token: str) -> str:
        """The key that a token claims."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return ""
        kid = header.get("kid", "")
        return kid if isinstance(kid, str) and header.get("typ") == TYPE else ""

    def read(self, token: str, key: SigningKey, now: datetime) -> Mapping[str, object]:
        """What a token says, when it is ours and holds now."""
        options: Any = {"require": _NEEDED, "verify_exp": False, "verify_iat": False}
        try:
            said: dict[str, Any] = jwt.decode(
                token,
                self._public(key),
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options=options | {"verify_nbf": False},
            )
        except jwt.PyJWTError as exc:
            raise Unauthenticated("the token does not hold") from exc
        at = now.timestamp()
        made, ends = said["iat"], said["exp"]
        if not (isinstance(made, int) and isinstance(ends, int)):
            raise Unauthenticated("the token does not hold")
        if at >= ends:
            raise Unauthenticated("the token has expired")
        if made > at + _LEEWAY_S:
            raise Unauthenticated("the token is of a time to come")
        return said

    def public(self, key: SigningKey) -> Mapping[str, object]:
        """The public half as a JWK."""
        found: dict[str, object] = json.loads(ECAlgorithm.to_jwk(self._public(key)))
        return {**found, "kid": key.kid, "use": "sig", "alg": ALGORITHM}

    def _private(self, key: SigningKey) -> Any:
        if ("private", key.kid) not in self._read:
            try:
                read = serialization.load_pem_private_key(
                    key.private_pem.encode(), self._passphrase
                )
            except (TypeError, ValueError) as exc:
                raise InvalidValue(
                    "BANYAN_CORE_KEY_PASSPHRASE", "does not open the key that signs tokens"
                ) from exc
            self._read["private", key.kid] = read
        return self._read["private", key.kid]

    def _public(self, key: SigningKey) -> Any:
        if ("public", key.kid) not in self._read:
            read = serialization.load_pem_public_key(key.public_pem.encode())
            self._read["public", key.kid] = read
        return self._read["public", key.kid]
