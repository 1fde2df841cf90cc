"""Signing in and out, sessions, tokens, and forms of a room that asks who comes."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cutover.api.admin import admin_app
from cutover.api.readings import Table
from cutover.api.visiting import visitor
from cutover.api.writing import Doorkeeper
from cutover.core.access import Permission, Role
from cutover.core.sessions import IDLE_S, LONGEST_S
from cutover.service.passwords import hash_password
from tests.fakes.evidence import FakeEvidence
from tests.support.admin_room import AdminRoom
from tests.support.asgi import Answered, send_to
from tests.support.closed_room import PASSWORD, ClosedRoom
from tests.support.room import Sources
from tests.unit.cutover_room.samples import NOW_S, STORES, a_domain, a_group, an_example
from tests.unit.cutover_room.test_room_groups import PAGE, Keeper

FINGERPRINT = a_group().fingerprint


@pytest.fixture
def room(tmp_path: Path) -> ClosedRoom:
    evidence = FakeEvidence(found={FINGERPRINT: (a_group(), [an_example()])})
    sources = Sources(
        table=Table("r", (a_domain("catalog"),), STORES), evidence=evidence, now_s=NOW_S
    )
    room = ClosedRoom(tmp_path, sources, Keeper(evidence))
    room.add("eva", Role.OPERATOR)
    room.add("vic", Role.VIEWER)
    return room


async def status(room: ClosedRoom, cookie: str) -> int:
    return (await room.ask("/api/overview", cookie)).status


def field_of(html: str, name: str) -> str:
    found: list[str] = re.findall(rf'name="{name}" value="([^"]*)"', html)
    return found[-1]


def sign_out_token(html: str) -> str:
    found: list[str] = re.findall(
        r'/signout"><input type="hidden" name="token" value="(\w+)"', html
    )
    return found[0]


async def test_a_page_leads_to_signing_in_and_back_to_where_one_was_going(room: ClosedRoom) -> None:
    away = await room.ask("/mismatches?state=new&sort=first")
    page = await room.ask(away.headers["location"])
    back = await room.sends(
        "/signin",
        name="eva",
        password=PASSWORD,
        next=field_of(page.text, "next").replace("&amp;", "&"),
    )

    assert away.status == 303
    assert back.status == 303
    assert back.headers["location"] == "/mismatches?state=new&sort=first"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("evil", ["//evil.test", "https://evil.test", "/\\evil.test", "/%09/evil"])
async def test_signing_in_leads_nowhere_else(room: ClosedRoom, evil: str) -> None:
    page = await room.ask(f"/signin?next={quote(evil, safe='')}")
    answer = await room.sends("/signin", name="eva", password=PASSWORD, next=evil)

    assert field_of(page.text, "next") in ("/", "/%09/evil")
    assert answer.headers["location"] in ("/", "/%09/evil")


async def test_the_session_is_kept_from_scripts_and_from_other_pages(room: ClosedRoom) -> None:
    answer = await room.sends("/signin", name="EVA ", password=PASSWORD)

    kept = answer.headers["set-cookie"]
    assert kept.startswith("banyan-room=")
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(kept.split("; "))
    assert "Secure" not in kept
    assert PASSWORD not in kept


@pytest.mark.parametrize(
    ("name", "password"),
    [("eva", "mistaken words"), ("nobody", PASSWORD), ("", ""), ("eva", " " + PASSWORD)],
)
async def test_a_wrong_name_and_a_wrong_password_look_the_same(
    room: ClosedRoom, name: str, password: str
) -> None:
    answer = await room.sends("/signin", name=name, password=password)

    assert answer.status == 401
    assert "The name or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers
    assert not password.strip() or password not in answer.text


async def test_spaces_in_a_password_count(room: ClosedRoom) -> None:
    spaced = hash_password("two  spaces  and more ")
    room.people.change(lambda book: book.with_password("eva", spaced))

    assert await room.signs_in("eva", "two  spaces  and more ")


async def test_whoever_keeps_failing_waits_and_a_restful_name_does_not(room: ClosedRoom) -> None:
    for _ in range(4):
        assert (await room.sends("/signin", name="eva", password="wrong")).status == 401

    answer = await room.sends("/signin", name="eva", password=PASSWORD)
    other = await room.sends("/signin", name="vic", password=PASSWORD)

    assert (answer.status, other.status) == (429, 303)
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many attempts; try again in" in answer.text
    assert room.sources.now_s is not None
    room.sources.now_s += int(answer.headers["retry-after"])
    assert await room.signs_in("eva")


async def test_of_many_guesses_at_once_few_are_looked_at(room: ClosedRoom) -> None:
    answers = await asyncio.gather(
        *(room.sends("/signin", name="eva", password=f"guess {n}") for n in range(30))
    )

    assert sorted({one.status for one in answers}) == [401, 429]
    assert sum(one.status == 401 for one in answers) == 4


async def test_a_session_ends_after_an_hour_alone_and_twelve_in_any_case(room: ClosedRoom) -> None:
    cookie = first = await room.signs_in("eva")
    began = room.sources.now_s = NOW_S + 1
    for minutes in range(50, 700, 50):
        room.sources.now_s = began + minutes * 60
        answer = await room.ask("/api/overview", cookie)
        assert answer.status == 200
        cookie = answer.headers["set-cookie"].partition(";")[0]
    assert await status(room, first) == 401

    room.sources.now_s = NOW_S + LONGEST_S + 1

    assert await status(room, cookie) == 401
    fresh = await room.signs_in("eva")
    room.sources.now_s += IDLE_S + 1
    assert await status(room, fresh) == 401


async def test_signing_out_ends_the_session_wherever_its_cookie_is(room: ClosedRoom) -> None:
    cookie, other = await room.signs_in("eva"), await room.signs_in("eva")
    token = sign_out_token((await room.ask("/", cookie)).text)

    answer = await room.sends("/signout", cookie, token=token)

    assert (answer.status, answer.headers["location"]) == (303, "/signin")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await status(room, cookie), await status(room, other)) == (401, 200)
    room.start()
    assert (await status(room, cookie), await status(room, other)) == (401, 200)


async def test_signing_out_in_one_room_ends_the_session_in_all_rooms_over_the_folder(
    room: ClosedRoom,
) -> None:
    other = ClosedRoom(room.folder, room.sources, room.keeper)
    cookie = await room.signs_in("eva")
    token = sign_out_token((await room.ask("/", cookie)).text)
    assert await status(other, cookie) == 200

    await room.sends("/signout", cookie, token=token)

    assert await status(other, cookie) == 401


async def test_only_the_sessions_own_form_signs_out(room: ClosedRoom) -> None:
    cookie, other = await room.signs_in("eva"), await room.signs_in("vic")
    token = sign_out_token((await room.ask("/", other)).text)

    assert (await room.sends("/signout", cookie, token=token)).status == 403
    assert (await room.sends("/signout", cookie)).status == 403
    assert (await room.ask("/signout", cookie, method="GET")).status == 405
    assert await status(room, cookie) == 200


@pytest.mark.parametrize("change", ["password", "disabled", "gone"])
async def test_a_change_to_a_person_ends_their_sessions_at_once(
    room: ClosedRoom, change: str
) -> None:
    cookie = await room.signs_in("eva")
    assert await status(room, cookie) == 200

    if change == "password":
        room.people.change(lambda book: book.with_password("eva", "x"))
    elif change == "disabled":
        room.people.change(lambda book: book.with_disabled("eva", disabled=True))
    else:
        room.people.change(lambda book: replace(book, people={"vic": book.people["vic"]}))

    assert await status(room, cookie) == 401
    assert (await room.sends("/signin", name="eva", password="x" * 12)).status == 401


async def test_somebody_shut_out_gets_nowhere_with_the_right_password(room: ClosedRoom) -> None:
    room.people.change(lambda book: book.with_disabled("eva", disabled=True))

    answer = await room.sends("/signin", name="eva", password=PASSWORD)

    assert answer.status == 401
    assert "The name or the password is wrong." in answer.text


async def test_new_roles_hold_from_the_next_request_on(room: ClosedRoom) -> None:
    cookie = await room.signs_in("vic")
    before = (await room.ask(PAGE, cookie)).text
    room.people.change(lambda book: book.with_roles("vic", frozenset((Role.OPERATOR,))))

    after = (await room.ask(PAGE, cookie)).text

    assert "What becomes of it" not in before
    assert "What becomes of it" in after


async def test_a_group_is_moved_by_whoever_is_signed_in_whatever_name_they_give(
    room: ClosedRoom,
) -> None:
    cookie = await room.signs_in("eva")
    page = (await room.ask(PAGE, cookie)).text
    token = re.findall(
        r'action="/mismatches[^>]+>\s*<input type="hidden" name="token" value="([^"]+)"', page
    )[0]

    answer = await room.sends(PAGE, cookie, token=token, act="triage", by="mallory", owner="x")

    assert answer.status == 303, answer.text
    assert isinstance(room.keeper, Keeper)
    assert [wish.by for wish in room.keeper.wishes] == ["eva"]
    assert 'name="by"' not in page


async def test_a_program_moves_a_group_under_its_own_name(room: ClosedRoom) -> None:
    token = room.add_token("robot", Role.OPERATOR)
    body = b'{"act": "triage", "by": "eva", "owner": "x"}'

    answer = await room.ask(
        f"/api{PAGE}", token=token, method="POST", body=body, content_type="application/json"
    )

    assert answer.status == 200, answer.text
    assert isinstance(room.keeper, Keeper)
    assert [wish.by for wish in room.keeper.wishes] == ["robot"]


async def test_a_form_belongs_to_the_session_that_opened_it(room: ClosedRoom) -> None:
    room.add("olga", Role.OPERATOR)
    eva, olga = await room.signs_in("eva"), await room.signs_in("olga")
    page = (await room.ask(PAGE, eva)).text
    token = re.findall(
        r'action="/mismatches[^>]+>\s*<input type="hidden" name="token" value="([^"]+)"', page
    )[0]

    answer = await room.sends(PAGE, olga, token=token, act="triage", owner="x")

    assert answer.status == 403
    assert "The form is of another session" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"}, {"host": "evil.test"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("target", [PAGE, f"/api{PAGE}", "/signin", "/signout"])
async def test_another_page_sends_nothing_in_somebodys_name(
    room: ClosedRoom, headers: dict[str, str], target: str
) -> None:
    cookie = await room.signs_in("eva")

    answer = await room.ask(target, cookie, method="POST", body=b"act=triage", **headers)

    assert answer.status == 403
    assert isinstance(room.keeper, Keeper)
    assert room.keeper.wishes == []


async def test_a_token_is_void_from_its_end_on_and_when_revoked(room: ClosedRoom) -> None:
    end = datetime.fromtimestamp(NOW_S + 100, UTC)
    ending, other = (
        room.add_token("ending", Role.VIEWER, expires=end),
        room.add_token("other", Role.VIEWER),
    )
    assert (await room.ask("/api/overview", token=ending)).status == 200

    room.sources.now_s = NOW_S + 100
    room.people.change(lambda book: book.without_token("other"))

    over = await room.ask("/api/overview", token=ending)
    assert (over.status, over.json()["detail"]) == (401, "The token has expired.")
    assert (await room.ask("/api/overview", token=other)).status == 401


async def test_a_wrong_token_counts_even_beside_a_good_cookie(room: ClosedRoom) -> None:
    cookie = await room.signs_in("eva")

    assert (await room.ask("/", cookie, token="banyan_wrong")).status == 401
    assert (await room.ask("/", cookie, token="a.b.c")).status == 401
    assert (await room.ask("/", cookie, authorization="Basic eDp5")).status == 200


async def test_over_https_the_cookie_is_one_that_no_plain_page_can_set(room: ClosedRoom) -> None:
    cookie = await room.signs_in("eva")
    scheme = room.app

    async def secured(scope: dict[str, object], receive: object, send: object) -> None:
        await scheme({**scope, "scheme": "https"}, receive, send)  # type: ignore[arg-type]

    room.app = secured  # type: ignore[assignment]
    answer = await room.ask(
        "/signin", method="POST", body=f"name=eva&password={quote(PASSWORD)}".encode(),
        origin="https://room",
    )  # fmt: skip

    kept = answer.headers["set-cookie"]
    assert kept.startswith("__Host-banyan-room=")
    assert "Secure" in kept.split("; ")
    assert await status(room, kept.partition(";")[0]) == 200
    assert await status(room, cookie) == 401


async def test_a_room_that_closed_stays_closed_though_its_file_is_gone(room: ClosedRoom) -> None:
    assert (await room.ask("/api/overview")).status == 401

    room.people.path.unlink()

    assert (await room.ask("/api/overview")).status == 401
    assert "Sign in" in (await room.ask("/signin")).text


async def test_a_damaged_file_of_people_lets_nobody_in_and_says_so(room: ClosedRoom) -> None:
    cookie = await room.signs_in("eva")
    room.people.path.write_text("{")

    answers = [
        await room.ask("/api/overview", cookie),
        await room.ask("/", cookie),
        await room.ask("/api/overview", token="banyan_x"),
        await room.sends("/signin", name="eva", password=PASSWORD),
    ]

    assert [answer.status for answer in answers] == [503] * 4
    assert all("people.json is damaged" in answer.text for answer in answers)
    assert (await room.ask("/healthz")).status == 200


async def test_a_room_that_knows_nobody_closes_when_the_first_is_added(
    room: ClosedRoom, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    fresh = ClosedRoom(tmp_path / "open", room.sources, room.keeper, may_be_open=True)
    page = await fresh.ask("/")
    assert (page.status, "Sign out" in page.text) == (200, False)
    assert (await fresh.ask("/signin")).status == 303
    assert not (tmp_path / "open" / "room.key").exists()

    fresh.add("eva", Role.VIEWER)

    assert (await fresh.ask("/")).status == 303
    assert await fresh.signs_in("eva")


@pytest.mark.parametrize("target", ["/", "/api/overview", "/metrics", "/events", PAGE])
async def test_an_app_that_no_gate_stands_before_lets_nobody_in(
    room: ClosedRoom, target: str
) -> None:
    bare = room.sources.bare()

    answer = await send_to(bare, "GET", target)

    assert answer.status == 403
    assert "catalog" not in answer.text


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/revisions"), ("POST", "/plans"), ("POST", "/domains/catalog/rollbacks")],
)
async def test_an_admin_api_that_no_gate_stands_before_lets_nobody_in(
    tmp_path: Path, method: str, target: str
) -> None:
    bare = admin_app(AdminRoom(tmp_path / "var").parts, Doorkeeper(b"", frozenset(("room",))))
    sent = {"content-type": "application/json", "idempotency-key": "k"}

    answer = await send_to(bare, method, target, b"{}", sent)

    assert (answer.status, answer.json()["code"]) == (403, "not_allowed")


async def test_a_page_that_no_gate_stands_before_is_made_for_somebody_who_may_nothing() -> None:
    assert not any(visitor().may(permission) for permission in Permission)


async def test_a_room_is_open_only_where_that_was_said(room: ClosedRoom, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    fresh = ClosedRoom(tmp_path / "fresh", room.sources, room.keeper)

    assert (await fresh.ask("/api/overview")).status == 401
    assert "Sign in" in (await fresh.ask("/signin")).text


async def test_a_stream_that_began_in_an_open_room_ends_when_the_room_closes(
    room: ClosedRoom, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    fresh = ClosedRoom(tmp_path / "open", room.sources, room.keeper, may_be_open=True)
    begun, said = asyncio.Event(), bytearray()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def heard(message: Any) -> None:
            said.extend(message.get("body", b""))
            if b"event: parts" in said:
                begun.set()
            await send(message)

        await app(scope, receive, heard)

    app, fresh.app = fresh.app, watched  # type: ignore[assignment]
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(fresh.ask("/events?page=overview"))
        await begun.wait()
        assert not watching.done()

        fresh.add("eva", Role.VIEWER)

    assert watching.result().status == 200


async def test_the_page_names_who_is_signed_in_and_escapes_what_was_typed(
    room: ClosedRoom,
) -> None:
    cookie = await room.signs_in("vic")

    html = (await room.ask("/", cookie)).text
    failed = await room.sends("/signin", name='"><script>alert(1)</script>', password="x")

    assert "<span>vic</span> <button>Sign out</button>" in html
    assert "<script>alert" not in failed.text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * 20_000, b"&".join([b"a=1"] * 50), b""])
async def test_garbage_signs_nobody_in(room: ClosedRoom, body: bytes) -> None:
    answer = await room.ask("/signin", method="POST", body=body, origin="http://room")

    assert answer.status in (401, 422)


async def test_a_stream_ends_when_its_reader_is_shut_out(room: ClosedRoom) -> None:
    cookie = await room.signs_in("eva")
    begun, said = asyncio.Event(), bytearray()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def heard(message: Any) -> None:
            said.extend(message.get("body", b""))
            if b"event: parts" in said:
                begun.set()
            await send(message)

        await app(scope, receive, heard)

    app, room.app = room.app, watched  # type: ignore[assignment]
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(room.ask("/events?page=overview", cookie))
        await begun.wait()
        assert not watching.done()

        room.people.change(lambda book: book.with_disabled("eva", disabled=True))

    assert watching.result().status == 200


async def test_whoever_comes_while_many_are_looked_at_is_sent_away_and_not_counted(
    room: ClosedRoom,
) -> None:
    """Otherwise a crowd of guesses would lock out whoever else signs in."""

    async def guess(number: int) -> Answered:
        body, origin = f"name=n{number}&password=guess".encode(), {"origin": "http://room"}
        return await send_to(room.app, "POST", "/signin", body, origin, client=f"10.0.{number}.1")

    answers = await asyncio.gather(*(guess(number) for number in range(40)))
    away = [number for number, one in enumerate(answers) if one.status == 503]
    again = [(await guess(away[0])).status for _ in range(5)]

    assert {one.status for one in answers} == {401, 503}
    assert answers[away[0]].headers["retry-after"] == "2"
    assert again == [401, 401, 401, 401, 429]
