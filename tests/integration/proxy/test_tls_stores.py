"""TLS to stores: trusted, named, shown to; and what is said when it fails."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from proxy.core.address import AddressError, parse_store_url
from proxy.core.limits import Limits
from proxy.edge.dial import Dialer
from proxy.edge.rules import RulesMaker, check_stores
from proxy.edge.tasks import Tasks
from proxy.edge.tls import StoreTlsFiles
from proxy.errors import UpstreamError
from proxy.routing import RoutingTable, Side, Store
from proxy.routing.model import StoreTls
from tests.integration.proxy.asked import Desk, core, on_uvloop
from tests.integration.proxy.certificates import LONG_AGO, Authority, tls_origin
from tests.integration.proxy.harness import Connection, origin

pytestmark = pytest.mark.integration

NO_TLS = StoreTls()


def files(tls: StoreTls) -> StoreTlsFiles:
    return StoreTlsFiles(tls, "stores.core.tls", Path())


def desk(url: str, tls: StoreTls) -> Desk:
    dialer = Dialer(parse_store_url(url), files(tls).context(), server_name=tls.server_name)
    return Desk(core(url), dialer)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(authority: Authority, **more: str) -> StoreTls:
    return StoreTls(ca=str(authority.certificate), **more)


def test_an_answer_comes_over_tls_and_the_connection_is_kept(authority: Authority) -> None:
    async def ask_twice(url: str) -> tuple[bytes, bytes, int]:
        subject = desk(url, trusting(authority))
        answers = await subject.ask(), await subject.ask()
        opened = subject.pool.opened_total
        subject.pool.retire()
        return *answers, opened

    with tls_origin(authority.issue("store").server()) as store:
        store.context.set_alpn_protocols(["h2", "http/1.1"])

        assert on_uvloop(ask_twice(store.url)) == (b"ok", b"ok", 1)
        assert store.alpn == ["http/1.1"]


def problem_with(url: str, tls: StoreTls) -> str:
    async def ask() -> str:
        subject = desk(url, tls)
        with pytest.raises(UpstreamError) as caught:
            await subject.ask()
        assert not caught.value.sent
        assert subject.pool.connections == set()
        assert subject.counts["store_connect_failures", "core", "tls"] == 1
        return str(caught.value)

    return on_uvloop(ask())


def test_a_store_of_another_authority_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("stranger-store")

    with tls_origin(stranger.server()) as store:
        problem = problem_with(store.url, trusting(authority))

    assert "certificate is not accepted: unable to get local issuer certificate" in problem
    assert store.failed_handshakes == 1
    assert store.seen == []


def test_an_expired_certificate_is_not_accepted(authority: Authority) -> None:
    with tls_origin(authority.issue("old", ends=LONG_AGO.replace(year=2002)).server()) as store:
        assert "certificate has expired" in problem_with(store.url, trusting(authority))


def test_the_name_must_be_that_of_the_url(authority: Authority) -> None:
    with tls_origin(authority.issue("other", "shop.example").server()) as store:
        assert "IP address mismatch" in problem_with(store.url, trusting(authority))


def test_the_name_may_be_another_when_the_table_says_so(authority: Authority) -> None:
    async def ask(url: str) -> bytes:
        subject = desk(url, trusting(authority, server_name="shop.example"))
        answer = await subject.ask()
        subject.pool.retire()
        return answer

    with tls_origin(authority.issue("other", "shop.example").server()) as store:
        assert on_uvloop(ask(store.url)) == b"ok"


def test_a_plain_port_is_told_from_one_that_speaks_tls(authority: Authority) -> None:
    def answer_in_plain(connection: Connection) -> None:
        connection.sock.recv(5)
        connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with origin() as store:
        store.script = answer_in_plain
        url = store.url.replace("http:", "https:")

        assert "may not speak TLS" in problem_with(url, trusting(authority))


def test_plain_http_to_a_tls_port_is_no_answer(authority: Authority) -> None:
    async def ask(url: str) -> None:
        with pytest.raises(ConnectionError):
            await Desk(core(url)).ask()

    with tls_origin(authority.issue("store").server()) as store:
        on_uvloop(ask(store.url.replace("https:", "http:")))


def test_a_handshake_that_hangs_ends_at_the_connect_deadline(authority: Authority) -> None:
    async def ask(url: str) -> tuple[int, int]:
        subject = desk(url, trusting(authority))
        with pytest.raises(TimeoutError):
            await subject.pool.open(0.3)
        return subject.pool.connecting, subject.counts["store_connect_failures", "core", "timeout"]

    def say_nothing(connection: Connection) -> None:
        while connection.sock.recv(65_536):
            pass

    with origin() as store:
        store.script = say_nothing

        assert on_uvloop(ask(store.url.replace("http:", "https:"))) == (0, 1)
        assert store.ended.wait(5)  # the socket is not left open


def test_a_client_certificate_is_shown_where_one_is_demanded(authority: Authority) -> None:
    ours = authority.issue("proxy", "proxy.example")
    tls = trusting(authority, certificate=str(ours.certificate), key=str(ours.key))

    async def ask(url: str) -> bytes:
        subject = desk(url, tls)
        answer = await subject.ask()
        subject.pool.retire()
        return answer

    with tls_origin(authority.issue("store").server(authority.certificate)) as store:
        assert on_uvloop(ask(store.url)) == b"ok"


def test_without_the_demanded_certificate_no_request_gets_through(authority: Authority) -> None:
    async def ask(url: str) -> None:
        # In TLS 1.3 the refusal comes after the handshake: the exchange breaks.
        with pytest.raises((ConnectionError, UpstreamError)):
            await desk(url, trusting(authority)).ask()

    with tls_origin(authority.issue("store").server(authority.certificate)) as store:
        on_uvloop(ask(store.url))

        assert store.seen == []


def test_tls_before_1_2_is_not_spoken(authority: Authority) -> None:
    server = authority.issue("store").server()
    server.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        server.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        server.maximum_version = ssl.TLSVersion.TLSv1_1

    assert files(trusting(authority)).context().minimum_version is ssl.TLSVersion.TLSv1_2
    with tls_origin(server) as store:
        assert "the TLS handshake failed" in problem_with(store.url, trusting(authority))


@pytest.mark.parametrize("is_told", [True, False])
def test_an_answer_that_ends_with_the_connection_is_whole_only_when_tls_says_so(
    authority: Authority, *, is_told: bool
) -> None:
    def answer(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        if is_told:
            assert isinstance(connection.sock, ssl.SSLSocket)
            connection.sock.unwrap()
        else:
            connection.sock.shutdown(socket.SHUT_RDWR)

    async def ask(url: str) -> bytes:
        return await desk(url, trusting(authority)).ask()

    with tls_origin(authority.issue("store").server()) as store:
        store.script = answer
        if is_told:
            assert on_uvloop(ask(store.url)) == b"half of it"
        else:
            with pytest.raises(ConnectionError):
                on_uvloop(ask(store.url))


def table(url: str, tls: StoreTls = NO_TLS) -> RoutingTable:
    legacy = Store(Side.LEGACY, "http://127.0.0.1:1")
    stores = {Side.LEGACY: legacy, Side.CORE: Store(Side.CORE, url, tls=tls)}
    return RoutingTable(revision="r1", stores=stores, domains=(), shopper=())


def garbled(path: Path) -> Path:
    path.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    return path


def refusals(folder: Path) -> list[tuple[StoreTls, str]]:
    authority = Authority(folder)
    one, other = authority.issue("one"), authority.issue("other")
    empty, bad = folder / "empty.pem", garbled(folder / "bad.pem")
    empty.write_text("")
    encrypted = encrypt(one.key, folder / "encrypted.key")
    ca, certificate = str(authority.certificate), str(one.certificate)
    return [
        (StoreTls(ca=str(folder / "none.pem")), "tls.ca: .*none.pem: No such file"),
        (StoreTls(ca=str(folder)), "tls.ca: .*: Is a directory"),
        (StoreTls(ca=str(empty)), "tls.ca: .*empty.pem holds no PEM certificate"),
        (StoreTls(ca=str(bad)), "tls.ca: .*bad.pem cannot be read"),
        (StoreTls(ca=str(one.key)), "tls.ca: .*one.key holds no PEM certificate"),
        (StoreTls(ca=ca, key=str(one.key)), "tls.key: a key needs its certificate"),
        (
            StoreTls(ca=ca, certificate=certificate),
            "tls.certificate: .*one.pem holds no PEM private key",
        ),
        (
            StoreTls(ca=ca, certificate=certificate, key=certificate),
            "tls.key: .*one.pem holds no PEM private key",
        ),
        (
            StoreTls(ca=ca, certificate=certificate, key=str(other.key)),
            "tls.key: the key in .*other.key does not belong to the certificate in .*one.pem",
        ),
        (
            StoreTls(ca=ca, certificate=str(bad), key=str(one.key)),
            "tls.certificate: .*bad.pem.* cannot be used",
        ),
        (
            StoreTls(ca=ca, certificate=certificate, key=str(encrypted)),
            "tls.key: the key in .*encrypted.key is encrypted; give one without",
        ),
    ]


def encrypt(key: Path, to: Path) -> Path:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    to.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return to


@pytest.mark.parametrize("number", range(11))
def test_a_file_that_cannot_be_used_is_named_with_the_way_out(tmp_path: Path, number: int) -> None:
    tls, problem = refusals(tmp_path)[number]

    with pytest.raises(AddressError, match=f"stores.core.{problem}"):
        check_stores(table("https://core.example", tls))


def test_tls_for_a_plain_store_is_refused(authority: Authority) -> None:
    with pytest.raises(AddressError, match=r"stores.core.tls: http://core.example is not https"):
        check_stores(table("http://core.example", trusting(authority)))


def test_a_refused_table_leaves_everything_as_it_was(authority: Authority, tmp_path: Path) -> None:
    async def story() -> None:
        maker = new_maker()
        good = maker.make(table("https://core.example", trusting(authority)))
        before = dict(maker.pools)

        with pytest.raises(AddressError):
            maker.make(table("https://core.example", StoreTls(ca=str(tmp_path / "none.pem"))))

        assert maker.pools == before
        assert not good.stores[Side.CORE].pool.is_retired
        assert maker.problem is None

    on_uvloop(story())


def new_maker() -> RulesMaker:
    return RulesMaker(b"k" * 16, Limits(), asyncio.get_running_loop().time)


def touch(path: Path, seconds: int = 5) -> None:
    """Make sure that a file looks changed, however coarse the file system's clock is."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + seconds * 10**9))


def test_a_table_that_was_refused_for_a_file_comes_into_force_when_the_file_does(
    authority: Authority, tmp_path: Path
) -> None:
    async def story() -> None:
        maker, late = new_maker(), tmp_path / "late.pem"
        wanted = table("https://core.example", StoreTls(ca=str(late)))
        maker.make(table("http://core.example"))
        with pytest.raises(AddressError):
            maker.make(wanted)
        assert maker.tend(Tasks()) is None

        late.write_bytes(authority.certificate.read_bytes())

        assert maker.tend(Tasks()) is wanted
        maker.make(wanted)
        assert maker.tend(Tasks()) is None

    on_uvloop(story())


def test_a_changed_certificate_makes_a_new_pool_and_a_bad_one_keeps_the_old(
    authority: Authority,
) -> None:
    async def story() -> None:
        ours = authority.issue("proxy")
        tls = trusting(authority, certificate=str(ours.certificate), key=str(ours.key))
        maker, wanted = new_maker(), table("https://core.example", tls)
        first = maker.make(wanted).stores[Side.CORE].pool
        good = ours.key.read_bytes()

        ours.key.write_text("garbage")
        assert maker.tend(Tasks()) is wanted
        second = maker.make(wanted).stores[Side.CORE].pool
        assert second is first
        assert [first.is_retired] == [False]
        assert "proxy.key holds no PEM private key" in (maker.problem or "")
        assert maker.tend(Tasks()) is None

        ours.key.write_bytes(good)
        touch(ours.key)
        assert maker.tend(Tasks()) is wanted
        third = maker.make(wanted).stores[Side.CORE].pool
        assert third is not first
        assert first.is_retired
        assert maker.problem is None

    on_uvloop(story())


def test_a_worker_that_starts_on_a_bad_file_serves_the_other_side_meanwhile(
    authority: Authority,
) -> None:
    async def story(url: str) -> None:
        good = authority.certificate.read_bytes()
        authority.certificate.write_text("")
        maker, wanted = new_maker(), table(url, trusting(authority))

        pool = maker.make(wanted, is_first=True).stores[Side.CORE].pool

        with pytest.raises(UpstreamError, match=r"ca.pem holds no PEM certificate"):
            await pool.open()
        assert "ca.pem" in (maker.problem or "")

        authority.certificate.write_bytes(good)
        assert maker.tend(Tasks()) is wanted
        pool = maker.make(wanted).stores[Side.CORE].pool
        (await pool.open()).abort()
        assert maker.problem is None

    files = authority.issue("store")
    with tls_origin(files.server()) as store:
        on_uvloop(story(store.url))


def test_relative_paths_start_from_the_base(authority: Authority, tmp_path: Path) -> None:
    wanted = table("https://core.example", StoreTls(ca=authority.certificate.name))

    check_stores(wanted, tmp_path)
    with pytest.raises(AddressError, match="No such file"):
        check_stores(wanted)
