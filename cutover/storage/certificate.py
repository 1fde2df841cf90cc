"""A retirement's folder: rows of the legacy's tables, and a signed certificate of all of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cutover.errors import CannotRead, CannotWrite

CERTIFICATE, SIGNATURE = "certificate.json", "certificate.sig"


@dataclass(frozen=True, slots=True)
class Archived:
    """One file of the archive.

    Attributes:
        sha256: of the file as it lies there, compressed.
    """

    name: str
    rows: int
    sha256: str


async def archive(folder: Path, name: str, lines: AsyncIterator[bytes]) -> Archived:
    """Write lines into a compressed file, which must not be there yet.

    Raises:
        CannotWrite: it is there, or the folder takes no file.
    """
    rows = 0
    path = folder / f"{name}.jsonl.gz"
    try:
        with path.open("xb") as raw:
            # Without a time of its own the same rows make the same file.
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                async for line in lines:
                    packed.write(line)
                    rows += 1
            raw.flush()
            os.fsync(raw.fileno())
    except OSError as exc:
        raise CannotWrite(f"{path}: {exc.strerror or exc}") from exc
    return Archived(path.name, rows, digest(path))


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in a file that only its owner may read; made when there is none.

    Raises:
        CannotRead: it is no such key, or others may read it.
        CannotWrite: it cannot be made there.
    """
    if not path.exists():
        _make_key(path)
    try:
        if path.stat().st_mode & 0o077:
            raise CannotRead(f"{path}: others may read this key; chmod 600 it")
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as exc:
        raise CannotRead(f"{path} is no Ed25519 key: {exc}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotRead(f"{path} is no Ed25519 key")
    return key


def _make_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
    except OSError as exc:
        raise CannotWrite(f"{path}: {exc.strerror or exc}") from exc


def public_hex(key: Ed25519PrivateKey) -> str:
    """Its public half, which certificates are verified by."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def certify(
    folder: Path, key: Ed25519PrivateKey, facts: Mapping[str, Any], files: list[Archived]
) -> str:
    """Write the certificate and its signature. Returns the certificate's digest.

    Raises:
        CannotWrite: the folder takes no file.
    """
    listed = [asdict(file) for file in files]
    whole = {"format": "banyan retirement 1", **facts, "files": listed, "key": public_hex(key)}
    body = json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=True).encode() + b"\n"
    try:
        (folder / CERTIFICATE).write_bytes(body)
        (folder / SIGNATURE).write_text(key.sign(body).hex() + "\n", encoding="ascii")
    except OSError as exc:
        raise CannotWrite(f"{folder}: {exc.strerror or exc}") from exc
    return hashlib.sha256(body).hexdigest()


def verify(folder: Path, key: str = "") -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The certificate, and what is wrong with the folder, a sentence each.

    Args:
        folder: of the retirement.
        key: the public key that must have signed; "" for the one that the certificate names,
            which anybody could have made.

    Raises:
        CannotRead: there is no certificate in it, or it cannot be read as one.
    """
    try:
        body = (folder / CERTIFICATE).read_bytes()
        signature = (folder / SIGNATURE).read_text(encoding="ascii").strip()
        told: Mapping[str, Any] = json.loads(body)
        files = [(str(one["name"]), int(one["rows"]), str(one["sha256"])) for one in told["files"]]
        named = str(told["key"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise CannotRead(f"{folder} holds no readable certificate: {exc}") from exc
    problems = []
    if key and key.lower() != named.lower():
        problems.append(f"it was signed by {named}, not by {key}")
    if not _is_signed(named, signature, body):
        problems.append(f"the signature is not of this {CERTIFICATE}")
    for name, rows, sha256 in files:
        problems += _wrong_with(folder, name, rows, sha256)
    known = {CERTIFICATE, SIGNATURE, *(name for name, _, _ in files)}
    strange = sorted(path.name for path in folder.iterdir() if path.name not in known)
    problems += [f"{name} is not in the certificate" for name in strange]
    return told, tuple(problems)


def _is_signed(key: str, signature: str, body: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(signature), body
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _wrong_with(folder: Path, name: str, rows: int, sha256: str) -> list[str]:
    if Path(name).name != name:
        return [f"{name} lies outside of the folder"]
    path = folder / name
    try:
        if digest(path) != sha256:
            return [f"{name} was changed"]
        with gzip.open(path, "rb") as file:
            found = sum(1 for _ in file)
    except (OSError, EOFError) as exc:
        return [f"{name} cannot be read: {exc}"]
    return [] if found == rows else [f"{name} has {found} rows, not {rows}"]
