"""Questions over raw connections, to stores that misbehave in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loadtests.ports import free_port
from proxy.edge.store_client import (
    ClientLimits,
    NoAnswer,
    NoAnswerError,
    Question,
    QuestionError,
    StoreClient,
)
from proxy.routing import Side, Store, StoreTls
from tests.integration.proxy.certificates import Authority, tls_origin

pytestmark = pytest.mark.integration

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASKED = Question("GET", "/x", (("Host", "shop.example"),))
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMITS = ClientLimits(timeout_s=10, body_bytes=10_000)


class RawStore:
    """Plays what it is told on each connection, behind each head that comes."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.connections = 0
        self.heads: list[bytes] = []
        self.sent_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.play(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_store(play: Play) -> AsyncIterator[tuple[RawStore, str]]:
    store = RawStore(play)
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    try:
        yield store, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def asking(
    url: str, limits: ClientLimits = LIMITS, *, tls: StoreTls | None = None, base: Path = Path()
) -> AsyncIterator[StoreClient]:
    client = StoreClient({Side.CORE: Store(Side.CORE, url, tls=tls or StoreTls())}, limits, base)
    try:
        yield client
    finally:
        client.close()


def says(data: bytes) -> Play:
    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return play


def ends(data: bytes) -> Play:
    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return play


async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.2)


async def hangs(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def test_answers_come_whole_over_one_kept_connection() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with raw_store(says(chunked)) as (store, url), asking(url + "/shop/") as client:
        answers = [await client.ask(Side.CORE, ASKED) for _ in range(5)]

    assert {(one.status, one.lines, one.body) for one in answers} == {
        (200, b"X-A: 1\r\n", b"abcde")
    }
    assert all(one.elapsed_us > 0 for one in answers)
    assert store.connections == 1
    assert store.heads[0] == b"GET /shop/x HTTP/1.1\r\nHost: shop.example\r\n\r\n"


async def test_a_word_on_the_way_is_not_the_answer() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3
    play = says(hints + b"HTTP/1.1 204 No Content\r\nBanyan-Dry-Run: honoured\r\n\r\n")

    async with raw_store(play) as (_, url), asking(url) as client:
        answer = await client.ask(Side.CORE, ASKED)

    assert (answer.status, answer.lines) == (204, b"Banyan-Dry-Run: honoured\r\n")


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (hangs, NoAnswer.TIMEOUT),
        (drips, NoAnswer.TIMEOUT),
        (resets, NoAnswer.UNREACHABLE),
        (ends(b""), NoAnswer.UNREACHABLE),
        (ends(b"HTTP/1.1 200 OK\r\nContent-Le"), NoAnswer.BROKEN),
        (ends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), NoAnswer.BROKEN),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), NoAnswer.BROKEN),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
         NoAnswer.BROKEN),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), NoAnswer.BROKEN),
        (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
         NoAnswer.BROKEN),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 40), NoAnswer.BROKEN),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 80_000 + b"\r\n\r\n"), NoAnswer.BROKEN),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n"), NoAnswer.TOO_LARGE),
        (ends(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_001), NoAnswer.TOO_LARGE),
    ],
)  # fmt: skip
async def test_each_trouble_ends_in_one_word_and_the_next_question_is_well(
    play: Play, why: NoAnswer
) -> None:
    limits = ClientLimits(timeout_s=0.5, body_bytes=10_000)
    async with raw_store(play) as (store, url), asking(url, limits) as client:
        with pytest.raises(NoAnswerError) as caught:
            await client.ask(Side.CORE, ASKED)
        store.play = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        answer = await client.ask(Side.CORE, ASKED)

    assert caught.value.why is why
    assert answer.body == b"ok"
    assert store.connections == 2


async def test_each_question_has_its_own_deadline_also_beside_others() -> None:
    limits = ClientLimits(timeout_s=0.4)
    async with raw_store(hangs) as (_, url), asking(url, limits) as client:
        began_s = asyncio.get_running_loop().time()
        first = asyncio.ensure_future(client.ask(Side.CORE, ASKED))
        await asyncio.sleep(limits.timeout_s / 2)
        second = asyncio.ensure_future(client.ask(Side.CORE, ASKED))
        with pytest.raises(NoAnswerError) as early:
            await first
        with pytest.raises(NoAnswerError) as late:
            await second
        took_s = asyncio.get_running_loop().time() - began_s

    assert early.value.why is late.value.why is NoAnswer.TIMEOUT
    assert took_s >= limits.timeout_s * 1.5


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async with asking(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(NoAnswerError) as caught:
            await client.ask(Side.CORE, ASKED)

    assert caught.value.why is NoAnswer.UNREACHABLE


@pytest.mark.parametrize("head", [b"Content-Length: 100000000\r\n", b"Connection: close\r\n"])
async def test_a_flood_is_refused_before_it_has_come(head: bytes) -> None:
    ended = asyncio.Event()
    sent = 0

    async def floods(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        try:
            while not writer.is_closing() and sent < 100_000_000:
                writer.write(b"\0" * 65_536)
                sent += 65_536
                await writer.drain()
        finally:
            ended.set()

    async with raw_store(floods) as (_, url), asking(url) as client:
        with pytest.raises(NoAnswerError) as caught:
            await client.ask(Side.CORE, ASKED)
        await asyncio.wait_for(ended.wait(), 20)

    assert caught.value.why is NoAnswer.TOO_LARGE
    assert sent < 20_000_000


async def test_a_kept_connection_that_the_store_closed_costs_a_read_nothing() -> None:
    async def closes_at_the_second(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(store.heads) == 2:
            writer.close()
        else:
            writer.write(GOOD)

    async with raw_store(closes_at_the_second) as (store, url), asking(url) as client:
        answers = [await client.ask(Side.CORE, ASKED) for _ in range(2)]

    assert [one.body for one in answers] == [b"ok", b"ok"]
    assert (len(store.heads), store.connections) == (3, 2)


async def test_a_write_is_sent_once_whatever_becomes_of_it() -> None:
    async with raw_store(ends(b"")) as (store, url), asking(url) as client:
        with pytest.raises(NoAnswerError):
            await client.ask(Side.CORE, Question("POST", "/x", (), b"{}"))

    assert len(store.heads) == 1
    assert store.heads[0].endswith(b"Content-Length: 2\r\n\r\n")


@pytest.mark.parametrize(
    "question",
    [
        Question("GET", "/x y", ()),
        Question("GET", "x", ()),
        Question("GET /x HTTP/1.1\r\nA: b\r\n\r\nGET", "/x", ()),
        Question("GET", "/x", (("A", "1\r\nB: 2"),)),
        Question("GET", "/x", (("A\r\nB", "1"),)),
        Question("GET", "/x", (("A: 1\r\nB", "1"), ("C", "1"))),
        Question("GET", "/x", (("A: 1", "2"),)),
        Question("GET", "/x", (("", "1"),)),
        Question("GET", "/x", (("A", "€"),)),
    ],
)
async def test_what_would_be_read_as_something_else_is_not_sent(question: Question) -> None:
    async with raw_store(says(GOOD)) as (store, url), asking(url) as client:
        with pytest.raises(QuestionError):
            await client.ask(Side.CORE, question)

    assert store.connections == 0


async def test_a_store_is_trusted_as_its_table_says_and_by_new_files_at_once(
    tmp_path: Path,
) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    mine = authority.issue("me", "me.example")
    trust = StoreTls(ca="trust.pem", certificate="me.pem", key="me.key")
    (tmp_path / "trust.pem").write_bytes(other.certificate.read_bytes())
    server = authority.issue("store").server(client_ca=authority.certificate)
    assert mine.key.exists()

    with tls_origin(server) as store:
        async with asking(store.url, tls=trust, base=tmp_path) as client:
            with pytest.raises(NoAnswerError) as caught:
                await client.ask(Side.CORE, ASKED)
            (tmp_path / "trust.pem").write_bytes(authority.certificate.read_bytes())
            deadline = asyncio.get_running_loop().time() + 20
            answer = None
            while answer is None and asyncio.get_running_loop().time() < deadline:
                try:
                    answer = await client.ask(Side.CORE, ASKED)
                except NoAnswerError:
                    await asyncio.sleep(0.1)

    assert caught.value.why is NoAnswer.UNREACHABLE
    assert "certificate" in str(caught.value)
    assert answer is not None
    assert answer.status == 200


async def test_files_that_cannot_be_read_fail_questions_and_nothing_else(tmp_path: Path) -> None:
    missing = StoreTls(ca="nowhere.pem")

    async with asking("https://127.0.0.1:1", tls=missing, base=tmp_path) as client:
        with pytest.raises(NoAnswerError, match=r"nowhere\.pem"):
            await client.ask(Side.CORE, ASKED)
