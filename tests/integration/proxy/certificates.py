"""A certificate authority of our own, and stores that speak TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme
from typing_extensions import override

from tests.integration.proxy.harness import Connection, Origin

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Files:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    def server(self, client_ca: Path | None = None) -> ssl.SSLContext:
        """A server's context; with `client_ca` it demands a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.certificate)

    def issue(
        self,
        name: str,
        identity: str = "127.0.0.1",
        *,
        ends: datetime | None = None,
    ) -> Files:
        """Write NAME.pem and NAME.key; what stood there before is replaced."""
        begins = LONG_AGO if ends is not None else None
        leaf = self._ca.issue_cert(identity, common_name=name, not_before=begins, not_after=ends)
        files = Files(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        files.certificate.write_bytes(chain)
        leaf.private_key_pem.write_to_path(files.key)
        return files

    def client(self, files: Files | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        context.set_alpn_protocols(["http/1.1"])
        if files is not None:
            context.load_cert_chain(files.certificate, files.key)
        return context


class TlsOrigin(Origin):
    """A store behind TLS. Handshakes that fail are remembered."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.failed_handshakes = 0
        self.alpn: list[str | None] = []
        self._wrapping = threading.Lock()
        super().__init__()

    @property
    @override
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @override
    def _serve(self, sock: socket.socket) -> None:
        try:
            # The wrapped one takes a copy, so that the harness can still end the original.
            wrapped = self.context.wrap_socket(sock.dup(), server_side=True)
        except OSError:
            self.failed_handshakes += 1
            sock.close()
            self.ended.set()
            return
        with sock, wrapped:
            self.alpn.append(wrapped.selected_alpn_protocol())
            try:
                self.script(Connection(wrapped))
            except OSError:
                pass
            finally:
                self.ended.set()


@contextlib.contextmanager
def tls_origin(context: ssl.SSLContext) -> Iterator[TlsOrigin]:
    server = TlsOrigin(context)
    try:
        yield server
    finally:
        server.close()
