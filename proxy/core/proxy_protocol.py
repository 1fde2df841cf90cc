"""The PROXY protocol, versions 1 and 2: who the peer of a connection really is.

Read strictly: the sender is a load balancer that we trust, so what is not exactly right
is a wrong configuration or somebody who pretends.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum

import msgspec

from proxy.errors import ProxyError

_V1_START = b"PROXY "
_V1_MAX_BYTES = 107
_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED_BYTES = 16
# Of addresses and TLVs. Load balancers send some hundred bytes; a client certificate in a
# TLV takes two thousand.
MAX_V2_BYTES = 4_096
_LOCAL, _PROXIED = 0x20, 0x21
# Family and transport of version 2, and how many bytes of addresses they have. Addresses
# of what is no TCP over IP name nobody.
_ADDRESS_BYTES = {0x11: 12, 0x21: 36, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216, 0x00: 0}
_IP_BYTES = {0x11: 4, 0x21: 16}


class ProxyMode(StrEnum):
    """Which connections begin with a header.

    off: none. trusted: those of trusted peers, always; others come without. require: all;
    connections of other peers are closed.
    """

    OFF = "off"
    TRUSTED = "trusted"
    REQUIRE = "require"


class ProxyHeaderError(ProxyError):
    """The connection does not begin as it should; it is closed."""


class ProxyHeader(msgspec.Struct, frozen=True):
    """Attributes:
    peer: address of the client; None when the header names none (LOCAL, UNKNOWN): then
        the connection's own peer is meant.
    size_bytes: of the header; what stands behind it is the client's.
    """

    peer: str | None
    size_bytes: int


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read the header at the beginning of a connection.

    Args:
        data: all that was received so far.

    Returns:
        None while more bytes are needed: at most 107 in version 1, 4,112 in version 2.

    Raises:
        ProxyHeaderError: it is none, whatever may still come.
    """
    if data.startswith(_V2_SIGNATURE):
        return _read_v2(data)
    if data.startswith(_V1_START):
        return _read_v1(data)
    if _V2_SIGNATURE.startswith(data) or _V1_START.startswith(data):
        return None
    raise ProxyHeaderError("the connection does not begin with a PROXY header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(data) >= _V1_MAX_BYTES:
            raise ProxyHeaderError(f"the PROXY line has more than {_V1_MAX_BYTES} bytes")
        return None
    size_bytes = end + 2
    family, *rest = data[len(_V1_START) : end].split(b" ")
    if family == b"UNKNOWN":
        return ProxyHeader(None, size_bytes)
    if family not in (b"TCP4", b"TCP6") or len(rest) != 4:
        raise ProxyHeaderError("the PROXY line is not one of TCP4, TCP6 or UNKNOWN")
    for port in rest[2:]:
        if not _is_port(port):
            raise ProxyHeaderError("the PROXY line holds a port that is none")
    source, _ = (_address(text, 4 if family == b"TCP4" else 6) for text in rest[:2])
    return ProxyHeader(source, size_bytes)


def _is_port(text: bytes) -> bool:
    is_plain = text.isdigit() and len(text) <= 5 and (text == b"0" or text[:1] != b"0")
    return is_plain and int(text) <= 65_535


def _address(text: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        address = None
    if address is None or address.version != version or b"%" in text:
        raise ProxyHeaderError(f"the PROXY line holds no IPv{version} address where one belongs")
    return str(address)


def _read_v2(data: bytes) -> ProxyHeader | None:
    # Judged byte by byte, so that what cannot come right is not waited for.
    if len(data) > 12 and data[12] not in (_LOCAL, _PROXIED):
        raise ProxyHeaderError("the PROXY header has an unknown version or command")
    if len(data) > 13 and data[12] == _PROXIED and data[13] not in _ADDRESS_BYTES:
        raise ProxyHeaderError("the PROXY header has an unknown family or transport")
    if len(data) < _V2_FIXED_BYTES:
        return None
    length = int.from_bytes(data[14:16], "big")
    if length > MAX_V2_BYTES:
        raise ProxyHeaderError(f"the PROXY header has more than {MAX_V2_BYTES} bytes")
    if data[12] == _PROXIED and length < _ADDRESS_BYTES[data[13]]:
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    size_bytes = _V2_FIXED_BYTES + length
    if len(data) < size_bytes:
        return None
    width = _IP_BYTES.get(data[13], 0) if data[12] == _PROXIED else 0
    if not width:
        return ProxyHeader(None, size_bytes)
    source = ipaddress.ip_address(data[_V2_FIXED_BYTES : _V2_FIXED_BYTES + width])
    return ProxyHeader(str(source), size_bytes)
