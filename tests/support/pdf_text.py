"""What is written in a PDF that Chromium printed, read with nothing but the standard library."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_RANGE = re.compile(rb"<([0-9A-Fa-f]+)> <([0-9A-Fa-f]+)> <([0-9A-Fa-f]{4})>")
_SINGLE = re.compile(rb"^<([0-9A-Fa-f]+)> <([0-9A-Fa-f]{4})>$", re.MULTILINE)
_SHOWN = re.compile(rb"<([0-9A-Fa-f]+)> ?(?:Tj|-?[\d.]+|\])")


def pages_of(pdf: bytes) -> int:
    """How many pages it has."""
    return len(re.findall(rb"/Type /Page\b", pdf))


def readings_of(pdf: bytes) -> tuple[str, ...]:
    """All that it shows, in order, once by each font's table: what another font set is noise."""
    streams = list(_streams(pdf))
    shown = [
        glyph
        for stream in streams
        if b"begincmap" not in stream
        for text in _SHOWN.findall(stream)
        for glyph in re.findall(rb"[0-9A-Fa-f]{4}", text)
    ]
    return tuple(
        "".join(table.get(int(glyph, 16), "?") for glyph in shown)
        for table in (_table(stream) for stream in streams if b"begincmap" in stream)
    )


def _streams(pdf: bytes) -> Iterator[bytes]:
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(stream)
        except zlib.error:
            continue  # a font or a picture in a form of its own


def _table(cmap: bytes) -> dict[int, str]:
    table = {int(glyph, 16): chr(int(char, 16)) for glyph, char in _SINGLE.findall(cmap)}
    for first, last, char in _RANGE.findall(cmap):
        for at in range(int(first, 16), int(last, 16) + 1):
            table[at] = chr(int(char, 16) + at - int(first, 16))
    return table
