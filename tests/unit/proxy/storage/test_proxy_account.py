"""The account: counters that outlive their process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.storage import Account, AccountError, counter_name, read_account, split_name

LABELS = st.lists(st.text(alphabet=st.characters(exclude_characters="%")), max_size=4)


def test_counters_read_back_as_they_were_counted(tmp_path: Path) -> None:
    account = Account.create(tmp_path / "account")
    slot = account.slot("mirrored|catalog|GET /")

    account.values[slot] += 3
    account.add("dropped|catalog|GET /|queue_full")
    counters, _ = read_account(tmp_path / "account")
    account.close()

    assert counters == {"mirrored|catalog|GET /": 3, "dropped|catalog|GET /|queue_full": 1}


def test_counters_survive_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path; from proxy.storage import Account\n"
        "account = Account.create(Path(sys.argv[1]))\n"
        "for n in range(1000): account.add(f'requests|{n % 7}')\n"
        "account.note('revision abc')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )

    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], check=False)
    counters, note = read_account(tmp_path / "a")

    assert ended.returncode == -signal.SIGKILL
    assert sum(counters.values()) == 1000
    assert len(counters) == 7
    assert note == "revision abc"


def test_an_account_taken_over_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Account.create(tmp_path / "account")
    first.add("a", 5)
    first.close()

    second = Account.open(tmp_path / "account")
    second.add("a")
    second.add("b")
    second.close()

    assert read_account(tmp_path / "account")[0] == {"a": 6, "b": 1}


def test_a_note_is_replaced_whole_and_cut_to_its_place(tmp_path: Path) -> None:
    account = Account.create(tmp_path / "account")

    account.note("x" * 10_000)
    long_note = read_account(tmp_path / "account")[1]
    account.note("short")
    short_note = read_account(tmp_path / "account")[1]
    account.close()

    assert set(long_note) == {"x"}
    assert len(long_note) < 4_096
    assert short_note == "short"


def test_a_half_written_note_is_no_note(tmp_path: Path) -> None:
    account = Account.create(tmp_path / "account")
    account.note("revision abc")

    account._map[24:26] = b"??"
    note = read_account(tmp_path / "account")[1]
    account.close()

    assert note == ""


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "account"
    path.write_bytes(b"something else")

    with pytest.raises(AccountError):
        read_account(path)
    with pytest.raises(AccountError):
        Account.open(path)


def test_a_full_account_counts_on_in_its_overflow(tmp_path: Path) -> None:
    account = Account.create(tmp_path / "account")
    for n in range(65_535):
        account.slot(f"c{n}")

    account.add("one too many", 2)
    counters, _ = read_account(tmp_path / "account")
    account.close()

    assert counters["account_overflow"] == 2
    assert "one too many" not in counters


def test_threads_that_ask_for_the_same_new_counter_get_the_same_slot(tmp_path: Path) -> None:
    account = Account.create(tmp_path / "account")
    barrier = threading.Barrier(4)
    seen: list[list[int]] = []

    def ask() -> None:
        barrier.wait()
        seen.append([account.slot(f"c{n}") for n in range(500)])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account.close()

    assert all(slots == seen[0] for slots in seen)
    assert len(set(seen[0])) == 500


def test_the_file_takes_little_room_until_it_is_used(tmp_path: Path) -> None:
    Account.create(tmp_path / "account").close()

    assert (tmp_path / "account").stat().st_blocks * 512 < 64 * 1024


@given(kind=st.from_regex(r"[a-z_]+", fullmatch=True), labels=LABELS)
def test_names_split_into_what_they_were_made_of(kind: str, labels: list[str]) -> None:
    assert split_name(counter_name(kind, *labels)) == (kind, tuple(labels))
