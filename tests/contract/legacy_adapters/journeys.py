"""What shoppers do, step by step; each journey is made in both shops."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.contract.legacy_adapters.shopping import PASSWORD, Client

BOOK, OTHER_BOOK, DEAR_BOOK, SHIRT, NO_STOCK = 12, 13, 14, 1, 4


def a_guest_buys_a_book(client: Client) -> None:
    client.ask("begin", "GET", "")
    client.ask("begin without body", "HEAD", "")
    client.basket("an empty basket")
    client.ask("ways to ship nothing", "GET", "basket/shipping-methods/")
    added = client.add("two books", BOOK, 2)
    client.basket("with books")
    client.lines("their line")
    client.ask("ways of shipping", "GET", "basket/shipping-methods/")
    client.ask("ways to London", "POST", "basket/shipping-methods/", client.address())
    url = added.body["url"]
    client.check_out("order", url, total="19.98", billing_address=client.address(line1="2 Way"))
    client.check_out("the same again", url)
    client.basket("a new basket")
    client.ask("the old one", "GET", url)
    client.ask("no orders for guests", "GET", "orders/")


def a_guest_changes_a_basket(client: Client) -> None:
    client.add("one", BOOK)
    client.add("one more", BOOK)
    line = client.lines("one line").body[0]["url"]
    client.ask("the line", "GET", line)
    client.ask("fewer", "PATCH", line, {"quantity": 1})
    client.add("another book", OTHER_BOOK)
    lines = client.lines("two lines").body
    client.ask("a word for a number", "PATCH", line, {"quantity": "many"})
    client.ask("fewer than none", "PATCH", line, {"quantity": -1})
    client.ask("not all fields", "PUT", line, {"quantity": 1})
    named = ("product", "basket", "stockrecord")
    whole = {name: lines[0][name] for name in named}
    client.ask("all fields", "PUT", line, {**whole, "quantity": 1})
    client.ask("nothing new", "PATCH", line, {})
    client.ask("take it out", "DELETE", line)
    client.ask("it is gone", "GET", line)
    client.ask("gone twice", "DELETE", line)
    client.lines("one line left")
    client.add("as text", OTHER_BOOK, "1")
    client.add("none", OTHER_BOOK, 0)
    client.add("one off again", OTHER_BOOK, -1)
    client.ask("baskets", "GET", "baskets/")
    url = client.basket("the basket").body["url"]
    client.ask("by its number", "GET", url)
    client.ask("written", "PUT", url, {})
    client.ask("thrown away", "DELETE", url)
    client.basket("a fresh one")


def a_guest_asks_for_too_much(client: Client) -> None:
    client.add("too many", BOOK, 5000)
    client.add("one", BOOK)
    client.add("too many on top", BOOK, 1000)
    client.add("a parent", SHIRT)
    client.add("out of stock", NO_STOCK)
    client.add("no such product", 99999)
    client.add("not a number", BOOK, "x")
    client.add("a part of one", BOOK, 1.5)
    for label, body in _WRONG_ADDS.items():
        client.ask(label, "POST", "basket/add-product/", body)
    add = "basket/add-product/"
    client.ask("broken JSON", "POST", add, raw=b"{bad")
    client.ask("plain text", "POST", add, raw=b"a=1", headers={"Content-Type": "text/plain"})
    client.ask("empty", "POST", add, raw=b"")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"url=%2Fapi%2Fproducts%2F{OTHER_BOOK}%2F&quantity=1"
    client.ask("a form", "POST", add, raw=url.encode(), headers=form)
    client.ask("wrong method", "GET", add)
    client.ask("wrong method for a look", "PUT", "basket/", {})
    client.ask("what can be done", "OPTIONS", "basket/")
    client.ask("other formats", "GET", "basket/", headers={"Accept": "application/xml"})
    client.ask("in links", "GET", "basket/?format=json")
    client.ask("somebody's basket", "GET", client.strangers)
    client.ask("nobody's basket", "GET", "baskets/777777/")
    client.ask("nobody's lines", "GET", "baskets/777777/lines/")
    client.ask("a basket made by hand", "POST", "baskets/", {})
    client.ask("no address", "POST", "basket/shipping-methods/", {})
    there = {"country": f"{client.api}countries/XX/"}
    client.ask("nowhere", "POST", "basket/shipping-methods/", there)
    client.ask("no such code", "POST", "basket/add-voucher/", {"vouchercode": "nope"})
    client.ask("no code", "POST", "basket/add-voucher/", {})


_WRONG_ADDS: Mapping[str, object] = {
    "no address of one": {"url": "nonsense", "quantity": 1},
    "a number for an address": {"url": 5, "quantity": 1},
    "address of a price": {"url": f"http://other/api/products/{BOOK}/price/", "quantity": 1},
    "no quantity": {"url": f"/api/products/{BOOK}/"},
    "no product": {"quantity": 2},
    "a list": [1],
    "null": {"url": None, "quantity": None},
}


def a_guest_fills_in_a_wrong_order(client: Client) -> None:
    url = client.add("a book", BOOK, 2).body["url"]
    charge = {"currency": "GBP", "excl_tax": "1.00", "tax": "0.00"}
    wrong: Mapping[str, Mapping[str, object]] = {
        "nobody to write to": {"guest_email": ""},
        "no mailbox": {"guest_email": "x"},
        "nowhere": {"shipping_address": client.address(country=f"{client.api}countries/XX/")},
        "a bad address": {
            "shipping_address": client.address(line1="", title="Lord", phone_number="12")
        },
        "another total": {"total": "5.00"},
        "a total as number": {"total": 5},
        "half a cent": {"total": "5.001"},
        "a total in words": {"total": "five"},
        "a dear shipping": {"shipping_charge": charge},
        "a shipping with tax": {
            "shipping_charge": {"currency": "GBP", "excl_tax": "0.00", "incl_tax": "1.00"}
        },
        "a shipping in words": {"shipping_charge": {"excl_tax": "x"}},
        "half a bill": {"billing_address": {"line1": "x"}},
    }
    for label, more in wrong.items():
        client.check_out(label, url, **more)
    client.ask("no basket", "POST", "checkout/", {"guest_email": "a@example.com"})
    client.check_out("an odd basket", "nonsense")
    client.check_out("nobody's basket", f"{client.api}baskets/777777/")
    client.check_out("somebody's basket", client.strangers)
    client.ask("an order is no page", "GET", "checkout/")
    free = {"currency": "GBP", "excl_tax": "0.00", "tax": "0.00"}
    client.check_out(
        "all right", url, total="19.98", shipping_charge=free, shipping_method_code="nonsense",
        shipping_address=client.address(title="Ms", state="Kent", phone_number="+44 20 7946 0018"),
    )  # fmt: skip
    empty = client.basket("an empty one").body["url"]
    client.check_out("nothing", empty)


def sessions_have_names(client: Client) -> None:
    for label, session in {
        "of another host": "SID:ANON:wrong.host:abc",
        "nobody has logged in to": "SID:AUTH:shop.example:abc",
        "no session at all": "nonsense",
    }.items():
        client.session = None
        client.cookies.clear()
        client.ask(label, "GET", "basket/", headers={"Session-Id": session})
    client.cookies.clear()
    same = f"SID:ANON:shop.example:{client.tag}-same"
    # Groups of hexadecimal digits at the end do not count.
    client.ask("one", "GET", "basket/", headers={"Session-Id": f"{same}-1"})
    client.cookies.clear()
    book = f"{client.api}products/{BOOK}/"
    client.ask(
        "two", "POST", "basket/add-product/", {"url": book, "quantity": 1},
        headers={"Session-Id": f"{same}-2"},
    )  # fmt: skip
    client.cookies.clear()
    client.ask("one again", "GET", "basket/", headers={"Session-Id": f"{same}-1:fe"})
    client.cookies.clear()
    client.ask("catalogue", "GET", "countries/GB/", headers={"Session-Id": same})
    client.ask("countries", "GET", "countries/")
    client.ask("no such country", "GET", "countries/XX/")
    client.ask("options", "GET", "options/")


def a_guest_with_cookies_buys(client: Client) -> None:
    client.basket("first look")
    client.add("a book", BOOK)
    client.lines("it is there")
    url = client.basket("still").body["url"]
    client.check_out("order", url)


def a_customer_comes_in(client: Client) -> None:
    mail = f"ada-{client.tag}@example.com"
    both = {"password1": PASSWORD, "password2": PASSWORD}
    for label, body in {
        "a page": None,
        "nothing": {},
        "no mailbox": {"email": "x", **both},
        "two passwords": {"email": mail, "password1": PASSWORD, "password2": "other"},
    }.items():
        client.ask(f"register: {label}", "POST" if body is not None else "GET", "register/", body)
    client.ask("register", "POST", "register/", {"email": mail, **both})
    client.ask("register twice", "POST", "register/", {"email": mail, **both})
    client.add("a guest's book", BOOK)
    client.ask("nobody is in", "GET", "login/")
    wrong = {"username": mail, "password": "wrong"}
    client.ask("another password", "POST", "login/", wrong)
    client.ask("no password", "POST", "login/", {})
    right = {"username": mail, "password": PASSWORD}
    client.ask("come in", "POST", "login/", right)
    client.ask("come in twice", "POST", "login/", right)
    client.ask("who is in", "GET", "login/")
    owner = client.basket("the guest's book is theirs").body["owner"]
    client.ask("by number", "GET", owner)
    client.ask("nobody's number", "GET", "users/777777/")
    client.lines("its line")
    client.ask("baskets", "GET", "baskets/")
    client.ask("a stranger's basket", "GET", client.strangers)
    client.ask("no orders yet", "GET", "orders/")
    client.ask("no such order", "GET", "orders/777777/")
    client.ask("orders are not written", "POST", "orders/", {})
    url = client.basket("again").body["url"]
    order = client.check_out("order", url, guest_email="other@example.com").body
    client.ask("orders", "GET", "orders/")
    client.ask("the order", "GET", order["url"])
    lines = client.ask("its lines", "GET", order["lines"]).body
    client.ask("its line", "GET", lines[0]["url"])
    client.ask("no such line", "GET", "orderlines/777777/")
    client.ask("lines of no order", "GET", "orders/777777/lines/")
    client.ask("leave", "DELETE", "login/")
    client.ask("nobody is in any more", "GET", "basket/")


def a_customer_keeps_addresses(client: Client) -> None:
    client.ask("guests have none", "GET", "useraddresses/")
    mail = f"eve-{client.tag}@example.com"
    both = {"password1": PASSWORD, "password2": PASSWORD}
    client.ask("register", "POST", "register/", {"email": mail, **both})
    client.ask("come in", "POST", "login/", {"username": mail, "password": PASSWORD})
    book = "useraddresses/"
    client.ask("none yet", "GET", book)
    client.ask("nothing", "POST", book, {})
    wrong = client.address(title="Lord", phone_number="12", line1="x" * 300)
    client.ask("all wrong", "POST", book, wrong)
    first = client.ask("the first", "POST", book, client.address(phone_number="+442079460018"))
    url = first.body["url"]
    client.ask("read it", "GET", url)
    client.ask("anew", "PUT", url, client.address(line1="2 Way", notes="ring"))
    client.ask("half of it", "PUT", url, {"line1": "x"})
    client.ask("one field", "PATCH", url, {"line1": "3 Way"})
    defaults = {"is_default_for_shipping": True, "is_default_for_billing": True}
    client.ask("for everything", "POST", book, client.address(line1="4 Way", **defaults))
    ships = {"is_default_for_shipping": "yes"}
    client.ask("for shipping", "POST", book, client.address(line1="5 Way", **ships))
    client.ask("all", "GET", book)
    client.ask("away", "DELETE", url)
    client.ask("away twice", "DELETE", url)
    client.ask("no such address", "GET", "useraddresses/777777/")


def a_customer_with_cookies_comes_in(client: Client) -> None:
    mail = f"bob-{client.tag}@example.com"
    both = {"password1": PASSWORD, "password2": PASSWORD}
    client.ask("register", "POST", "register/", {"email": mail, **both})
    client.add("a guest's book", BOOK)
    right = {"username": mail, "password": PASSWORD}
    client.ask("come in", "POST", "login/", right)
    client.lines("the book is theirs")
    add = "basket/add-product/"
    book = {"url": f"{client.api}products/{OTHER_BOOK}/", "quantity": 1}
    token = client.cookies["csrftoken"]
    client.ask("without token", "POST", add, book)
    for label, headers in {
        "a short token": {"X-CSRFToken": "x"},
        "an odd token": {"X-CSRFToken": "-" * 32},
        "another token": {"X-CSRFToken": "x" * 32},
        "another page": {"X-CSRFToken": token, "Origin": "http://evil.example"},
        "the shop's page": {"X-CSRFToken": token, "Origin": f"http://{client.server.host}"},
    }.items():
        client.ask(label, "POST", add, book, headers=headers)
    client.ask("in already", "POST", "login/", right, headers={"X-CSRFToken": token})
    client.ask("leave without token", "DELETE", "login/")
    client.ask("leave", "DELETE", "login/", headers={"X-CSRFToken": token})
    client.basket("a guest again")


def a_guest_is_given_something(client: Client) -> None:
    client.add("two of three", BOOK, 2)
    client.add("the cheapest is free", OTHER_BOOK)
    client.lines("what each costs")
    url = client.basket("in all").body["url"]
    client.check_out("order", url, total="19.98")
    client.ask("too early", "POST", _VOUCHER, {"vouchercode": "FIVE"})
    client.add("a dear book", DEAR_BOOK)
    for code in ("FIFTY", "OLD", "nope", ""):
        client.ask(f"the code {code!r}", "POST", _VOUCHER, {"vouchercode": code})
    client.ask("five off", "POST", _VOUCHER, {"vouchercode": "five"})
    client.ask("five off again", "POST", _VOUCHER, {"vouchercode": "FIVE"})
    client.lines("what is left")
    client.check_out("order for less", client.basket("for less").body["url"], total="18.99")


_VOUCHER = "basket/add-voucher/"


JOURNEYS: Mapping[str, tuple[Callable[[Client], None], bool]] = {
    "guest_buys": (a_guest_buys_a_book, True),
    "guest_changes": (a_guest_changes_a_basket, True),
    "guest_asks_for_too_much": (a_guest_asks_for_too_much, True),
    "guest_orders_wrongly": (a_guest_fills_in_a_wrong_order, True),
    "session_names": (sessions_have_names, False),
    "given": (a_guest_is_given_something, True),
    "cookies": (a_guest_with_cookies_buys, False),
    "customer": (a_customer_comes_in, True),
    "addresses": (a_customer_keeps_addresses, True),
    "customer_cookies": (a_customer_with_cookies_comes_in, False),
}
"""By name: the journey, and whether its client names its session itself."""
