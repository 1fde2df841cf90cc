"""The control channel between a supervisor's end and a worker's, and what garbage does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.edge.control import Answer, Channel, Closed, Done, Ready, TakeKill
from tests.integration.proxy.harness import Client, Origin, get, origin, proxy, routing

pytestmark = pytest.mark.integration


async def until(found: list[object], count: int) -> None:
    async with asyncio.timeout(10):
        while len(found) < count:
            await asyncio.sleep(0.005)


async def test_messages_arrive_garbage_is_skipped_and_the_end_is_told_once() -> None:
    ours, theirs = socket.socketpair()
    found: list[object] = []
    channel = Channel(ours, Answer, found.append, lambda: found.append("end"))

    theirs.sendall(b'{"type":"ready"}\nnonsense\n\xff\x00\n{"type":"moon"}\n{"type":"do')
    theirs.sendall(b'ne","id":7,"pid":1}\n{"type":"closed"}\n')
    await until(found, 3)
    assert channel.say(TakeKill(1, ()))
    assert b'"kill"' in theirs.recv(1_000)
    theirs.close()
    await until(found, 4)

    assert found == [Ready(), Done(7, 1), Closed(), "end"]
    assert not channel.is_open
    assert not channel.say(TakeKill(2, ()))


async def test_who_does_not_read_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, Answer, lambda _: None, lambda: None)

    said = [channel.say(TakeKill(n, ("all",) * 1_000)) for n in range(1_000)]

    assert not all(said)
    channel.close()
    theirs.close()


def test_a_hundred_kills_and_releases_leave_a_worker_in_order(tmp_path: Path) -> None:
    with origin() as store:
        flips(tmp_path, store)


def flips(folder: Path, store: Origin) -> None:
    with proxy(folder / "run", routing(store.url, store.url, "core"), workers=2) as running:
        kill = folder / "run" / "kill"
        for _ in range(50):
            os.kill(running.worker_pids()[0], signal.SIGUSR1)
            kill.unlink(missing_ok=True)
        # Whatever came last: the file decides, and it is made and removed once more.
        kill.touch()
        kill.unlink()
        env = {
            **os.environ,  # noqa: TID251 - the child needs ours
            "BANYAN_PROXY_KILL_FILE": str(kill),
            "BANYAN_SIDE_DOOR": f"127.0.0.1:{running.door}",
            "BANYAN_VAR": str(folder),
        }
        banyan = [sys.executable, "-c", "from cutover.cli import main; main()"]
        killed = subprocess.run(
            [*banyan, "kill"], env=env, capture_output=True, text=True, check=False
        )
        with Client(running) as client:
            during = client.ask(get()).value("x-served-by")
        released = subprocess.run(
            [*banyan, "kill", "--release", "--yes"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        with Client(running) as client:
            after = client.ask(get()).value("x-served-by")

    assert (killed.returncode, released.returncode) == (0, 0)
    assert "2 worker(s) took it" in killed.stdout
    assert (during, after) == ("legacy", "core")
