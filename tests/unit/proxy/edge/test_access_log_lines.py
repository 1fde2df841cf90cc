"""What an access log says, and what it does when the disk does not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import msgspec
import pytest

from proxy.edge.access_log import AccessLog, Addresses, _pieces
from proxy.edge.observer import ExchangeFacts
from proxy.routing import RequestHead, decide
from proxy.storage.tables import parse_routing

TABLE = parse_routing(
    b"""\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["header:Session-Id"]
domains:
  catalog:
    owner: shop
    stage: canary
    core_share: 50%
    routes: [{path: "/p/{id}", methods: [GET]}]
""",
    "routing.yaml",
)
DECISION = decide(RequestHead("GET", "/p/1", {"session-id": "x"}), TABLE)
FACTS = ExchangeFacts(
    request_id="id-1",
    method="GET",
    target=b"/p/1?email=jane@example.org",
    decision=DECISION,
    status=200,
    peer=b"192.0.2.77",
    began_ns=1_700_000_000_123_456_789,
    elapsed_us=12_340,
    bytes_out=5,
)


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_what_happened_and_no_query() -> None:
    line = json.loads(AccessLog("-", Addresses.MASKED).line(FACTS))

    assert line == {
        "at": "2023-11-14T22:13:20.123Z",
        "request_id": "id-1",
        "method": "GET",
        "path": "/p/1",
        "status": 200,
        "domain": "catalog",
        "route": DECISION.route,
        "side": str(DECISION.side),
        "stage": "canary",
        "bytes_in": 0,
        "bytes_out": 5,
        "elapsed_ms": 12.34,
        "ended": "answered",
        "bucket": DECISION.bucket,
        "client": "192.0.2.0",
    }


def test_a_request_that_was_refused_before_routing_has_a_line_too() -> None:
    facts = ExchangeFacts("id-2", "", b"", None, 400, b"192.0.2.7", 0, 50, ended="refused")

    line = json.loads(AccessLog("-", Addresses.MASKED).line(facts))

    assert (line["status"], line["ended"], line["client"]) == (400, "refused", "192.0.2.0")
    assert not {"domain", "route", "side", "stage"} & set(line)


@pytest.mark.parametrize(
    ("peer", "addresses", "shown"),
    [
        (b"192.0.2.77", Addresses.FULL, "192.0.2.77"),
        (b"192.0.2.77", Addresses.NONE, None),
        (b"2001:db8:1:2:3::9", Addresses.MASKED, "2001:db8:1::"),
        (b"unknown", Addresses.MASKED, None),
    ],
)
def test_an_address_is_kept_as_far_as_asked(
    peer: bytes, addresses: Addresses, shown: str | None
) -> None:
    facts = msgspec.structs.replace(FACTS, peer=peer)

    assert json.loads(AccessLog("-", addresses).line(facts)).get("client") == shown


def test_a_target_of_any_bytes_stays_one_line(tmp_path: Path) -> None:
    target = bytes(range(33, 256)).replace(b"?", b"")
    log = AccessLog(str(tmp_path / "log"), Addresses.NONE)

    assert log.take([msgspec.structs.replace(FACTS, target=target)]) is None
    (line,) = read(tmp_path / "log")
    assert unquote_to_bytes(str(line["path"])) == unquote_to_bytes(target)
    assert str(line["path"]).isascii()


def test_a_moved_file_is_made_anew_and_a_cut_one_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = AccessLog(str(path), Addresses.NONE)
    log.take([FACTS, FACTS])
    path.rename(tmp_path / "old")

    log.take([FACTS])
    os.truncate(path, 0)
    log.take([FACTS, FACTS])

    assert len(read(tmp_path / "old")) == 2
    assert len(read(path)) == 2


def test_a_disk_that_refuses_loses_the_batch_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "log"
    log = AccessLog(str(path), Addresses.NONE)

    assert log.take([FACTS]) == "write_error"
    path.parent.mkdir()
    assert log.take([FACTS]) is None
    assert len(read(path)) == 1


def test_a_full_device_is_an_error_and_not_a_crash() -> None:
    assert AccessLog("/dev/full", Addresses.NONE).take([FACTS]) == "write_error"


def test_pieces_end_where_lines_end_and_lose_nothing() -> None:
    data = b"".join(b"x" * n + b"\n" for n in range(1, 60))

    pieces = _pieces(data, 100)

    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") and len(piece) <= 100 for piece in pieces)
    assert _pieces(b"y" * 300 + b"\nz\n", 100) == [b"y" * 300 + b"\n", b"z\n"]
    assert _pieces(b"", 100) == []
