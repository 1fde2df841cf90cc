"""A retirement's folder: what it holds, and that no change of it stays unseen."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cutover.errors import CannotRead, CannotWrite
from cutover.storage.certificate import archive, certify, public_hex, signing_key, verify

FILES = ("certificate.json", "certificate.sig", "order_line.jsonl.gz", "order_order.jsonl.gz")


async def lines(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield json.dumps({"id": number}).encode() + b"\n"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    made = tmp_path / "orders"
    made.mkdir()
    files = [await archive(made, name, lines(3)) for name in ("order_order", "order_line")]
    certify(made, signing_key(tmp_path / "key.pem"), {"domain": "orders", "days": 30}, files)
    return made


def test_a_folder_as_it_was_signed_is_right(folder: Path) -> None:
    told, problems = verify(folder)

    assert told["domain"] == "orders"
    assert problems == ()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 30, -2])
def test_a_changed_byte_of_any_file_is_seen(folder: Path, name: str, place: int) -> None:
    path = folder / name
    body = bytearray(path.read_bytes())
    body[place] ^= 0x01
    path.write_bytes(body)

    assert is_wrong(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_missed(folder: Path, name: str) -> None:
    (folder / name).unlink()

    assert is_wrong(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_is_seen(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-5])

    assert is_wrong(folder)


def is_wrong(folder: Path) -> bool:
    try:
        return bool(verify(folder)[1])
    except CannotRead:
        return True


def test_a_file_that_was_added_is_named(folder: Path) -> None:
    (folder / "more.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))

    assert verify(folder)[1] == ("more.jsonl.gz is not in the certificate",)


def test_who_signs_anew_with_another_key_is_caught_by_the_right_one(
    folder: Path, tmp_path: Path
) -> None:
    right = public_hex(signing_key(tmp_path / "key.pem"))
    forger = signing_key(tmp_path / "forger.pem")
    certify(folder, forger, {"domain": "orders", "days": 3_000}, [])
    for name in FILES[2:]:
        (folder / name).unlink()

    assert verify(folder)[1] == ()
    assert "it was signed by" in verify(folder, right)[1][0]


def test_a_name_that_leads_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "certificate.json").read_text())
    told["files"][0]["name"] = "../key.pem"
    (folder / "certificate.json").write_text(json.dumps(told))

    assert "../key.pem lies outside of the folder" in verify(folder)[1]


def test_a_key_is_made_for_its_owner_alone_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.pem"

    first, second = signing_key(path), signing_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert public_hex(first) == public_hex(second)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing_key(path)
    path.chmod(0o644)

    with pytest.raises(CannotRead, match="others may read"):
        signing_key(path)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("no key")
    path.chmod(0o600)

    with pytest.raises(CannotRead, match="no Ed25519 key"):
        signing_key(path)


async def test_an_archive_is_never_written_over(folder: Path) -> None:
    with pytest.raises(CannotWrite):
        await archive(folder, "order_order", lines(1))


async def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    first = await archive(tmp_path, "one", lines(9))
    second = await archive(tmp_path, "two", lines(9))

    assert first.sha256 == second.sha256
