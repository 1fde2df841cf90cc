"""Header lines: what each means to a proxy, read once however often it comes."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

from proxy.errors import ProxyError

_VISIBLE = bytes(range(0x20, 0x7F)) + b"\t" + bytes(range(0x80, 0x100))
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_GENERATION = 2_048
_REMEMBERED_BYTES = 512
_KNOWN_BLOCK_BYTES = 2_048


class FieldError(ProxyError):
    """A header line that two readers could take differently; the text says why."""


class Kind:
    """What a field is to the proxy: constants, which compile to numbers.

    PLAIN passes through untouched.

    HOP: concerns one connection only. CONTROL: ours, never passed on. FORWARDED: says
    who asked; believed only of trusted peers. FOLDED: a name that WSGI servers take for
    one of the names above, because they turn `_` into `-`. DRY_RUN: for a comparer to
    say; a shopper's is not passed on, a store's answer is.
    """

    PLAIN: Final = 0
    HOP: Final = 1
    CONNECTION: Final = 2
    HOST: Final = 3
    LENGTH: Final = 4
    CODING: Final = 5
    EXPECT: Final = 6
    REQUEST_ID: Final = 7
    CONTROL: Final = 8
    FORWARDED: Final = 9
    SERVED_BY: Final = 10
    UPGRADE: Final = 11
    FOLDED: Final = 12
    TE: Final = 13
    TRAILER: Final = 14
    DRY_RUN: Final = 15


_KINDS = {
    "connection": Kind.CONNECTION,
    "keep-alive": Kind.HOP,
    "proxy-connection": Kind.HOP,
    "proxy-authenticate": Kind.HOP,
    "proxy-authorization": Kind.HOP,
    "te": Kind.TE,
    "trailer": Kind.TRAILER,
    "upgrade": Kind.UPGRADE,
    "http2-settings": Kind.HOP,
    "transfer-encoding": Kind.CODING,
    "host": Kind.HOST,
    "content-length": Kind.LENGTH,
    "expect": Kind.EXPECT,
    "x-request-id": Kind.REQUEST_ID,
    "x-served-by": Kind.SERVED_BY,
    "forwarded": Kind.FORWARDED,
    "x-real-ip": Kind.FORWARDED,
    # Who says so gets answers that nothing stands behind: it is the comparer's alone.
    "banyan-dry-run": Kind.DRY_RUN,
}
_PREFIXES = (("x-banyan-", Kind.CONTROL), ("x-forwarded-", Kind.FORWARDED))
_NEVER_NOMINATED = frozenset(
    ("host", "authorization", "cookie", "set-cookie", "x-request-id", "via", "date")
)
_NEVER_PREFIX = "content-"
# Words in Connection that are no field's name, or name a field that goes anyhow.
OPTIONS = frozenset(("close", "keep-alive", "upgrade", "te", "http2-settings"))
# What a trailer may not say: it would be believed after the fact (RFC 9110, 6.5.1).
_NO_TRAILER = frozenset(
    (
        "age", "authorization", "cache-control", "content-encoding", "content-range",
        "content-type", "cookie", "date", "expires", "location", "max-forwards", "pragma",
        "range", "retry-after", "set-cookie", "vary", "via", "warning", "www-authenticate",
    )
)  # fmt: skip
_LIST = re.compile(r"[ \t]*,[ \t]*")


class FieldLine:
    """A header line. A plain class, because it is made for each line that is new.

    Attributes:
        raw: as received, without its CRLF.
        lower: the name in lower case.
        value: without the space around it.
    """

    def __init__(self, raw: bytes, kind: int, lower: str, value: bytes) -> None:
        self.raw = raw
        self.kind = kind
        self.lower = lower
        self.value = value


class FieldReader:
    """Reads header lines, and remembers those that come again and again.

    Most lines of most heads were seen before, byte for byte: the same browsers ask the
    same shop. What a line means depends on nothing but its bytes, so it is worked out
    once. The memory is bounded and has two generations: a line that is used again moves
    to the young one, the rest is forgotten when that is full.
    """

    def __init__(self, wanted: AbstractSet[str] = frozenset()) -> None:
        """Take the lower-case names of fields that are to be told even if they are plain."""
        self._wanted = wanted
        self.starts: dict[bytes, tuple[str, bytes, int, str, str]] = {}
        self._plain: set[bytes] = set()
        self._plain_before: set[bytes] = set()
        self._known: dict[bytes, FieldLine] = {}
        self._known_before: dict[bytes, FieldLine] = {}

    def notable(self, lines: list[bytes]) -> list[FieldLine]:
        """Those of the lines that mean something to the proxy, or were wanted.

        All others are well formed and may pass as they are.

        Raises:
            FieldError: one line is not a header field.
        """
        plain = self._plain
        found = []
        for raw in [raw for raw in lines if raw not in plain]:
            line = self._known.get(raw)
            if line is None:
                line = self._look(raw)
            if line is not None:
                found.append(line)
        return found

    def wants(self, lower: str) -> bool:
        """Whether a field of this name was wanted."""
        return lower in self._wanted

    @property
    def remembered(self) -> int:
        """How many lines are remembered."""
        return sum(map(len, (self._plain, self._plain_before, self._known, self._known_before)))

    def _look(self, raw: bytes) -> FieldLine | None:
        if raw in self._plain_before:
            self._keep_plain(raw)
            return None
        line = self._known_before.get(raw) or read_field(raw)
        is_small = len(raw) <= _REMEMBERED_BYTES
        if not line.kind and line.lower not in self._wanted:
            if is_small:
                self._keep_plain(raw)
            return None
        if is_small:
            if len(self._known) >= _GENERATION:
                self._known_before, self._known = self._known, {}
            self._known[raw] = line
        return line

    def _keep_plain(self, raw: bytes) -> None:
        if len(self._plain) >= _GENERATION:
            self._plain_before, self._plain = self._plain, set()
        self._plain.add(raw)


def read_field(raw: bytes) -> FieldLine:
    """Read one header line, strictly.

    Raises:
        FieldError: it is folded, has space before its colon, no colon, a name that is
            no token, or a control character.
    """
    if raw[:1] in (b" ", b"\t"):
        raise FieldError("A header field is folded over lines.")
    name, colon, value = raw.partition(b":")
    if raw.translate(None, _VISIBLE):
        raise FieldError("The head holds a control character, a bare CR or a bare LF.")
    if not colon:
        raise FieldError("A header line has no colon.")
    if name[-1:] in (b" ", b"\t"):
        raise FieldError("There is space between a header field's name and its colon.")
    if _NAME.fullmatch(name) is None:
        raise FieldError("A header field's name is no token.")
    kind, lower = known(name)
    return FieldLine(raw, kind, lower, value.strip(b" \t"))


@lru_cache(maxsize=4_096)
def known(name: bytes) -> tuple[int, str]:
    """Kind and lower-case form of a field name. The same few names come with each request."""
    lower = name.decode("latin-1").lower()
    return _kind(lower), lower


def _kind(lower: str) -> int:
    exact = _exact_kind(lower)
    if exact == Kind.PLAIN and "_" in lower:
        folded = _exact_kind(lower.replace("_", "-"))
        return Kind.PLAIN if folded == Kind.PLAIN else Kind.FOLDED
    return exact


def _exact_kind(lower: str) -> int:
    for prefix, kind in _PREFIXES:
        if lower.startswith(prefix):
            return kind
    return _KINDS.get(lower, Kind.PLAIN)


@lru_cache(maxsize=1_024)
def nominated(connection: bytes) -> frozenset[str]:
    """Names that a Connection field makes hop-by-hop, its options among them.

    A client must not make the proxy drop what the store's answer depends on: those
    names are ignored here, as if they had not been listed.
    """
    names = frozenset(_LIST.split(connection.decode("latin-1").strip().lower()))
    return frozenset(
        name for name in names - _NEVER_NOMINATED if name and not name.startswith(_NEVER_PREFIX)
    )


def left(block: bytes, lines: list[bytes], gone: list[FieldLine], names: AbstractSet[str]) -> bytes:
    """What is left of a block of field lines when some of them go.

    Args:
        block: the lines, each with its CRLF.
        lines: the same without their CRLF.
        gone: those that go, with all that are spelled alike.
        names: lower-case names whose fields go too.
    """
    if names <= OPTIONS and len(gone) == 1 and gone[0].raw != lines[0]:
        # One line, such as `Connection: keep-alive`: by far the most frequent.
        return block.replace(b"\r\n%b\r\n" % gone[0].raw, b"\r\n", 1)
    raws = {field.raw for field in gone}
    kept = [raw for raw in lines if raw not in raws]
    if not names <= OPTIONS:
        kept = [raw for raw in kept if known(raw.partition(b":")[0])[1] not in names]
    return b"\r\n".join(kept) + b"\r\n" if kept else b""


def passed_trailers(lines: list[bytes]) -> bytes:
    """The lines of a trailer section that are passed on, each with its CRLF.

    Nothing that frames, routes, authenticates or is the proxy's to say.

    Raises:
        FieldError: one of them is not a header field.
    """
    fields = [read_field(raw) for raw in lines]
    kept = [line.raw for line in fields if not line.kind and line.lower not in _NO_TRAILER]
    return b"\r\n".join(kept) + b"\r\n" if kept else b""


def split_lines(lines: bytes) -> list[tuple[str, str]]:
    """A block of header lines as text, each name with its value."""
    text = lines.decode("latin-1")
    pairs = (line.partition(":") for line in text.split("\r\n") if line)
    return [(name, value.strip(" \t")) for name, _, value in pairs]


def known_lines(lines: bytes) -> tuple[tuple[str, str], ...]:
    """The same, remembered where the block is short: most answers begin alike."""
    return _known_lines(lines) if len(lines) <= _KNOWN_BLOCK_BYTES else tuple(split_lines(lines))


@lru_cache(maxsize=512)
def _known_lines(lines: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(split_lines(lines))
