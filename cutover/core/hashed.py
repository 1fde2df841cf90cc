"""JSON documents that carry a hash of themselves, so that nobody changes one unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


class Altered(ValueError):
    """A document is not of its kind, not as it was written, or of a newer Banyan."""


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of a document's members but for its own hash, hexadecimal."""
    rest = {name: value for name, value in body.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sealed(kind: str, version: int, members: Mapping[str, Any]) -> bytes:
    """A document with its hash, readable by people."""
    body = {"kind": kind, "version": version, **members}
    body["sha256"] = digest(body)
    return json.dumps(body, indent=1, ensure_ascii=True).encode() + b"\n"


def opened(kind: str, version: int, content: bytes) -> dict[str, Any]:
    """The members of a document. Raises Altered."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise Altered(f"it is no {kind}") from exc
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise Altered(f"it is no {kind}")
    if body.get("version") != version:
        raise Altered(f"its version is {body.get('version')}, and this Banyan reads {version}")
    if body.get("sha256") != digest(body):
        raise Altered("it was altered since it was written")
    return body
