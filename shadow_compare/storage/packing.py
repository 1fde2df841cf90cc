"""Examples to bytes and back, small enough to keep ten of each group."""

from __future__ import annotations

import dataclasses

import msgspec

from shadow_compare.core.evidence import Example, Leaf
from shadow_compare.core.text import short, storable

BODY_LIMIT = 65_536
HEADER_LIMIT = 4_096
HEADERS_LIMIT = 100
LEAVES_LIMIT = 100
VALUE_LIMIT = 2_048

_decoder = msgspec.json.Decoder(Example)

Headers = tuple[tuple[str, str], ...]


def pack(example: Example) -> bytes:
    """The example, cut to size, as JSON."""
    return msgspec.json.encode(
        dataclasses.replace(
            example,
            method=short(example.method, 64),
            target=short(example.target, HEADER_LIMIT),
            request_id=short(example.request_id, 256),
            request_headers=_headers(example.request_headers),
            legacy_headers=_headers(example.legacy_headers),
            core_headers=_headers(example.core_headers),
            legacy_body=short(example.legacy_body, BODY_LIMIT),
            core_body=short(example.core_body, BODY_LIMIT),
            leaves=tuple(_leaf(leaf) for leaf in example.leaves[:LEAVES_LIMIT]),
        )
    )


def unpack(exchange: bytes) -> Example:
    """The example that `pack` packed."""
    return _decoder.decode(exchange)


def _headers(headers: Headers) -> Headers:
    return tuple(
        (short(name, 256), short(value, HEADER_LIMIT)) for name, value in headers[:HEADERS_LIMIT]
    )


def _leaf(leaf: Leaf) -> Leaf:
    return Leaf(
        short(leaf.path, VALUE_LIMIT),
        short(leaf.pattern, VALUE_LIMIT),
        storable(leaf.kind),
        None if leaf.legacy is None else short(leaf.legacy, VALUE_LIMIT),
        None if leaf.core is None else short(leaf.core, VALUE_LIMIT),
    )
