"""Credentials on their way to a comparer: encrypted, and bound to their exchange.

A frame is redacted before it leaves the proxy, so a session in it is a hash. What a domain
lets through to the other side travels beside, under a key that only the proxy and its
comparers have. AES-256-GCM; a fresh key for each worker life, so that a counter may be the
nonce and never comes twice.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from proxy.core.fields import split_lines
from proxy.core.frame import Headers
from proxy.errors import ProxyError
from proxy.routing.model import KeyKind, ShopperKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SALT_BYTES = 16
_COUNT_BYTES = 8
_NONCE_PAD = b"\0\0\0\0"


class SealError(ProxyError):
    """What was sealed cannot be opened: another key, another exchange, or damage."""


class Sealer:
    """Seals what domains let through. One per table in force; belongs to one process."""

    def __init__(self, key: bytes, forwards: Mapping[str, tuple[ShopperKey, ...]]) -> None:
        """Args: key: secret, 16 bytes or more. forwards: headers and cookies by domain."""
        self._forwards = {domain: keys for domain, keys in forwards.items() if keys}
        self._salt = os.urandom(_SALT_BYTES)
        self._cipher = _cipher(key, self._salt)
        self._count = count(1)

    def seal(self, domain: str | None, lines: bytes, request_id: str) -> bytes:
        """Seal what these header lines (each with its CRLF) hold of it; b"" for nothing."""
        keys = self._forwards.get(domain) if domain is not None else None
        if not keys:
            return b""
        found = _found(keys, tuple(split_lines(lines)))
        if not found:
            return b""
        number = next(self._count).to_bytes(_COUNT_BYTES, "big")
        plain = msgspec.json.encode(found)
        bound = _bound_to(domain, request_id)
        return self._salt + number + self._cipher.encrypt(_NONCE_PAD + number, plain, bound)


def opened(key: bytes, sealed: bytes, domain: str, request_id: str) -> Headers:
    """What a sealer put in: headers ready to be sent.

    Raises:
        SealError: it was sealed under another key, or for another exchange.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - few need it

    salt, number = sealed[:_SALT_BYTES], sealed[_SALT_BYTES : _SALT_BYTES + _COUNT_BYTES]
    rest = sealed[_SALT_BYTES + _COUNT_BYTES :]
    try:
        cipher = _cipher(key, salt)
        plain = cipher.decrypt(_NONCE_PAD + number, rest, _bound_to(domain, request_id))
        return msgspec.json.decode(plain, type=Headers)
    except (InvalidTag, ValueError, msgspec.MsgspecError) as exc:
        raise SealError("sealed credentials cannot be opened with this key") from exc


def _found(keys: tuple[ShopperKey, ...], headers: Headers) -> Headers:
    sent = []
    cookies = "; ".join(value for name, value in headers if name.lower() == "cookie")
    kept = [
        found[0].strip("; \t")
        for key in keys
        if key.kind is KeyKind.COOKIE and (found := _cookie(key.name).search(cookies))
    ]
    if kept:
        sent.append(("Cookie", "; ".join(kept)))
    wanted = {key.name for key in keys if key.kind is KeyKind.HEADER}
    sent += [(name, value) for name, value in headers if name.lower() in wanted]
    return tuple(sent)


@lru_cache(maxsize=256)
def _cookie(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=[^;]*")


def _bound_to(domain: str | None, request_id: str) -> bytes:
    return f"{domain}\0{request_id}".encode()


@lru_cache(maxsize=64)
def _cipher(key: bytes, salt: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - few need it

    return AESGCM(hmac.digest(key, b"banyan sealing\0" + salt, "sha256"))
