"""The rules of the book of people and tokens, and the file that it is kept in."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.access import Role
from cutover.core.people import Book, Person, Token, end_of, problem_with_password
from cutover.errors import CannotRead, PeopleError
from cutover.service.passwords import (
    digest_of,
    hash_password,
    is_password,
    new_password,
    new_token,
)
from cutover.storage.people_file import PeopleFile

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GOOD = {
    "roles": ["viewer"], "password": "x", "disabled": False, "generation": 1,
    "since": "2026-11-23T00:00:00+00:00",
}  # fmt: skip
VIEWER = frozenset((Role.VIEWER,))


def person(name: str = "eva", roles: frozenset[Role] = VIEWER) -> Person:
    return Person(name, roles, "hash", NOW)


def token(name: str = "grafana", expires: datetime | None = None) -> Token:
    return Token(name, VIEWER, "ab" * 32, NOW, expires)


def test_a_name_is_one_persons_or_one_programs() -> None:
    book = Book().with_person(person()).with_token(token())

    for again in (person("eva"), person("grafana")):
        with pytest.raises(PeopleError, match="choose another name"):
            book.with_person(again)
    with pytest.raises(PeopleError, match="choose another name"):
        book.with_token(token("eva"))


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "a b", "Eva", "é", "x" * 65, "a\nb", "../a", "a/b"]
)
def test_a_name_that_would_read_badly_in_the_ledger_is_refused(name: str) -> None:
    with pytest.raises(PeopleError, match="is no name"):
        Book().with_person(person(name))


def test_somebody_without_a_role_is_not_added() -> None:
    with pytest.raises(PeopleError, match="needs a role"):
        Book().with_person(person(roles=frozenset()))


def test_a_new_password_and_being_shut_out_end_sessions_and_new_roles_do_not() -> None:
    book = Book().with_person(person())

    assert book.with_password("EVA", "other").person("eva").generation == 2
    assert book.with_disabled("eva", disabled=True).person("eva").generation == 2
    assert book.with_disabled("eva", disabled=False).person("eva").generation == 1
    assert book.with_roles("eva", frozenset((Role.ADMIN,))).person("eva").generation == 1


def test_somebody_unknown_cannot_be_changed() -> None:
    with pytest.raises(PeopleError, match="nobody is called bob"):
        Book().with_roles("bob", VIEWER)
    with pytest.raises(PeopleError, match="no token is called bob"):
        Book().without_token("bob")


@pytest.mark.parametrize("how", ["shut out", "another role"])
def test_the_last_admin_who_may_sign_in_stays_one(how: str) -> None:
    admin = frozenset((Role.ADMIN,))
    book = Book().with_person(person("eva", admin)).with_person(person("olga", admin))
    book = book.with_disabled("olga", disabled=True).with_person(person("vic"))
    book = book.with_token(Token("robot", admin, "ab" * 32, NOW))

    def taken(book: Book) -> Book:
        if how == "shut out":
            return book.with_disabled("eva", disabled=True)
        return book.with_roles("eva", VIEWER)

    with pytest.raises(PeopleError, match="eva is the last admin; make somebody else one first"):
        taken(book)
    assert taken(book.with_roles("vic", admin)).admins == {"vic"}


CHANGES = st.tuples(
    st.sampled_from("abc"), st.booleans() | st.frozensets(st.sampled_from(Role), min_size=1)
)


@given(st.lists(CHANGES, max_size=12))
def test_no_row_of_changes_takes_the_last_admin_away(
    changes: list[tuple[str, bool | frozenset[Role]]],
) -> None:
    book = Book()
    for name in "abc":
        book = book.with_person(person(name, frozenset((Role.ADMIN,))))

    for name, change in changes:
        with contextlib.suppress(PeopleError):
            book = (
                book.with_disabled(name, disabled=change)
                if isinstance(change, bool)
                else book.with_roles(name, change)
            )

        assert book.admins


def test_a_book_without_an_admin_can_be_changed() -> None:
    book = Book().with_person(person("vic"))

    assert book.with_disabled("vic", disabled=True).person("vic").disabled


def test_a_token_is_void_from_its_end_on() -> None:
    end = end_of("90d", NOW)
    ending = token(expires=end)

    assert end == NOW + timedelta(days=90)
    assert not ending.is_void(end - timedelta(seconds=1))
    assert ending.is_void(end)
    assert not token().is_void(NOW + timedelta(weeks=5_000))


@pytest.mark.parametrize("span", ["", "0d", "-1d", "1", "d", "1y", "1.5d", "1d ago", "999999d"])
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(PeopleError, match="is no span"):
        end_of(span, NOW)


@pytest.mark.parametrize("bad", ["", "brief", "x" * 11, "a" * 40, "a" * 257, "abcabcabcabc"])
def test_a_weak_password_is_refused_without_repeating_it(bad: str) -> None:
    problem = problem_with_password("eva", bad)

    assert problem is not None
    assert not bad or bad not in problem


def test_a_long_sentence_will_do_and_ones_own_name_will_not() -> None:
    assert problem_with_password("eva", "eleven quiet herons") is None
    assert problem_with_password("eva@shop.test", "Eva@shop.test") is not None


def test_a_password_is_known_by_its_hash_alone() -> None:
    hashed = hash_password("eleven quiet herons")

    assert "herons" not in hashed
    assert is_password(hashed, "eleven quiet herons")
    assert not is_password(hashed, "eleven quiet heron")
    assert not is_password(None, "eleven quiet herons")
    assert not is_password("damaged", "eleven quiet herons")
    assert not is_password(hashed, "x" * 100_000)


def test_passwords_that_are_made_differ_and_will_do() -> None:
    first, second = new_password(), new_password()

    assert first != second
    assert re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", first)
    assert problem_with_password("eva", first) is None


def test_tokens_differ_and_their_digest_tells_nothing() -> None:
    first, second = new_token(), new_token()

    assert first != second
    assert first.startswith("banyan_")
    assert len(first) >= 50
    assert first.removeprefix("banyan_") not in digest_of(first)


ROLES = st.frozensets(st.sampled_from(Role), min_size=1)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._@+-]{0,10}", fullmatch=True)


@given(people=st.dictionaries(NAMES, ROLES, max_size=4), off=st.booleans())
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, people: dict[str, frozenset[Role]], off: bool
) -> None:
    path = tmp_path_factory.mktemp("people") / "people.json"

    def made(book: Book) -> Book:
        for name, roles in people.items():
            book = book.with_person(replace(person(name, roles), disabled=off))
        return book.with_token(token("a program".replace(" ", "-"), NOW))

    people.pop("a-program", None)
    written = PeopleFile(path).change(made)

    assert PeopleFile(path).book() == written


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    people = PeopleFile(tmp_path / "var" / "people.json")

    people.change(lambda book: book.with_person(person()))

    assert stat.S_IMODE(people.path.stat().st_mode) == 0o600
    assert sorted(one.name for one in people.path.parent.iterdir()) == [
        ".people.json.lock",
        "people.json",
    ]


def test_a_change_by_another_process_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    room = PeopleFile(path)
    assert not room.book()

    PeopleFile(path).change(lambda book: book.with_person(person()))

    assert room.book().person("eva").roles == VIEWER


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b'{"version": 2, "people": {}, "tokens": {}}', b"\xff\xfe", b"[" * 9_999,
        b'{"version": 1, "people": {"eva": {}}, "tokens": {}}',
        *(
            json.dumps({"version": 1, "people": {"eva": GOOD | bad}, "tokens": {}}).encode()
            for bad in (
                {"roles": ["king"]}, {"disabled": "no"}, {"generation": "1"},
                {"since": "2026-11-23"}, {"since": "yesterday"}, {"roles": 3},
            )
        ),
    ],
)  # fmt: skip
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    people = PeopleFile(tmp_path / "people.json")
    people.change(lambda book: book.with_person(person()))

    people.path.write_bytes(content)

    for _ in range(2):
        with pytest.raises(CannotRead, match=r"people\.json is damaged: put a good copy"):
            people.book()


def test_a_refused_change_leaves_the_file_alone(tmp_path: Path) -> None:
    people = PeopleFile(tmp_path / "people.json")
    people.change(lambda book: book.with_person(person()))
    before = people.path.read_bytes()

    with pytest.raises(PeopleError):
        people.change(lambda book: book.with_person(person()))

    assert people.path.read_bytes() == before


def test_of_many_writers_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "people.json"

    def adding(name: str) -> Callable[[], object]:
        return lambda: PeopleFile(path).change(lambda book: book.with_person(person(name)))

    names = [f"p{number}" for number in range(8)]
    writers = [threading.Thread(target=adding(name)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert sorted(PeopleFile(path).book().people) == names
