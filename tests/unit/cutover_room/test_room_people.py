"""The page of people: what admins see and change of who may use the room."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cutover.api.readings import Table
from cutover.core.access import Role
from cutover.core.people import Book
from cutover.service.passwords import digest_of, is_password
from tests.fakes.evidence import FakeEvidence
from tests.support.acting_room import hidden_of, words
from tests.support.asgi import Answered
from tests.support.closed_room import PASSWORD, ClosedRoom
from tests.support.room import Sources
from tests.unit.cutover_room.samples import NOW_S, STORES, a_domain
from tests.unit.cutover_room.test_room_groups import Keeper

ACTS = (
    "/people", "/people/vic/roles", "/people/vic/password", "/people/vic/disable",
    "/people/vic/enable", "/tokens", "/tokens/grafana/revoke",
)  # fmt: skip


@dataclass(slots=True)
class Admin:
    """Somebody in front of the page."""

    room: ClosedRoom
    cookie: str = ""

    async def page(self, query: str = "") -> Answered:
        return await self.room.ask(f"/people{query}", self.cookie)

    async def sends(self, action: str, /, **fields: str) -> Answered:
        """A form with the mark of the page."""
        mark = hidden_of((await self.page()).text, "/people")["token"]
        return await self.room.sends(action, self.cookie, token=mark, **fields)

    @property
    def book(self) -> Book:
        return self.room.people.book()


def a_room(folder: Path, *, may_be_open: bool = False) -> ClosedRoom:
    evidence = FakeEvidence()
    sources = Sources(Table("r", (a_domain("catalog"),), STORES), evidence, now_s=NOW_S)
    return ClosedRoom(folder, sources, Keeper(evidence), may_be_open=may_be_open)


@pytest.fixture
async def admin(tmp_path: Path) -> Admin:
    room = a_room(tmp_path)
    room.add("eva", Role.ADMIN)
    room.add("vic", Role.VIEWER)
    room.add_token("grafana", Role.VIEWER)
    return Admin(room, await room.signs_in("eva"))


def secret_in(answer: Answered) -> str:
    found: list[str] = re.findall(r'<pre id="secret"[^>]*>([^<]+)</pre>', answer.text)
    return found[0]


async def test_the_page_names_everybody_and_every_token_and_no_secret(admin: Admin) -> None:
    answer = await admin.page()

    told = words(answer.text)
    assert answer.status == 200
    assert "vic viewer Added" in told
    assert "not known to have signed in" in told
    assert "eva admin Added" in told
    assert "last signed in 0 s ago" in told or "last signed in just now" in told, told
    assert "grafana viewer Made" in told
    assert "lasts for ever" in told
    assert "argon2" not in answer.text
    assert digest_of("banyan_grafana") not in answer.text


async def test_only_admins_find_the_page_in_the_menu_and_behind_its_address(admin: Admin) -> None:
    room = admin.room
    cookie = await room.signs_in("vic")

    overview, page = await room.ask("/", cookie), await room.ask("/people", cookie)

    assert (overview.status, page.status) == (200, 403)
    assert 'href="/people"' not in overview.text
    assert 'href="/people"' in (await room.ask("/", admin.cookie)).text


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize("how", ["a viewer", "no mark", "another page", "another session"])
async def test_nothing_is_changed_but_by_an_admins_own_form(
    admin: Admin, action: str, how: str
) -> None:
    room, before = admin.room, admin.book
    mark = hidden_of((await admin.page()).text, "/people")["token"]
    fields = {"name": "mallory", "password": PASSWORD, "role-admin": "yes", "token": mark}
    cookie, origin = admin.cookie, "http://room"
    if how == "a viewer":
        cookie = await room.signs_in("vic")
    elif how == "no mark":
        del fields["token"]
    elif how == "another page":
        origin = "https://evil.test"
    else:
        cookie = await room.signs_in("eva")
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()

    answer = await room.ask(action, cookie, method="POST", body=body, origin=origin)

    assert answer.status == 403
    assert admin.book == before


async def test_somebody_is_added_with_a_password_that_is_shown_this_once(admin: Admin) -> None:
    answer = await admin.sends("/people", name=" Olga ", **{"role-operator": "yes"})

    made = secret_in(answer)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert admin.book.person("olga").roles == {Role.OPERATOR}
    assert await admin.room.signs_in("olga", made)
    assert made not in (await admin.page()).text
    assert made not in admin.room.people.path.read_text()


async def test_somebody_is_added_with_a_password_as_it_was_typed(admin: Admin) -> None:
    typed = " two  spaces and more "

    answer = await admin.sends("/people", name="olga", password=typed, **{"role-viewer": "yes"})
    after = await admin.room.ask(answer.headers["location"], admin.cookie)

    assert answer.status == 303
    assert "olga may now sign in." in words(after.text)
    assert await admin.room.signs_in("olga", typed)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "vic", "role-viewer": "yes"}, "A person is called vic already"),
        ({"name": "grafana", "role-viewer": "yes"}, "A token is called grafana already"),
        ({"name": "o lga", "role-viewer": "yes"}, "is no name"),
        ({"name": "olga"}, "needs a role"),
        ({"name": "olga", "role-viewer": "yes", "password": "brief"}, "is too short"),
        ({"name": '"><script>alert(1)</script>', "role-viewer": "yes"}, "is no name"),
    ],
)
async def test_what_cannot_be_is_refused_on_the_page_and_what_was_typed_stays(
    admin: Admin, fields: dict[str, str], told: str
) -> None:
    before = admin.book

    answer = await admin.sends("/people", **fields)

    assert answer.status == 422
    assert told in words(answer.text)
    assert "<script>alert" not in answer.text
    assert "brief" not in answer.text
    if fields["name"].isalnum():
        assert f'name="name" value="{fields["name"]}"' in answer.text
    assert admin.book == before


async def test_new_roles_hold_at_once(admin: Admin) -> None:
    cookie = await admin.room.signs_in("vic")

    answer = await admin.sends("/people/vic/roles", **{"role-admin": "yes", "role-viewer": "yes"})

    assert answer.status == 303
    assert (await admin.room.ask("/people", cookie)).status == 200


async def test_a_password_is_reset_and_ends_open_sessions(admin: Admin) -> None:
    cookie = await admin.room.signs_in("vic")

    made = secret_in(await admin.sends("/people/vic/password"))
    gone = (await admin.room.ask("/api/overview", cookie)).status
    answer = await admin.sends("/people/vic/password", password="twelve quiet herons")

    assert (gone, answer.status) == (401, 303)
    assert not is_password(admin.book.person("vic").password, made)
    assert await admin.room.signs_in("vic", "twelve quiet herons")


async def test_somebody_is_switched_off_and_let_in_again(admin: Admin) -> None:
    cookie = await admin.room.signs_in("vic")

    await admin.sends("/people/vic/disable")
    page = words((await admin.page("?done=disabled&name=vic")).text)
    off = (await admin.room.ask("/api/overview", cookie)).status
    await admin.sends("/people/vic/enable")

    assert off == 401
    assert "vic may no longer sign in; open sessions have ended." in page
    assert "viewer switched off" in page
    assert await admin.room.signs_in("vic")


async def test_nobody_takes_the_last_admin_away(admin: Admin) -> None:
    page = (await admin.page()).text

    off = await admin.sends("/people/eva/disable")
    other = await admin.sends("/people/eva/roles", **{"role-viewer": "yes"})

    assert "eva is the last admin" in words(page)
    assert 'action="/people/eva/disable"' not in page
    assert (off.status, other.status) == (422, 422)
    assert "Nothing was changed: Eva is the last admin" in words(other.text)
    assert admin.book.admins == {"eva"}


async def test_a_token_is_made_shown_this_once_and_revoked(admin: Admin) -> None:
    answer = await admin.sends("/tokens", name="Robot", expires="12h", **{"role-viewer": "yes"})

    token = secret_in(answer)
    page = (await admin.page()).text
    assert (await admin.room.ask("/api/overview", token=token)).status == 200
    assert token not in page
    assert "robot viewer Made" in words(page)
    assert "; ends 20" in words(page)
    gone = await admin.sends("/tokens/robot/revoke")
    assert gone.headers["location"] == "/people?done=revoked&name=robot"
    assert (await admin.room.ask("/api/overview", token=token)).status == 401


async def test_a_token_without_an_end_has_to_be_asked_for_by_an_empty_field(admin: Admin) -> None:
    wrong = await admin.sends("/tokens", name="robot", expires="1y", **{"role-viewer": "yes"})
    await admin.sends("/tokens", name="robot", expires=" ", **{"role-viewer": "yes"})

    assert (wrong.status, "is no span of time" in words(wrong.text)) == (422, True)
    assert 'name="expires" value="90d"' in (await admin.page()).text
    assert admin.book.tokens["robot"].expires is None


@pytest.mark.parametrize("query", ["?done=added&name=mallory", "?done=x&name=vic", "?done=%00"])
async def test_no_link_makes_the_page_say_what_did_not_happen(admin: Admin, query: str) -> None:
    assert 'role="status">' not in (await admin.page(query)).text.partition("<main")[2]


async def test_the_first_person_of_an_open_room_is_an_admin_and_closes_it(tmp_path: Path) -> None:
    open_room = Admin(a_room(tmp_path, may_be_open=True))
    page = words((await open_room.page()).text)

    refused = await open_room.sends("/people", name="vic", **{"role-viewer": "yes"})
    token = await open_room.sends("/tokens", name="robot", **{"role-admin": "yes"})
    assert not open_room.book
    made = secret_in(await open_room.sends("/people", name="eva", **{"role-admin": "yes"}))

    assert "Nobody yet: whoever reaches this room may do everything" in page
    assert (refused.status, "has to be an admin" in words(refused.text)) == (422, True)
    assert (token.status, "has to be an admin" in words(token.text)) == (422, True)
    assert "Make a token" not in page
    assert (await open_room.page()).status == 303
    assert await open_room.room.signs_in("eva", made)


async def test_a_room_that_only_reads_shows_people_and_changes_none(admin: Admin) -> None:
    before, mark = admin.book, hidden_of((await admin.page()).text, "/people")["token"]
    reading = ClosedRoom(admin.room.folder, admin.room.sources, None)

    page = await reading.ask("/people", admin.cookie)
    act = await reading.sends("/people/vic/disable", admin.cookie, token=mark)

    assert (page.status, act.status) == (200, 403)
    assert "vic viewer" in words(page.text)
    assert 'method="post" action="/people' not in page.text
    assert admin.book == before
