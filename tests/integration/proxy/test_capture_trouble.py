"""Trouble with the spool: shoppers see nothing of it, it is counted, and it passes."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.storage import SpoolReader
from tests.integration.proxy.harness import (
    Client,
    Origin,
    Proxy,
    eventually,
    get,
    origin,
    proxy,
    routing,
)

pytestmark = pytest.mark.integration

OUTCOMES = "banyan_shadow_total"


@pytest.fixture
def store() -> Iterator[Origin]:
    with origin() as server:
        yield server


def ask(shop: Proxy, count: int) -> set[int]:
    with Client(shop) as client:
        return {client.ask(get()).status for _ in range(count)}


def ended(shop: Proxy) -> bool:
    outcomes = {
        name: shop.metric(OUTCOMES, outcome=name) for name in ("mirrored", "spooled", "dropped")
    }
    return outcomes["mirrored"] == outcomes["spooled"] + outcomes["dropped"]


def spooled(shop: Proxy) -> float:
    return shop.metric(OUTCOMES, outcome="spooled")


def spools_again(shop: Proxy) -> bool:
    before = spooled(shop)
    ask(shop, 1)
    return eventually(lambda: spooled(shop) > before, 0.5)


def test_a_disk_that_refuses_is_tried_again_until_it_takes(store: Origin, tmp_path: Path) -> None:
    with proxy(tmp_path, routing(store.url, store.url, "shadow")) as shop:
        (pid,) = shop.worker_pids()
        assert ask(shop, 20) == {200}
        assert eventually(lambda: spooled(shop) == 20)
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        while_full = ask(shop, 50)
        assert eventually(lambda: ended(shop))
        lost = shop.metric(OUTCOMES, outcome="dropped")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

        assert while_full == {200}
        assert lost == 50
        assert eventually(lambda: spools_again(shop))
        assert shop.worker_pids() == [pid]
        assert eventually(lambda: ended(shop))
        with SpoolReader(shop.spool) as reader:
            seqs = [frame.seq for _, frame in reader.read(1_000)]
            assert reader.corrupt_records == 0
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_spool_that_is_deleted_is_made_anew(store: Origin, tmp_path: Path) -> None:
    with proxy(tmp_path, routing(store.url, store.url, "shadow")) as shop:
        first = shop.worker_pids()
        assert ask(shop, 5) == {200}

        shutil.rmtree(shop.spool)
        meanwhile = ask(shop, 20)
        replaced = eventually(lambda: shop.worker_pids() not in (first, []), 20)

        assert meanwhile == {200}
        assert replaced
        assert eventually(lambda: spools_again(shop))
        assert len(list(shop.spool.glob("*/*.seg"))) == 1
        assert (shop.spool / "redaction.key").exists()


def test_a_reader_that_comes_late_makes_room_again(store: Origin, tmp_path: Path) -> None:
    env = {"BANYAN_PROXY_SPOOL_BYTES": "40000", "BANYAN_PROXY_SEGMENT_BYTES": "5000"}
    with proxy(tmp_path, routing(store.url, store.url, "shadow"), env=env) as shop:
        assert ask(shop, 300) == {200}
        assert eventually(lambda: ended(shop))
        full = shop.metric(OUTCOMES, outcome="dropped", reason="spool_full")
        unread = shop.metric("banyan_spool_unread_frames")
        age_s = shop.metric("banyan_spool_oldest_frame_age_seconds")
        before = spooled(shop)

        with SpoolReader(shop.spool) as reader:
            frames = reader.read(10_000)
            reader.release({frame.run: position for position, frame in frames})

        assert full == 300 - before
        assert unread == before
        assert 0 < age_s < 120
        assert shop.metric("banyan_spool_unread_frames") == 0
        assert shop.metric("banyan_spool_unread_bytes") == 0
        assert shop.metric("banyan_spool_oldest_frame_age_seconds") == 0
        assert eventually(lambda: spools_again(shop))


def test_two_workers_never_pass_the_bound_together(store: Origin, tmp_path: Path) -> None:
    env = {"BANYAN_PROXY_SPOOL_BYTES": "60000", "BANYAN_PROXY_SEGMENT_BYTES": "10000"}
    text = routing(store.url, store.url, "shadow")
    sizes: list[int] = []
    with proxy(tmp_path, text, workers=2, env=env) as shop:
        threads = [threading.Thread(target=ask, args=(shop, 150)) for _ in range(6)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            sizes.append(sum(p.stat().st_size for p in shop.spool.rglob("*.seg")))
        for thread in threads:
            thread.join()
        assert eventually(lambda: ended(shop))
        sizes.append(sum(p.stat().st_size for p in shop.spool.rglob("*.seg")))
        mirrored = shop.metric(OUTCOMES, outcome="mirrored")

    assert mirrored == 900
    assert 0 < max(sizes) <= 60_000


def test_bodies_in_large_slices_are_kept_in_order_of_nothing_but_seq(
    store: Origin, tmp_path: Path
) -> None:
    body = b'[{"id": 1, "email": "ann@example.org"}' + b', {"id": 2, "title": "x"}' * 20_000 + b"]"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    small = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    store.reset(store.answering(head % len(body) + body, small, small))
    with proxy(tmp_path, routing(store.url, store.url, "shadow")) as shop:
        assert ask(shop, 3) == {200}
        assert eventually(lambda: spooled(shop) == 3)
        with SpoolReader(shop.spool) as reader:
            frames = [frame for _, frame in reader.read()]

    assert sorted(len(frame.body) for frame in frames)[:2] == [2, 2]
    large = max(frames, key=lambda frame: len(frame.body)).body
    assert b"ann@" not in large
    assert large.count(b'"title"') == 20_000
    assert [frame.seq for frame in frames] == [1, 2, 3]
