"""TLS on both faces: contexts out of files, files that change, errors that say what to do."""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy.core.address import AddressError
from proxy.core.validity import not_after
from proxy.routing.model import StoreTls

log = logging.getLogger(__name__)

_ALPN = ["http/1.1"]
_PEM_BEGINS, _PEM_ENDS = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_EXPIRES_SOON_S = 14 * 86_400
# What a file looked like: path, and None when it is not there.
Stamp = tuple[tuple[str, tuple[int, int, int] | None], ...]
# Contents of certificate files by path, as they were when they were good.
Pems = Mapping[str, bytes]


class TlsFileError(AddressError):
    """A certificate or key cannot be used; the text names the setting, the file and why."""


def stamp_of(paths: Iterable[Path | None]) -> Stamp:
    """What tells a changed file from the one that was read."""
    return tuple((str(path), _looks(path)) for path in paths if path is not None)


def _looks(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - follows the links of mounted secrets, as Path does
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True, slots=True)
class StoreTlsFiles:
    """An https store's files, and the names they have in messages.

    Attributes:
        where: key in the routing file, such as "stores.core.tls".
        base: folder that relative paths start from.
    """

    tls: StoreTls
    where: str
    base: Path

    def stamp(self) -> Stamp:
        """Changes when a file does."""
        return stamp_of(self._paths)

    def read(self) -> dict[str, bytes]:
        """The files' contents by path.

        Raises:
            TlsFileError: a file cannot be read.
        """
        names = (f"{self.where}.{name}" for name in ("ca", "certificate", "key"))
        return _read(zip(self._paths, names, strict=True))

    def are_in(self, pems: Pems) -> bool:
        """Whether `pems` has all contents, and there are any."""
        paths = [str(path) for path in self._paths if path is not None]
        return bool(paths) and all(path in pems for path in paths)

    def context(self, pems: Pems | None = None) -> ssl.SSLContext:
        """Build the context: TLS 1.2 or newer, certificate and name always verified.

        Args:
            pems: contents of the files; None reads them.

        Raises:
            TlsFileError: a file cannot be used.
        """
        tls = self.tls
        if tls.key is not None and tls.certificate is None:
            raise TlsFileError(f"{self.where}.key: a key needs its certificate beside it")
        if pems is None:
            pems = self.read()
        ca, certificate, key = self._paths
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        if ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _trust(context, ca, f"{self.where}.ca", pems)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(_ALPN)
        if certificate is not None:
            where = (f"{self.where}.certificate", f"{self.where}.key")
            _show(context, (certificate, key), where, pems)
        return context

    @property
    def _paths(self) -> tuple[Path | None, Path | None, Path | None]:
        ca, certificate, key = (
            None if text is None else self.base / text
            for text in (self.tls.ca, self.tls.certificate, self.tls.key)
        )
        return ca, certificate, key


class ListenerTls:
    """The listener's certificate. New connections take `context` as it is then; those that
    are open keep theirs.

    Attributes:
        context: in force.
        pems: the contents it was made of, by path.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        client_ca: Path | None = None,
        *,
        count: Callable[[str], None] = lambda _result: None,
        wall_clock: Callable[[], float] = lambda: time.time_ns() / 1e9,
        kept: Pems | None = None,
    ) -> None:
        """Read the files.

        Args:
            certificate: PEM, the chain with the listener's own first.
            key: PEM; None when it is in `certificate`.
            client_ca: clients must show a certificate of one of these.
            count: told "loaded" or "failed" for each changed set of files.
            wall_clock: seconds since 1970, to tell what has expired.
            kept: contents that were good before, for files that cannot be used now.

        Raises:
            TlsFileError: a file cannot be used, and nothing was kept.
        """
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._count = count
        self._wall_clock = wall_clock
        self._stamp = self._look()
        self.pems: Pems = {}
        try:
            self.context = self._build(self._read())
        except TlsFileError as exc:
            if not kept or any(path not in kept for path, _ in self._stamp):
                raise
            self.context = self._build(kept)
            log.error("the listener begins with its last good certificate: %s", exc)  # noqa: TRY400 - a wrong file

    def reload(self) -> bool:
        """Take changed files into force. True when there is a new context; when the files
        cannot be used, the log says why and the old one stays.
        """
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.context = self._build(self._read())
        except TlsFileError as exc:
            log.error("the listener keeps its last good certificate: %s", exc)  # noqa: TRY400
            self._count("failed")
            return False
        log.warning("the listener has a new certificate from %s", self._certificate)
        self._count("loaded")
        return True

    def _look(self) -> Stamp:
        return stamp_of((self._certificate, self._key, self._client_ca))

    def _read(self) -> dict[str, bytes]:
        prefix = "BANYAN_PROXY_TLS_"
        return _read(
            (
                (self._certificate, f"{prefix}CERTIFICATE"),
                (self._key, f"{prefix}KEY"),
                (self._client_ca, f"{prefix}CLIENT_CA"),
            )
        )

    def _build(self, pems: Pems) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(_ALPN)
        where = ("BANYAN_PROXY_TLS_CERTIFICATE", "BANYAN_PROXY_TLS_KEY")
        _show(context, (self._certificate, self._key), where, pems)
        if self._client_ca is not None:
            _trust(context, self._client_ca, "BANYAN_PROXY_TLS_CLIENT_CA", pems)
            context.verify_mode = ssl.CERT_REQUIRED
        self._warn_of_expiry(_text(self._certificate, pems))
        self.pems = pems
        return context

    def _warn_of_expiry(self, pem: str) -> None:
        ends = not_after(ssl.PEM_cert_to_DER_cert(_first(pem)))
        if ends is None:
            return
        left_s = ends.timestamp() - self._wall_clock()
        if left_s < 0:
            log.warning("the certificate in %s has expired", self._certificate)
        elif left_s < _EXPIRES_SOON_S:
            days = int(left_s // 86_400)
            log.warning("the certificate in %s expires in %d days", self._certificate, days)


def _first(pem: str) -> str:
    """The first certificate of a chain: the listener's own."""
    return pem[pem.index(_PEM_BEGINS) : pem.index(_PEM_ENDS)] + _PEM_ENDS


def _trust(context: ssl.SSLContext, path: Path, where: str, pems: Pems) -> None:
    """Load certificates that are trusted."""
    text = _text(path, pems)
    if _PEM_BEGINS not in text:
        raise TlsFileError(f"{where}: {path} holds no PEM certificate")
    try:
        context.load_verify_locations(cadata=text)
    except ssl.SSLError as exc:
        raise TlsFileError(f"{where}: {path} cannot be read: {_said(exc)}") from exc


def _show(
    context: ssl.SSLContext, files: tuple[Path, Path | None], where: tuple[str, str], pems: Pems
) -> None:
    """Load a certificate with its key, to show it to the other end."""
    certificate, key = files
    if _PEM_BEGINS not in _text(certificate, pems):
        raise TlsFileError(f"{where[0]}: {certificate} holds no PEM certificate")
    in_file = (where[0], certificate) if key is None else (where[1], key)
    if "PRIVATE KEY-----" not in _text(in_file[1], pems):
        raise TlsFileError(f"{in_file[0]}: {in_file[1]} holds no PEM private key")
    try:
        with _paper(certificate, pems) as chain, _paper(in_file[1], pems) as private:
            context.load_cert_chain(chain, private, password=_no_password)
    except _EncryptedError as exc:
        raise TlsFileError(
            f"{in_file[0]}: the key in {in_file[1]} is encrypted; give one without a passphrase"
        ) from exc
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(
                f"{in_file[0]}: the key in {in_file[1]} does not belong to the certificate"
                f" in {certificate}"
            ) from exc
        files_named = str(certificate) if key is None else f"{certificate} and {key}"
        raise TlsFileError(f"{where[0]}: {files_named} cannot be used: {_said(exc)}") from exc


@contextmanager
def _paper(path: Path, pems: Pems) -> Iterator[str]:
    """A file's content under a name of this process alone: OpenSSL loads a key by a name,
    and what is loaded has to be what was looked at, whatever is on disk by then.
    """
    paper = os.memfd_create("pem")
    try:
        with open(paper, "wb", closefd=False) as file:
            file.write(pems[str(path)])
        yield f"/proc/self/fd/{paper}"
    finally:
        os.close(paper)


class _EncryptedError(Exception):
    """OpenSSL asks for a passphrase; without an answer it would ask the terminal."""


def _no_password() -> str:
    raise _EncryptedError


def _read(files: Iterable[tuple[Path | None, str]]) -> dict[str, bytes]:
    found = {}
    for path, where in files:
        if path is None:
            continue
        try:
            found[str(path)] = path.read_bytes()
        except OSError as exc:
            raise TlsFileError(f"{where}: {path}: {exc.strerror or exc}") from exc
    return found


def _text(path: Path, pems: Pems) -> str:
    return pems[str(path)].decode("ascii", "replace")


def _said(exc: ssl.SSLError) -> str:
    return (exc.reason or str(exc)).replace("_", " ").lower()
