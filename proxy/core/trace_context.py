"""W3C trace context: read strictly, written by one rule.

A header that breaks the rules says nothing: the trace then begins here, as the
recommendation wants it. Pure: ids are drawn by the caller.
"""

from __future__ import annotations

import re

import msgspec

_PARENT = re.compile(
    rb"^(?:traceparent)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE | re.MULTILINE
)
_STATE = re.compile(rb"^(?:tracestate)[ \t]*:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_VERSION_0 = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
# A later version may say more behind a dash; what stands before it is read as version 0.
_LATER = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 1


class TraceParent(msgspec.Struct, frozen=True):
    """Who asks: a trace, the span in it, and whether that is recorded.

    Attributes:
        trace_id: 128 bits, never 0.
        span_id: 64 bits, never 0.
    """

    trace_id: int
    span_id: int
    is_sampled: bool


def parse_parent(value: bytes) -> TraceParent | None:
    """Read a `traceparent` value; None when it breaks the rules."""
    found = _VERSION_0.fullmatch(value) if value[:2] == b"00" else _LATER.fullmatch(value)
    if found is None:
        return None
    trace_id, span_id = int(found[1], 16), int(found[2], 16)
    if not trace_id or not span_id:
        return None
    return TraceParent(trace_id, span_id, bool(int(found[3], 16) & _SAMPLED))


def find_parent(lines: bytes) -> TraceParent | None:
    """The parent that field lines name; None for none, a broken one, or more than one.

    Args:
        lines: field lines of a head, each with its CRLF.
    """
    found = _PARENT.findall(lines)
    return parse_parent(found[0]) if len(found) == 1 else None


def write_parent(parent: TraceParent) -> bytes:
    """The value of a `traceparent` field."""
    flags = _SAMPLED if parent.is_sampled else 0
    return b"00-%032x-%016x-%02x" % (parent.trace_id, parent.span_id, flags)


def with_parent(lines: bytes, parent: TraceParent, *, continues: bool) -> bytes:
    """Field lines in which `parent` stands as the only `traceparent`.

    Args:
        lines: field lines of a head, each with its CRLF.
        parent: what the next one down is to take for its parent.
        continues: the lines named a good parent of the same trace; otherwise their
            `tracestate` belongs to no trace and is left out too.
    """
    kept = _PARENT.sub(b"", lines)
    if not continues:
        kept = _STATE.sub(b"", kept)
    return kept + b"traceparent: " + write_parent(parent) + b"\r\n"
