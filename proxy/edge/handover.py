"""Start the program anew on the sockets of the running one, and wait until it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys

from proxy.errors import ProxyError

OPTION = "--inherit"
_COMING_UP_S = 60.0
_READY = b"ready"


class HandoverError(ProxyError):
    """The new proxy does not serve; the old one goes on."""


async def hand_over(listeners: list[socket.socket], door: socket.socket) -> None:
    """Return when a new proxy serves on these sockets.

    It is a child at first, and an orphan when this process ends: a new process id. Were
    the program replaced in place, a new version that cannot start would be an outage.

    Raises:
        HandoverError: it ended, or did not serve within a minute; it is gone then.
    """
    reading, writing = os.pipe()
    fds = [*(sock.fileno() for sock in listeners), door.fileno(), writing]
    command = [sys.executable, *_without_option(sys.orig_argv[1:])]
    command += [OPTION, ",".join(map(str, fds))]
    try:
        process = subprocess.Popen(command, pass_fds=fds)  # noqa: S603, ASYNC220 - our own command
    except OSError as exc:
        os.close(reading)
        raise HandoverError(f"the new proxy cannot be started: {exc}") from exc
    finally:
        os.close(writing)
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    loop.add_reader(reading, answered.set)
    try:
        await asyncio.wait_for(answered.wait(), _COMING_UP_S)
        if os.read(reading, len(_READY)) != _READY:
            raise HandoverError("the new proxy ended before it served; its log says why")
    except TimeoutError as exc:
        raise HandoverError("the new proxy did not serve in time") from exc
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        if process.poll() is None and not answered.is_set():
            process.kill()


def say_ready(fd: int) -> None:
    """Tell the old proxy that this one serves."""
    # When the old one died meanwhile, there is nobody to tell, and all the more to do.
    with contextlib.suppress(OSError):
        os.write(fd, _READY)
    os.close(fd)


def _without_option(argv: list[str]) -> list[str]:
    """The command line without what the last handover put at its end."""
    return argv[: argv.index(OPTION)] if OPTION in argv else list(argv)
