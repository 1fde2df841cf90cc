"""The kill file: what it says, and that no kill is lost when several write."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Kill, parse_kill
from proxy.storage.kill_file import (
    ALL,
    KillWatcher,
    add_kill,
    read_kill,
    remove_kill,
    understood,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "kill"


def test_no_file_kills_nothing(file: Path) -> None:
    assert not read_kill(file).kill
    assert remove_kill(file) == Kill()


def test_scopes_add_up_and_are_taken_back_one_by_one(file: Path) -> None:
    add_kill(file, parse_kill("domain:cart"))
    add_kill(file, parse_kill("shadow"))
    add_kill(file, parse_kill("domain:cart"))

    assert read_kill(file).kill == parse_kill("domain:cart, shadow")
    assert remove_kill(file, parse_kill("domain:cart")) == parse_kill("shadow")
    assert remove_kill(file, parse_kill("shadow")) == Kill()
    assert not file.exists()
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"# why\n", b"nonsense", b"\xff\xfe", b"a" * 70_000]
)
def test_what_says_nothing_or_cannot_be_understood_kills_everything(content: bytes) -> None:
    assert understood(content).kill == ALL
    assert (understood(content).problem is None) == (content in (b"", b"\n", b"# why\n"))


@given(st.binary(max_size=200))
def test_a_file_that_is_there_always_kills_something(content: bytes) -> None:
    assert understood(content).kill


def test_a_kill_added_to_an_empty_file_does_not_make_it_milder(file: Path) -> None:
    file.parent.mkdir()
    file.touch()

    add_kill(file, parse_kill("shadow"))

    assert read_kill(file).kill == ALL


def test_a_line_without_an_end_is_not_joined_with_the_next(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("domain:cart")

    add_kill(file, parse_kill("shadow"))

    assert read_kill(file).kill == parse_kill("domain:cart shadow")


def test_no_kill_is_lost_between_many_who_kill_and_one_who_releases(file: Path) -> None:
    add_kill(file, parse_kill("domain:first"))

    def kill(n: int) -> None:
        for m in range(15):
            add_kill(file, parse_kill(f"domain:d{n}-{m}"))

    threads = [threading.Thread(target=kill, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        remove_kill(file, parse_kill("domain:first"))
        add_kill(file, parse_kill("domain:first"))
    for thread in threads:
        thread.join()

    expected = {f"d{n}-{m}" for n in range(4) for m in range(15)} | {"first"}
    assert read_kill(file).kill.domains == expected


def test_a_file_that_cannot_be_read_kills_everything(file: Path) -> None:
    file.mkdir(parents=True)

    found = read_kill(file)

    assert found.kill == ALL
    assert found.problem is not None
    assert str(file) in found.problem


def test_the_watcher_notices_each_change(file: Path) -> None:
    watcher = KillWatcher(file)
    assert not watcher.read().kill
    while watcher.is_due():
        watcher.read()

    add_kill(file, ALL)
    assert watcher.is_due()
    assert watcher.read().kill == ALL
    # A second edit within one tick of the file system's clock: same size, same time.
    stamp = file.stat()
    file.write_text("dom\n")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert watcher.is_due()
    while watcher.is_due():
        watcher.read()

    file.unlink()
    assert watcher.is_due()
    assert not watcher.read().kill
