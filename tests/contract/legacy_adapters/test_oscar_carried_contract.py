"""A shopper goes on in the other store with the basket that they filled in the first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.legacy_adapters.carrying import Stores, both_stores
from tests.contract.legacy_adapters.shopping import Client

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

CARRIED = ("stock_record", "cart", "session")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    folders = (tmp_path_factory.mktemp("oscar"), tmp_path_factory.mktemp("core"))
    with both_stores(*folders, CARRIED) as found:
        yield found


def seen(client: Client) -> tuple[object, object]:
    """A basket and its lines, but for the times of writing."""
    basket = client.basket("the basket").body
    lines = client.lines("its lines").body
    for one in lines:
        one.pop("date_created"), one.pop("date_updated")
    return basket, lines


def test_a_named_session_opens_the_same_basket_in_the_core(stores: Stores) -> None:
    name = "SID:ANON:shop.example:carried_over"
    theirs, ours = Client(stores.oscar, name), Client(stores.core, name)
    theirs.add("one", 10, 2)
    theirs.add("another", 9)

    stores.to_core()

    assert seen(ours) == seen(theirs)
    assert len(seen(ours)[1]) == 2  # type: ignore[arg-type]  # a list


def test_a_cookie_opens_the_same_basket_in_the_core(stores: Stores) -> None:
    theirs = Client(stores.oscar)
    theirs.add("one", 10, 2)

    stores.to_core()
    ours = Client(stores.core, cookies=dict(theirs.cookies))

    assert seen(ours) == seen(theirs)


def test_what_was_changed_in_the_core_oscar_shows_and_sells(stores: Stores) -> None:
    name = "SID:ANON:shop.example:there_and_back"
    theirs, ours = Client(stores.oscar, name), Client(stores.core, name)
    theirs.add("one", 10)
    theirs.add("another", 9)
    stores.to_core()
    ours.add("the same again", 9, -1)
    ours.add("and once more", 9)
    shown = seen(ours)

    stores.to_oscar()

    assert seen(theirs) == shown
    theirs.add("more of the core's line", 9, 1)
    assert sorted(one["quantity"] for one in theirs.lines("again").body) == [1, 2]
    ordered = theirs.check_out("ordered", str(theirs.basket("mine").body["url"]))
    assert ordered.answer.status == 200, ordered.body


def test_a_session_and_a_basket_that_were_born_in_the_core_are_oscars(stores: Stores) -> None:
    name = "SID:ANON:shop.example:born_in_the_core"
    theirs, ours = Client(stores.oscar, name), Client(stores.core, name)
    ours.add("one", 10, 2)
    cookie = Client(stores.core)
    cookie.add("one", 9, 1)

    stores.to_oscar()

    assert seen(theirs) == seen(ours)
    assert seen(Client(stores.oscar, cookies=dict(cookie.cookies))) == seen(cookie)


def test_a_carried_basket_is_ordered_in_the_core_and_submitted_in_oscar(stores: Stores) -> None:
    name = "SID:ANON:shop.example:ordered_in_the_core"
    theirs, ours = Client(stores.oscar, name), Client(stores.core, name)
    theirs.add("one", 10, 2)
    stores.to_core()
    url = str(theirs.basket("mine").body["url"])

    ordered = ours.check_out("ordered", url)
    stores.to_oscar()

    assert ordered.answer.status == 200, ordered.body
    assert theirs.basket("a new one").body["url"] != url
