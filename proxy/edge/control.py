"""What supervisor and worker say to each other: JSON lines over a socket pair.

The worker has its end as standard input. The end of the stream means that the supervisor
is gone. See ADR 0017.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

log = logging.getLogger(__name__)

LINE_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
# The kernel never joins the descriptors of two messages in one read.
_READ_FDS = 4


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Finish what is in flight and end.

    Attributes:
        is_last: nobody takes the port over, so the backlog is to be emptied first.
    """

    is_last: bool


class TakeKill(msgspec.Struct, frozen=True, tag="kill"):
    """Look at the kill file now, and add `told` to what it says."""

    id: int
    told: tuple[str, ...]


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """Hold a domain's writes until `until_s` of the machine's monotonic clock."""

    id: int
    domain: str
    until_s: float


class Release(msgspec.Struct, frozen=True, tag="release"):
    """End a domain's hold."""

    id: int
    domain: str


class TellHolds(msgspec.Struct, frozen=True, tag="holds"):
    """Say what is held and what is in flight."""

    id: int


class Handed(msgspec.Struct, frozen=True):
    """What workers go by: the supervisor alone reads and checks it, so that all have the same.

    Attributes:
        table: bytes of the last routing file that loaded and whose stores can be used.
        pems: contents of certificate files by path, as they last were good.
    """

    table: bytes
    pems: dict[str, bytes] = {}


class TakeTable(msgspec.Struct, frozen=True, tag="table"):
    """Go by another table. Comes with the descriptor of a file that holds `Handed`, as
    MessagePack: a table may be larger than what a socket takes at once.
    """

    number: int


class Mind(msgspec.Struct, frozen=True, tag="mind"):
    """Accept from the listener of a seat whose worker died, too, until it has a new one.
    Comes with the listener.
    """

    seat: int


class LetGo(msgspec.Struct, frozen=True, tag="let_go"):
    """Accept no more from the listener of a seat."""

    seat: int


class Held(msgspec.Struct, frozen=True):
    """A hold as one worker sees it.

    Attributes:
        waiting, waiting_bytes: requests that are held, and what they take.
        in_flight_writes: writes of the domain that were sent on before.
    """

    waiting: int
    waiting_bytes: int
    in_flight_writes: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker accepts connections."""


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The worker accepts no more, and nothing waits in its backlog."""


class Killed(msgspec.Struct, frozen=True, tag="killed"):
    """A signal killed, and the kill file could not be written: the others must be told."""

    scopes: tuple[str, ...]


class Took(msgspec.Struct, frozen=True, tag="took"):
    """The table `number` is in force here, or why it is not."""

    number: int
    problem: str | None = None


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The command `id` is in force here.

    Attributes:
        pid: of the worker.
        kill: scopes in force.
        holds: by held domain.
        released: there was a hold to end.
    """

    id: int
    pid: int
    kill: tuple[str, ...] = ()
    holds: dict[str, Held] = {}
    released: bool = False


Command = Drain | TakeKill | Hold | Release | TellHolds | TakeTable | Mind | LetGo
Asked = TakeKill | Hold | Release | TellHolds
Answer = Ready | Closed | Killed | Done | Took


class Lines:
    """Cuts a stream into lines. A line that is too long is skipped whole."""

    def __init__(self) -> None:
        self._buffer = b""
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; give the lines that are complete."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if lines and self._is_skipping:
            del lines[0]
            self._is_skipping = False
        if len(self._buffer) > LINE_BYTES:
            log.error("a line on the control channel is too long and was skipped")
            self._buffer, self._is_skipping = b"", True
        return lines


class Channel:
    """One end. Belongs to the event loop; what is said is small and never waits.

    Attributes:
        is_open: the other end is there, as far as is known.
    """

    def __init__(
        self,
        sock: socket.socket,
        kind: Any,
        on_line: Callable[[Any], None],
        on_end: Callable[[], None],
    ) -> None:
        """Read from the socket from now on.

        Args:
            sock: a connected stream; the channel closes it.
            kind: union of the messages that may come.
            on_line: called with each.
            on_end: called once when the other end is gone.
        """
        sock.setblocking(False)
        self._sock = sock
        self._lines = Lines()
        self._take: Callable[[bytes], None] = _taker(kind, on_line)
        self._on_end = on_end
        self._fds: deque[int] = deque()
        self.is_open = True
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read)

    def say(self, message: msgspec.Struct, fd: int | None = None) -> bool:
        """Send a message. False when the other end is gone, or has not read for so long
        that its buffer is full: then it is as good as gone.

        Args:
            message: to send.
            fd: a descriptor that goes with it; the other end gets a copy.
        """
        data = msgspec.json.encode(message) + b"\n"
        try:
            # A short write would tear a line; what is said in a worker's life fits the
            # buffer of 200 kB many times over, and a reader is never further behind.
            if not self.is_open:
                return False
            if fd is None:
                return self._sock.send(data) == len(data)
            return socket.send_fds(self._sock, [data], [fd]) == len(data)
        except OSError:
            return False

    def take_fd(self) -> int:
        """The descriptor that came with the message in hand; it is the caller's to close.
        To be called at once, and for each message that comes with one: they are in order.
        """
        return self._fds.popleft()

    def close(self) -> None:
        """Stop listening. `on_end` is not called."""
        if self.is_open:
            self.is_open = False
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            while self._fds:
                os.close(self._fds.popleft())

    def _read(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(
                self._sock, _READ_BYTES, _READ_FDS, socket.MSG_CMSG_CLOEXEC
            )
            self._fds.extend(fds)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            for line in self._lines.feed(data):
                self._take(line)
        elif self.is_open:
            self.close()
            self._on_end()


def _taker(kind: Any, on_line: Callable[[Any], None]) -> Callable[[bytes], None]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)

    def take(line: bytes) -> None:
        try:
            message = decoder.decode(line)
        except msgspec.DecodeError as exc:
            # Nobody but us writes here. Were it so all the same, serving goes on.
            log.error("a line on the control channel cannot be read: %s", exc)  # noqa: TRY400
            return
        on_line(message)

    return take
