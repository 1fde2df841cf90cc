"""Sure and cheap: which text can hold nothing that is to be hidden.

Most of what a shop says is about books and shoes. A few looks of the kind that bytes
answer fast tell so; only what they cannot rule out is searched thoroughly. They may
suspect what is harmless, never the other way round, whatever the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from proxy.core.json_values import backward_keys
from proxy.core.shapes import may_hold_shapes

_QUERY_NAMES = re.compile(rb"[?&;]([A-Za-z0-9_.\[\]%-]+)=")
_ESCAPED, _QUOTE = b"\2", b"\1"
_CUT = re.compile(rb"[,{}<>]")
_WINDOW_BYTES = 32 * 1024
_PIECE_BYTES = 1_024
_KNOWN_BYTES = 4 * 1024 * 1024
_ENTRY_BYTES = 100
_SKIPS, _LEARN_EVERY = 7, 4

NameTest = Callable[[bytes], bool]


def windows(
    data: bytes, cut: re.Pattern[bytes], size_bytes: int = _WINDOW_BYTES
) -> Iterator[bytes]:
    """The text in parts of about this size, each ending before a byte that `cut` matches.

    Looking at a megabyte in one go would keep every other thread waiting meanwhile.
    """
    at = 0
    while len(data) - at > size_bytes:
        found = cut.search(data, at + size_bytes)
        if found is None:
            break
        yield data[at : found.start()]
        at = found.start()
    yield data[at:] if at else data


class PlainText:
    """Tells plain texts, and learns their parts: catalogues say the same again and again.

    Threads may share it: at worst one learns a thing twice.
    """

    def __init__(self, is_sensitive: NameTest) -> None:
        """Args: is_sensitive: whether values under a JSON key or query parameter, as
        spelled, are hidden.
        """
        self._is_sensitive = is_sensitive
        self._keys: set[bytes] = set()
        self._pieces: set[bytes] = set()
        self._pieces_bytes = 0
        self._skips = 0
        self._turn = 0

    def is_plain(self, text: bytes) -> bool:
        """Whether nothing in a text is to be hidden: no shape, no query parameter, and no
        JSON key.
        """
        if len(text) <= _WINDOW_BYTES:
            return self._is_plain(text)
        # Cut before a byte that stands neither in a shape nor between a key and its colon.
        # A key that is cut itself has no quote before it in its part, and is suspected.
        return all(self._is_plain(part) for part in windows(text, _CUT))

    def has_plain_keys(self, text: bytes) -> bool:
        """Whether no JSON key of a text is to be hidden."""
        if len(text) <= _WINDOW_BYTES:
            return self._has_plain_keys(_spelled(text))
        return all(self._has_plain_keys(_spelled(part)) for part in windows(text, _CUT))

    def _is_plain(self, text: bytes) -> bool:
        spelled = _spelled(text)
        if spelled is not text:
            return self._has_plain_keys(spelled) and self._has_plain_values(text)
        if self._skips > 0:
            self._skips -= 1
            return self._has_plain_keys(text) and self._has_plain_values(text)
        # What can be judged apart is remembered apart: the same reasons as for windows.
        pieces = text.split(b"}")
        known = self._pieces
        fresh = [piece for piece in pieces if piece not in known]
        if not fresh:
            return True
        rest = b"}".join(fresh) if len(fresh) < len(pieces) else text
        if not (self._has_plain_keys(rest) and self._has_plain_values(rest)):
            return False
        # Where most is new, one look in eight is enough to see when that changes.
        self._turn += 1
        is_new = 2 * len(fresh) >= len(pieces)
        if is_new:
            self._skips = _SKIPS
        if is_new or not self._turn % _LEARN_EVERY:
            self._learn(fresh)
        return True

    def _has_plain_keys(self, text: bytes) -> bool:
        keys = self._keys
        found = backward_keys(b"}" + text)
        if keys.issuperset(found):
            return True
        for backward in set(found) - keys:
            key = backward[::-1]
            # A key whose beginning is not sure is suspected, whatever it says.
            if b"}" in key or _QUOTE in key or _ESCAPED in key or self._is_sensitive(key):
                return False
            if len(keys) > 8_192:
                keys.clear()
            keys.add(backward)
        return True

    def _has_plain_values(self, text: bytes) -> bool:
        if may_hold_shapes(text):
            return False
        return b"=" not in text or not any(map(self._is_sensitive, _QUERY_NAMES.findall(text)))

    def _learn(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            if len(piece) > _PIECE_BYTES:
                continue
            self._pieces_bytes += len(piece) + _ENTRY_BYTES
            if self._pieces_bytes > _KNOWN_BYTES:
                self._pieces = set()
                self._pieces_bytes = len(piece) + _ENTRY_BYTES
            self._pieces.add(piece)


def _spelled(text: bytes) -> bytes:
    """The text with each escaped quote as a byte of its own, itself when it has none."""
    if b"\\" in text and b'\\"' in text:
        return text.replace(b"\\\\", _ESCAPED).replace(b'\\"', _QUOTE)
    return text
