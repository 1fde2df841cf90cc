"""The PROXY header: read strictly, however it is cut."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.proxy_protocol import (
    MAX_V2_BYTES,
    ProxyHeader,
    ProxyHeaderError,
    read_proxy_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def v2(command: int, family: int, payload: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(payload).to_bytes(2, "big") + payload


def v4_addresses(source: str = "192.0.2.7") -> bytes:
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address("10.0.0.1").packed
    return packed + b"\xc0\x00\x00\x50"


def v6_addresses(source: str = "2001:db8::7") -> bytes:
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address("2001:db8::1").packed
    return packed + b"\xc0\x00\x00\x50"


VALID = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 49152 80\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:DB8::7 ::1 1 65535\r\n", "2001:db8::7"),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n", "0.0.0.0"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 whatever stands here\r\n", None),
    (v2(0x21, 0x11, v4_addresses()), "192.0.2.7"),
    (v2(0x21, 0x21, v6_addresses()), "2001:db8::7"),
    (v2(0x21, 0x11, v4_addresses() + b"\x04\x00\x03abc"), "192.0.2.7"),
    (v2(0x20, 0x00, b""), None),
    (v2(0x20, 0x11, v4_addresses()), None),
    (v2(0x20, 0x77, b""), None),
    (v2(0x21, 0x00, b""), None),
    (v2(0x21, 0x31, bytes(216)), None),
    (v2(0x21, 0x12, v4_addresses()), None),
    (v2(0x21, 0x11, v4_addresses() + bytes(MAX_V2_BYTES - 12)), "192.0.2.7"),
]
BROKEN = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"PROXYTCP4 ",
    b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
    b"PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 ::1 1 2\r\n",
    b"PROXY TCP4 ::1 10.0.0.1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 \r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n\r\n",
    b"PROXY \xff\xfe\r\n",
    b"PROXY UNKNOWN" + b"x" * 100,
    SIGNATURE + b"\x11",
    SIGNATURE + b"\x22",
    SIGNATURE + b"\x21\x13",
    v2(0x21, 0x11, v4_addresses()[:-1]),
    v2(0x21, 0x21, v6_addresses()[:-1]),
    v2(0x21, 0x31, bytes(215)),
    SIGNATURE + b"\x20\x00" + (MAX_V2_BYTES + 1).to_bytes(2, "big"),
]


@pytest.mark.parametrize(("header", "peer"), VALID)
def test_a_header_names_the_client_and_ends_where_the_client_begins(
    header: bytes, peer: str | None
) -> None:
    found = read_proxy_header(header + REQUEST)

    assert found == ProxyHeader(peer, len(header))


@pytest.mark.parametrize("header", BROKEN)
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read_proxy_header(header)


def verdict(data: bytes) -> ProxyHeader | str | None:
    try:
        return read_proxy_header(data)
    except ProxyHeaderError:
        return "refused"


@pytest.mark.parametrize("header", [header for header, _ in VALID] + BROKEN)
def test_cut_anywhere_the_verdict_is_the_same_or_not_yet(header: bytes) -> None:
    whole = verdict(header)

    verdicts = [verdict(header[:end]) for end in range(len(header))]

    decided = [found for found in verdicts if found is not None]
    assert all(found == whole for found in decided)
    assert verdicts[: len(verdicts) - len(decided)] == [None] * (len(verdicts) - len(decided))


@given(
    start=st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
    rest=st.binary(max_size=200),
    cut=st.integers(0, 200),
)
def test_garbage_raises_nothing_of_its_own_and_never_changes_its_mind(
    start: bytes, rest: bytes, cut: int
) -> None:
    data = start + rest

    early, late = verdict(data[:cut]), verdict(data)

    assert early is None or early == late


@given(rest=st.binary(min_size=107, max_size=107))
def test_no_more_than_a_line_is_waited_for(rest: bytes) -> None:
    assert verdict(b"PROXY " + rest) is not None


@given(source=st.ip_addresses(), tlvs=st.binary(max_size=300))
def test_every_address_comes_through_both_versions(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address, tlvs: bytes
) -> None:
    is_v4 = source.version == 4
    addresses = v4_addresses(str(source)) if is_v4 else v6_addresses(str(source))
    binary = v2(0x21, 0x11 if is_v4 else 0x21, addresses + tlvs)
    other = "10.0.0.1" if is_v4 else "::1"
    text = f"PROXY TCP{source.version} {source} {other} 1 2\r\n".encode()

    found = [read_proxy_header(header) for header in (binary, text)]

    assert [header and header.peer for header in found] == [str(source)] * 2
