"""TLS and the PROXY protocol on a whole proxy: a client's bytes in, a store's view out."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path

import pytest

from tests.integration.proxy.certificates import Authority, Files, tls_origin
from tests.integration.proxy.harness import (
    Connection,
    Origin,
    Proxy,
    Seen,
    eventually,
    get,
    origin,
    proxy,
    routing,
)
from tests.support.processes import spawn_process

# Waits for the worker to open its entry hall, and for the table's `tls` keys.
pytestmark = [
    pytest.mark.integration,
]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def env(files: Files, **more: str) -> dict[str, str]:
    return {
        "BANYAN_PROXY_TLS_CERTIFICATE": str(files.certificate),
        "BANYAN_PROXY_TLS_KEY": str(files.key),
        **more,
    }


def tls(shop: Proxy, context: ssl.SSLContext, before: bytes = b"") -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", shop.port), timeout=10)
    raw.sendall(before)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def ask(sock: ssl.SSLSocket, request: bytes = get()) -> bytes:
    sock.sendall(request)
    return Connection(sock).read_until(b"ok")


def only(store: Origin) -> Seen:
    assert len(store.seen) == 1
    return store.seen[0]


def test_a_shopper_comes_over_tls_and_the_store_knows(tmp_path: Path, authority: Authority) -> None:
    with origin() as store:
        text = routing(store.url, store.url)
        with (
            proxy(tmp_path / "p", text, env=env(authority.issue("shop"))) as shop,
            tls(shop, authority.client()) as sock,
        ):
            first, second = ask(sock), ask(sock)

        assert first.startswith(b"HTTP/1.1 200")
        assert second.startswith(b"HTTP/1.1 200")
        assert [seen.values("x-forwarded-proto") for seen in store.seen] == [["https"]] * 2
        assert store.connections == 1


def test_refusals_are_read_over_tls_too(tmp_path: Path, authority: Authority) -> None:
    with origin() as store:
        text = routing(store.url, store.url)
        with (
            proxy(tmp_path / "p", text, env=env(authority.issue("shop"))) as shop,
            tls(shop, authority.client()) as sock,
        ):
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answer = b""
            while part := sock.recv(65_536):
                answer += part

    assert answer.startswith(b"HTTP/1.1 400")


def test_the_client_of_a_load_balancer_is_the_client(tmp_path: Path, authority: Authority) -> None:
    more = {
        "BANYAN_PROXY_PROXY_PROTOCOL": "require",
        "BANYAN_PROXY_TRUSTED_PEERS": "127.0.0.1",
    }
    with origin() as store:
        text = routing(store.url, store.url)
        with (
            proxy(tmp_path / "p", text, env=env(authority.issue("shop"), **more)) as shop,
            tls(shop, authority.client(), b"PROXY TCP4 192.0.2.7 10.0.0.1 1 443\r\n") as sock,
        ):
            ask(sock, get("/", "X-Forwarded-For: 1.2.3.4"))

        # The load balancer is trusted with the header, the client not with the field.
        assert only(store).values("x-forwarded-for") == ["192.0.2.7"]


def test_a_certificate_is_renewed_while_shoppers_stay(tmp_path: Path, authority: Authority) -> None:
    files = authority.issue("shop")
    with origin() as store:
        text = routing(store.url, store.url)
        with (
            proxy(tmp_path / "p", text, env=env(files)) as shop,
            tls(shop, authority.client()) as sock,
        ):
            ask(sock)
            renewed = authority.issue("renewed")
            files.certificate.write_bytes(renewed.certificate.read_bytes())
            files.key.write_bytes(renewed.key.read_bytes())
            found = files.certificate.stat()
            os.utime(files.certificate, ns=(found.st_atime_ns, found.st_mtime_ns + 10**10))

            def is_shown() -> bool:
                with tls(shop, authority.client()) as other:
                    return b"renewed" in (other.getpeercert(binary_form=True) or b"")

            assert eventually(is_shown)
            assert ask(sock).startswith(b"HTTP/1.1 200")


def test_a_proxy_does_not_start_on_a_certificate_that_cannot_be_used(
    tmp_path: Path, authority: Authority
) -> None:
    files = authority.issue("shop")
    files.key.write_text("nonsense")
    config = tmp_path / "routing.yaml"
    config.write_text(routing("http://127.0.0.1:1", "http://127.0.0.1:2"))

    command = [sys.executable, "-m", "proxy", "--config", str(config)]
    command += ["--spool", str(tmp_path / "spool"), "--workers", "1"]
    command += ["--listen", "127.0.0.1:0", "--side-door", "127.0.0.1:0"]
    with spawn_process(command, log=tmp_path / "log", env=env(files)) as process:
        assert process.wait(30) != 0

    told = (tmp_path / "log").read_text()
    assert "BANYAN_PROXY_TLS_KEY" in told
    assert "holds no PEM private key" in told


def test_a_store_behind_tls_answers_through_the_proxy(tmp_path: Path, authority: Authority) -> None:
    with tls_origin(authority.issue("store").server()) as store:
        text = routing(store.url, store.url)
        for side in ("legacy", "core"):
            plain = f'{side}: {{url: "{store.url}"}}'
            trusted = f'{side}: {{url: "{store.url}", tls: {{ca: ../ca.pem}}}}'
            assert plain in text
            text = text.replace(plain, trusted)
        with proxy(tmp_path / "p", text) as shop, shop.connect() as sock:
            sock.sendall(get())
            answer = Connection(sock).read_until(b"ok")

    assert answer.startswith(b"HTTP/1.1 200")
