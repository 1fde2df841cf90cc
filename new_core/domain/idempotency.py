"""What names a request that may come twice, and what it asked for."""

from __future__ import annotations

import hashlib
import json
import re

from new_core.domain.actor import Actor, ActorKind
from new_core.errors import BadRequest

_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:/=]+")
_LONGEST = 255
_LEAST_OF_GUESTS = 22
"""Characters of a random 128-bit number in base 64."""


def read_key(header: str | None) -> str:
    """The key that an `Idempotency-Key` header carries: a structured-field string (RFC 8941),
    or the same characters without quotes, as most clients send it.

    Raises:
        BadRequest: there is none, or it is not one.
    """
    if header is None or not header.strip():
        raise BadRequest(
            "idempotency_key_missing",
            "this request needs an Idempotency-Key: one new value, e.g. a UUID, per thing that "
            "the user wants, sent again with every retry of it",
        )
    text = header.strip()
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted.group(1)) if quoted else text
    if not (quoted or _BARE.fullmatch(text)) or not 1 <= len(key) <= _LONGEST:
        raise BadRequest(
            "idempotency_key_invalid",
            f'Idempotency-Key is text in quotes of 1 to {_LONGEST} characters, e.g. "8e03978e"',
        )
    return key


def principal_of(actor: Actor, guest: str, key: str) -> str:
    """Whose key it is.

    Args:
        actor: who asks.
        guest: of the anonymous something that only they know, e.g. their cart; may be empty.
        key: of a guest without such it must be one that nobody guesses, since the answer is
            given to whoever has it.

    Raises:
        BadRequest: it is not.
    """
    if actor.kind is not ActorKind.ANONYMOUS:
        return f"{actor.kind.value}:{actor.id}"[:_LONGEST]
    if not guest and len(key) < _LEAST_OF_GUESTS:
        raise BadRequest(
            "idempotency_key_invalid",
            f"without a token an Idempotency-Key has at least {_LEAST_OF_GUESTS} characters, "
            "e.g. a random UUID",
        )
    return f"guest:{guest}"[:_LONGEST]


def fingerprint(query: str, body: bytes) -> str:
    """Hex digest of what was asked: equal for JSON that differs in spaces and order of names."""
    try:
        canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        canonical = body
    return hashlib.sha256(query.encode() + b"\0" + canonical).hexdigest()
