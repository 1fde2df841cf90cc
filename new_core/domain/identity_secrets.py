"""Secrets that open something: only their digests are kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def digest_of(secret: str) -> str:
    """What is kept of a secret: SHA-256, 64 hex digits.

    For secrets that nobody can guess, 32 random bytes and more; passwords take a Hasher.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def opens(secret: str, digests: Iterable[str]) -> bool:
    """Whether a secret is one of those kept; takes as long for a near miss as for a far one.
    The empty secret opens nothing, nor does any secret where the digest is empty.
    """
    mine = digest_of(secret)
    found = False
    for one in digests:
        found |= hmac.compare_digest(mine, one)
    return found and secret != ""


def challenge_of(verifier: str) -> str:
    """What a client shows of its verifier at first (RFC 7636, S256)."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def proves(verifier: str, challenge: str) -> bool:
    """Whether a verifier is well formed and the one whose challenge was shown."""
    return _VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(
        challenge_of(verifier), challenge
    )
