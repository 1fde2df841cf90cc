"""Django's session data: JSON, packed, dated and signed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_SALT = "django.contrib.sessions.SessionStore"
_MOST_BYTES = 4 * 1024 * 1024
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HASH_SALT = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

Data = Mapping[str, Any]


def read_data(text: str) -> Data:
    """What a session says; nothing for one that cannot be read, as Django takes it.

    The signature is not looked at: the row stands in the shop's own database.
    """
    packed, _, _ = text.rpartition(":")
    packed, _, _ = packed.rpartition(":")
    try:
        raw = _unbase64(packed.removeprefix("."))
        if packed.startswith("."):
            # No session is larger; one that says it is was made to fill the memory.
            raw = zlib.decompressobj().decompress(raw, _MOST_BYTES)
        found = json.loads(raw.decode("latin-1"))
    except (ValueError, zlib.error, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_data(data: Data, secret_key: str, at: datetime) -> str:
    """The same as Django would write it at a moment."""
    raw = json.dumps(data, separators=(",", ":")).encode("latin-1")
    small = zlib.compress(raw)
    is_packed = len(small) < len(raw) - 1
    packed = "." * is_packed + _base64(small if is_packed else raw)
    dated = f"{packed}:{_base62(int(at.timestamp()))}"
    return f"{dated}:{_base64(_salted(f'{_SALT}signer', dated, secret_key))}"


def is_signed_with(text: str, secret_key: str) -> bool:
    """Whether a shop with this key takes the data as its own."""
    dated, _, signature = text.rpartition(":")
    wanted = _base64(_salted(f"{_SALT}signer", dated, secret_key))
    return hmac.compare_digest(signature.encode("utf-8", "replace"), wanted.encode())


def auth_hash(password: str, secret_key: str) -> str:
    """What a session says of its owner's password: when it changes, the session ends.

    Args:
        password: as it is kept, i.e. hashed.
        secret_key: the shop's.
    """
    return _salted(_HASH_SALT, password, secret_key).hex()


def _salted(salt: str, value: str, secret_key: str) -> bytes:
    key = hashlib.sha256(salt.encode() + secret_key.encode()).digest()
    return hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).digest()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).strip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base62(number: int) -> str:
    digits = ""
    while number > 0:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits or "0"
