"""An order and its customer are the same in the other store, whichever was first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.contract.legacy_adapters.carrying import Stores, both_stores
from tests.contract.legacy_adapters.journeys import BOOK, DEAR_BOOK, OTHER_BOOK
from tests.contract.legacy_adapters.shopping import PASSWORD, Client

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

SESSION = "SID:ANON:shop.example:orders_of_"
CARRIED = ("customer", "stock_record", "cart", "order")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    folders = (tmp_path_factory.mktemp("oscar"), tmp_path_factory.mktemp("core"))
    with both_stores(*folders, CARRIED) as found:
        yield found


def come_in(client: Client, name: str, *, first: bool = False) -> None:
    mail = f"{name}@example.com"
    if first:
        both = {"password1": PASSWORD, "password2": PASSWORD}
        client.ask("register", "POST", "register/", {"email": mail, **both})
    entered = client.ask("come in", "POST", "login/", {"username": mail, "password": PASSWORD})
    assert entered.answer.status == 200, entered.body


def buy(client: Client, goods: Mapping[int, int], code: str = "", **more: object) -> Any:
    for product, quantity in goods.items():
        client.add("a book", product, quantity)
    if code:
        taken = client.ask("a code", "POST", "basket/add-voucher/", {"vouchercode": code})
        assert taken.answer.status == 200, taken.body
    ordered = client.check_out("order", client.basket("mine").body["url"], **more)
    assert ordered.answer.status == 200, ordered.body
    return ordered.body


def seen(client: Client) -> dict[str, Any]:
    """All that a customer's client can see of orders and of the customer."""
    orders = client.ask("orders", "GET", "orders/").body
    found: dict[str, Any] = {"orders": orders}
    for one in orders:
        found[one["url"]] = client.ask("an order", "GET", one["url"]).body
        lines = client.ask("its lines", "GET", one["lines"]).body
        found[one["lines"]] = lines
        found |= {line["url"]: client.ask("a line", "GET", line["url"]).body for line in lines}
    found["who"] = client.ask("who is in", "GET", "login/").body
    # Oscar has those first that are used most; the facade has them by number.
    book = client.ask("addresses", "GET", "useraddresses/").body
    found["book"] = sorted(book, key=lambda one: int(one["id"]))
    return found


def shop_a_lot(client: Client, *, books: int = 1) -> None:
    """Orders with several lines, offers, a code, two addresses and one.

    Args:
        books: so many in the order with the code; by three, oscar works out what each cost.
    """
    client.ask("an address", "POST", "useraddresses/", client.address(notes="ring"))
    client.ask(
        "another", "POST", "useraddresses/",
        client.address(line1="2 Way", title="Ms", is_default_for_billing=True),
    )  # fmt: skip
    buy(client, {BOOK: 2, OTHER_BOOK: 1}, billing_address=client.address(line1="3 Way"))
    buy(client, {DEAR_BOOK: 1, BOOK: books}, "FIVE")
    phone = "+442079460018"
    buy(client, {OTHER_BOOK: 3}, shipping_address=client.address(state="Kent", phone_number=phone))


def test_orders_of_oscar_are_answered_by_the_core_as_by_oscar(stores: Stores) -> None:
    theirs, ours = Client(stores.oscar, SESSION + "ada"), Client(stores.core, SESSION + "ada")
    come_in(theirs, "ada", first=True)
    shop_a_lot(theirs, books=3)

    stores.to_core()
    come_in(ours, "ada")

    told = seen(ours)
    assert told == seen(theirs)
    assert len(told["orders"]) == 3
    assert any(one["voucher_discounts"] for one in told["orders"])


def test_orders_of_the_core_are_answered_by_oscar_as_by_the_core(stores: Stores) -> None:
    theirs, ours = Client(stores.oscar, SESSION + "bob"), Client(stores.core, SESSION + "bob")
    come_in(ours, "bob", first=True)
    shop_a_lot(ours)

    stores.to_oscar()
    come_in(theirs, "bob")

    told = seen(theirs)
    assert told == seen(ours)
    assert len(told["orders"]) == 3
    assert any(one["voucher_discounts"] for one in told["orders"])


def test_an_order_that_goes_there_and_back_changes_nothing(stores: Stores) -> None:
    theirs = Client(stores.oscar, SESSION + "cleo")
    come_in(theirs, "cleo", first=True)
    shop_a_lot(theirs, books=3)
    guest = Client(stores.oscar, SESSION + "guest")
    buy(guest, {BOOK: 1}, billing_address=guest.address())
    stores.to_core()
    rows = {name: stores.aggregates(stores.kinds()[name]) for name in ("customer", "order")}

    stores.to_oscar()

    assert {name: stores.aggregates(stores.kinds()[name]) for name in rows} == rows


def test_a_guest_is_the_same_guest(stores: Stores) -> None:
    guest = Client(stores.oscar, SESSION + "another")
    number = buy(guest, {BOOK: 1}, guest_email="Guest@Example.com")["number"]

    stores.to_core()

    found = [one for one in stores.documents("order") if one.number == number]
    assert [(one.email, one.customer_id) for one in found] == [("Guest@Example.com", None)]
