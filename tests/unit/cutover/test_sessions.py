"""Sessions, their seal, and where one may go after signing in."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.access import Role
from cutover.core.sessions import (
    IDLE_S,
    LONGEST_S,
    Ended,
    Seal,
    Session,
    number_kept,
    safe_next,
)
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.room_files import EndedSessions, RoomKey, SignIns

SEAL = Seal(b"k" * 32)
ROLES = frozenset((Role.VIEWER, Role.APPROVER))
SESSION = Session("n" * 24, "eva", 3, 1_000.0, 1_000.0)


@given(
    name=st.text(max_size=20),
    generation=st.integers(0, 99),
    roles=st.frozensets(st.sampled_from(Role)),
)
def test_a_session_comes_back_as_it_was(name: str, generation: int, roles: frozenset[Role]) -> None:
    session = replace(SESSION, name=name, generation=generation, roles=roles)

    text = SEAL.session_text(session)

    assert SEAL.session(text) == session
    assert text.isascii()
    assert not set(text) & set('";, \\')


@given(st.data())
def test_a_changed_cookie_is_none(data: st.DataObject) -> None:
    text = SEAL.session_text(SESSION)
    at = data.draw(st.integers(0, len(text) - 1))
    # What a header can hold.
    other = data.draw(st.characters(max_codepoint=255).filter(lambda one: one != text[at]))

    assert SEAL.session(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.é", "=" * 99, "x" * 100_000])
def test_garbage_is_no_session(text: str) -> None:
    assert SEAL.session(text) is None


def test_what_was_sealed_for_another_use_or_by_another_room_is_no_session() -> None:
    told = ["n", "eva", 1, 0, 0, []]

    assert SEAL.session(SEAL.sealed("away", told)) is None
    assert SEAL.session(Seal(b"x" * 32).sealed("session", told)) is None
    assert SEAL.session(SEAL.sealed("session", ["of", "another", "version"])) is None
    assert SEAL.session(SEAL.sealed("session", ["n", "eva", 0, 0, 0, ["king"]])) is None


def test_a_session_ends_when_left_alone_and_when_old() -> None:
    assert not SESSION.is_over(1_000 + IDLE_S - 1)
    assert SESSION.is_over(1_000 + IDLE_S)
    kept_up = replace(SESSION, seen_s=1_000 + LONGEST_S - 5)
    assert not kept_up.is_over(1_000 + LONGEST_S - 1)
    assert kept_up.is_over(1_000 + LONGEST_S)
    assert SESSION.is_over(0.0)


def test_being_seen_is_written_down_once_a_minute() -> None:
    assert SESSION.seen(1_059) is None
    renewed = SESSION.seen(1_060)
    assert renewed is not None
    assert (renewed.seen_s, renewed.ends_s) == (1_060, SESSION.ends_s)


def test_secrets_do_not_show_when_printed() -> None:
    assert "nnnn" not in repr(SESSION)
    assert "kkkk" not in repr(SEAL)


@pytest.mark.parametrize(
    "told", ["/", "/domains/catalog?x=1", "/data/a%20b", "/mismatches/v1:00?example=2#top"]
)
def test_a_path_of_the_room_is_gone_to(told: str) -> None:
    assert safe_next(told) == told


@pytest.mark.parametrize(
    "told",
    [
        "", "x", "//evil", "///evil", "/\\evil", "\\\\evil", "https://evil", "/\t/evil", "/\n/evil",
        "javascript:alert(1)", "/ /evil", "/é", "/signin", "/signin?next=/", "/signout",
        "/signin/back", "/" + "x" * 2_000, "http:/evil", " //evil",
    ],
)  # fmt: skip
def test_any_other_address_leads_to_the_first_page(told: str) -> None:
    assert safe_next(told) == "/"


@given(st.text(alphabet="/\\.:@evil\t\n\r ?#%", max_size=12))
def test_no_address_leads_out_of_the_house(told: str) -> None:
    gone = urljoin("http://room/signin", safe_next(told).replace("\\", "/"))

    assert urlsplit(gone).netloc == "room"


def test_the_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "var" / "room.key"

    first, second = RoomKey(path).seal(), RoomKey(path).seal()

    assert first == second
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["room.key"]


@pytest.mark.parametrize("content", [b"", b"00", b"\xff" * 64, b"z" * 64])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "room.key").write_bytes(content)

    with pytest.raises(CannotRead, match="holds no key"):
        RoomKey(tmp_path / "room.key").seal()


def test_an_ended_session_stays_ended_after_a_restart_and_its_number_is_not_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ended-sessions.json"
    EndedSessions(path).add(SESSION, 2_000)
    later = replace(SESSION, number="m" * 24, began_s=1_000 + LONGEST_S)

    after = EndedSessions(path)

    assert after.has(SESSION)
    assert not after.has(later)
    assert "nnnn" not in path.read_text()
    after.add(later, 1_000 + LONGEST_S)
    assert not EndedSessions(path).has(SESSION)  # it would be over by itself
    assert EndedSessions(path).has(later)


def test_a_session_that_one_room_ended_has_ended_in_all_rooms_over_the_folder(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ended-sessions.json"
    here, there = EndedSessions(path), EndedSessions(path)
    other = replace(SESSION, number="m" * 24)
    assert not there.has(SESSION)

    here.add(SESSION, 2_000)
    there.add(other, 2_000)

    assert there.has(SESSION)
    assert here.has(other)
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_many_rooms_that_end_sessions_at_once_none_loses_anothers(tmp_path: Path) -> None:
    path = tmp_path / "ended-sessions.json"
    sessions = [replace(SESSION, number=str(number) * 24) for number in range(8)]

    enders = [
        threading.Thread(target=EndedSessions(path).add, args=(one, 2_000)) for one in sessions
    ]
    for ender in enders:
        ender.start()
    for ender in enders:
        ender.join(60)

    assert all(EndedSessions(path).has(one) for one in sessions)


def test_a_file_that_vanishes_brings_no_session_back_while_the_room_runs(tmp_path: Path) -> None:
    path = tmp_path / "ended-sessions.json"
    room = EndedSessions(path)
    room.add(SESSION, 2_000)

    path.unlink()
    assert room.has(SESSION)
    room.add(replace(SESSION, number="m" * 24), 2_000)

    assert EndedSessions(path).has(SESSION)


def test_a_session_that_cannot_be_written_down_has_ended_in_this_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ended-sessions.json"
    room, other = EndedSessions(path), replace(SESSION, number="m" * 24)

    def full(*_: object, **__: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("cutover.storage.room_files.write_draft", full)
        with pytest.raises(CannotWrite, match="no space left"):
            room.add(SESSION, 2_000)

    assert (room.has(SESSION), EndedSessions(path).has(SESSION)) == (True, False)
    room.add(other, 2_000)
    assert all(EndedSessions(path).has(one) for one in (SESSION, other))


BEGAN = st.lists(st.integers(0, 40_000), min_size=1, max_size=12, unique=True)


@given(began=BEGAN, most=st.integers(1, 5), now_s=st.integers(0, 90_000))
def test_the_list_stays_small_and_brings_no_session_back(
    began: list[int], most: int, now_s: int
) -> None:
    sessions = [replace(SESSION, number=f"n{at_s}", began_s=float(at_s)) for at_s in began]
    ended = Ended()

    for one in sessions:
        ended = ended.with_session(one, now_s, most)

    assert len(ended.until) <= most
    assert all(ended.has(one) for one in sessions if one.ends_s > now_s)
    assert all(until > now_s for until in ended.until.values())


def test_of_a_list_that_is_not_full_no_other_session_ends() -> None:
    ended = Ended().with_session(SESSION, 2_000)

    assert not ended.has(replace(SESSION, number="m" * 24))
    assert not ended.has(replace(SESSION, number="m" * 24, began_s=0.0))


def test_a_list_that_is_too_full_ends_the_sessions_that_began_first() -> None:
    early = replace(SESSION, number="a" * 24, began_s=500.0)
    late = replace(SESSION, number="b" * 24, began_s=1_500.0)

    ended = Ended().with_session(SESSION, 2_000, 1).with_session(late, 2_000, 1)

    assert (ended.has(SESSION), ended.has(early), ended.has(late)) == (True, True, True)
    assert not ended.has(replace(late, number="c" * 24))


def test_what_an_older_room_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ended-sessions.json"
    path.write_text(json.dumps({number_kept(SESSION.number): SESSION.ends_s}))

    assert EndedSessions(path).has(SESSION)


def test_sign_ins_are_told_to_every_room_and_a_damaged_file_keeps_nobody_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sign-ins.json"
    here, there = SignIns(path), SignIns(path)

    here.note("eva", 1_000.0)
    there.note("vic", 2_000.0)
    here.note("eva", 3_000.0)

    assert there.all() == {"eva": 3_000.0, "vic": 2_000.0}
    path.write_text("[")
    assert here.all() == {}
    here.note("eva", 4_000.0)
    assert there.all() == {"eva": 4_000.0}
    SignIns(path / "no folder" / "x").note("eva", 1.0)


@pytest.mark.parametrize("content", ["[]", "{", '{"a": "b"}', '{"a": null}', "1", '{"a": NaN}'])
def test_damaged_ended_sessions_let_nobody_in(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ended-sessions.json"
    path.write_text(content)

    with pytest.raises(CannotRead, match="damaged"):
        EndedSessions(path).has(SESSION)
