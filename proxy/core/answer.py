"""Read an answer's head, and write the one that goes to the client."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from proxy.core.fields import (
    FieldError,
    FieldLine,
    FieldReader,
    Kind,
    left,
    nominated,
)
from proxy.errors import ProxyError

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_KEPT = frozenset((Kind.HOST, Kind.LENGTH, Kind.EXPECT, Kind.FORWARDED, Kind.FOLDED, Kind.DRY_RUN))
_BODILESS = frozenset((204, 304))
_NOTHING: frozenset[str] = frozenset()


class BadAnswerError(ProxyError):
    """What a store sent is no answer that could be passed on; the client gets 502."""


class Framing:
    """How the end of an answer's body is known: constants, which compile to numbers."""

    # The first two need no framing of ours.
    NONE: Final = 0
    LENGTH: Final = 1
    CHUNKED: Final = 2
    CLOSE: Final = 3


# Code, minor of HTTP/1.x, the line as HTTP/1.1 with its CRLF, and its size as received.
_Status = tuple[int, int, bytes, int]


class Answer:
    """An answer's head. A plain class, because it is made for each exchange.

    Attributes:
        line: status line as HTTP/1.1, with the store's reason phrase and its CRLF.
        lines: the fields that are passed on, as received, each line with its CRLF.
        length: of the body; meaningful with Framing.LENGTH.
        keep_alive: the store will take another request on this connection.
        upgrade: the protocol that a 101 changes to.
    """

    def __init__(
        self, status: int, line: bytes, lines: bytes, framing: tuple[int, int], upgrade: bytes
    ) -> None:
        self.status = status
        self.line = line
        self.lines = lines
        self.framing, self.length = framing
        self.keep_alive = False
        self.upgrade = upgrade


@lru_cache(maxsize=256)
def _read_status(line: bytes) -> _Status:
    """Read a status line, given without its CRLF.

    Raises:
        BadAnswerError: it is none of HTTP/1.
    """
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise BadAnswerError("the status line is not one of HTTP/1")
    rest = line[len(b"HTTP/1.1") :]
    return int(found[2]), int(found[1]), b"HTTP/1.1%b\r\n" % rest, len(line) + 2


def read_answer(head: bytes, reader: FieldReader, method: str, *, trailers: bool = False) -> Answer:
    """Find out how the body is framed, and leave out what is not passed on.

    Args:
        head: from the status line to the empty line, both included. Interim answers too:
            they have no body.
        reader: reads the fields.
        method: of the request: HEAD has no body, whatever the head says.
        trailers: the client takes trailers, so they may be announced.

    Raises:
        BadAnswerError: it is no head, or the framing is ambiguous.
    """
    lines = head[:-4].split(b"\r\n")
    code, minor, line, size = _read_status(lines.pop(0))
    try:
        notable = reader.notable(lines)
    except FieldError as exc:
        raise BadAnswerError(f"the head cannot be read: {exc}") from exc
    lengths: list[bytes] = []
    codings: list[bytes] = []
    names = _NOTHING
    gone: list[FieldLine] = []
    upgrade = b""
    for field in notable:
        kind = field.kind
        if kind == Kind.LENGTH:
            lengths.append(field.value)
        elif kind == Kind.CONNECTION:
            names |= nominated(field.value)
            gone.append(field)
        elif kind == Kind.CODING:
            codings.append(field.value)
            gone.append(field)
        elif kind not in _KEPT and not (kind == Kind.TRAILER and trailers):
            gone.append(field)
            if kind == Kind.UPGRADE:
                upgrade = field.value
    framing = _framing(code, minor, method, lengths, codings)
    if lengths and (codings or code == 204 or code < 200):
        gone += [field for field in notable if field.kind == Kind.LENGTH]
    block = head[size:-2]
    answer = Answer(
        code,
        line,
        left(block, lines, gone, names) if gone else block,
        framing,
        upgrade if "upgrade" in names else b"",
    )
    if answer.framing != Framing.CLOSE:
        answer.keep_alive = "close" not in names if minor else "keep-alive" in names
    return answer


def client_head(
    answer: Answer, request_id: bytes, side: bytes, *, minor: int, keep_alive: bool
) -> tuple[bytes, int, bool]:
    """The head that goes to the client.

    Args:
        answer: of `read_answer`.
        request_id: what the client may quote when it asks what happened.
        side: who answered.
        minor: of the client's HTTP version.
        keep_alive: the client's connection may go on after this answer.

    Returns:
        The head, how the body behind it is framed, and whether the connection goes on:
        an HTTP/1.0 client learns the end of a body of unknown length by its close.
    """
    framing = answer.framing
    if keep_alive and minor and framing <= Framing.LENGTH:
        head = b"%b%bVia: 1.1 banyan\r\nX-Request-ID: %b\r\nX-Served-By: %b\r\n\r\n" % (
            answer.line, answer.lines, request_id, side,
        )  # fmt: skip
        return head, framing, True
    if framing in (Framing.CHUNKED, Framing.CLOSE):
        framing = Framing.CHUNKED if minor else Framing.CLOSE
        keep_alive = keep_alive and framing == Framing.CHUNKED
    parts = [answer.line, answer.lines]
    if framing == Framing.CHUNKED:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if not keep_alive:
        parts.append(b"Connection: close\r\n")
    elif not minor:
        parts.append(b"Connection: keep-alive\r\n")
    parts += (b"Via: 1.1 banyan\r\nX-Request-ID: ", request_id, b"\r\nX-Served-By: ", side)
    parts.append(b"\r\n\r\n")
    return b"".join(parts), framing, keep_alive


def switching_head(answer: Answer, request_id: bytes, side: bytes) -> bytes:
    """The head of a 101 that goes to the client."""
    return (
        b"%b%bConnection: Upgrade\r\nUpgrade: %b\r\n"
        b"Via: 1.1 banyan\r\nX-Request-ID: %b\r\nX-Served-By: %b\r\n\r\n"
        % (answer.line, answer.lines, answer.upgrade, request_id, side)
    )


def _framing(
    code: int, minor: int, method: str, lengths: list[bytes], codings: list[bytes]
) -> tuple[int, int]:
    if code < 200:
        return Framing.NONE, 0
    if len(lengths) > 1:
        raise BadAnswerError("there are several Content-Length fields")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise BadAnswerError("Content-Length is no number")
    if lengths and codings and method != "HEAD":
        raise BadAnswerError("there are both Content-Length and Transfer-Encoding")
    if method == "HEAD" or code in _BODILESS:
        return Framing.NONE, 0
    if codings:
        if minor == 0 or b",".join(codings).strip().lower() != b"chunked":
            raise BadAnswerError("Transfer-Encoding is not `chunked`")
        return Framing.CHUNKED, 0
    if lengths:
        return Framing.LENGTH, int(lengths[0])
    return Framing.CLOSE, 0
