"""The legacy of the demo is a real shop: its catalogue, its baskets, its orders."""

from __future__ import annotations

import threading
from collections import Counter
from decimal import Decimal

import pytest

from tests.integration.demo_store.conftest import Store
from tests.integration.demo_store.shop_client import ShopClient

pytestmark = pytest.mark.integration


def test_the_whole_catalogue_is_there_and_every_product_answers(store: Store) -> None:
    with ShopClient(store.port, "catalogue_walker") as shop:
        _, products = shop.call("GET", "products/")
        details = [shop.call("GET", f"products/{row['id']}/")[1] for row in products]

    structures = Counter(detail["structure"] for detail in details)
    books = [detail for detail in details if detail["product_class"] == "book"]
    assert structures == {"standalone": 200, "child": 8, "parent": 3}
    assert len(books) == 198 + 2
    assert all(row["id"] == detail["id"] for row, detail in zip(products, details, strict=True))


def test_a_book_has_its_title_category_price_and_stock(store: Store) -> None:
    with ShopClient(store.port, "book_reader") as shop:
        _, products = shop.call("GET", "products/")
        (book,) = [row for row in products if row["upc"] == "9780131103627"]
        _, detail = shop.call("GET", f"products/{book['id']}/")
        _, price = shop.call("GET", f"products/{book['id']}/price/")
        _, stock = shop.call("GET", f"products/{book['id']}/stockrecords/")

    assert detail["title"] == "The C Programming Language"
    assert detail["categories"] == ["Books > Non-Fiction > Essential programming"]
    assert price == {"currency": "GBP", "excl_tax": "9.99", "incl_tax": "9.99", "tax": "0.00"}
    assert [(row["partner_sku"], row["num_in_stock"]) for row in stock] == [("9780131103627", 20)]


def test_clothing_has_sizes_as_variants_with_their_own_price_and_stock(store: Store) -> None:
    with ShopClient(store.port, "shirt_reader") as shop:
        _, products = shop.call("GET", "products/")
        (shirt,) = [row for row in products if row["title"] == "Django T-shirt"]
        _, detail = shop.call("GET", f"products/{shirt['id']}/")
        sizes = {}
        for child in detail["children"]:
            _, price = shop.call("GET", f"products/{child['id']}/price/")
            _, stock = shop.call("GET", f"products/{child['id']}/stockrecords/")
            size = child["attributes"][0]["value"]
            sizes[size] = (price["incl_tax"], [row["num_in_stock"] for row in stock])

    assert detail["structure"] == "parent"
    assert sizes.keys() == {"Small", "Medium", "Large"}
    assert sizes["Medium"] == ("15.00", [200])


def test_one_book_has_two_stock_records_and_keeps_its_own_class(store: Store) -> None:
    with ShopClient(store.port, "two_records") as shop:
        _, products = shop.call("GET", "products/")
        (book,) = [row for row in products if row["title"] == "David's book"]
        _, detail = shop.call("GET", f"products/{book['id']}/")
        _, stock = shop.call("GET", f"products/{book['id']}/stockrecords/")

    assert (detail["product_class"], detail["categories"]) == ("book", ["Books"])
    assert {row["partner_sku"]: row["price"] for row in stock} == {"a1": "20.00", "a2": "10.00"}


def test_a_guest_fills_a_basket_over_one_connection_and_orders_it(store: Store) -> None:
    with ShopClient(store.port, "guest_buyer") as shop:
        added, basket = shop.add(9, quantity=2)
        _, methods = shop.call("GET", "basket/shipping-methods/")
        ordered, order = shop.check_out(basket["url"])
        again, _ = shop.check_out(basket["url"])

    assert (added, ordered, again) == (200, 200, 401)
    assert Decimal(basket["total_incl_tax"]) == Decimal("30.00")
    assert [method["code"] for method in methods] == ["free-shipping"]
    assert order["number"] == str(100_000 + basket["id"])
    assert Decimal(order["total_incl_tax"]) == Decimal("30.00")
    assert len(shop.sockets) == 1


def test_three_for_two_is_the_offer_of_the_house(store: Store) -> None:
    with ShopClient(store.port, "bargain_hunter") as shop:
        _, basket = shop.add(9, quantity=3)

    assert Decimal(basket["total_incl_tax_excl_discounts"]) == Decimal("45.00")
    assert Decimal(basket["total_incl_tax"]) == Decimal("30.00")


def test_the_host_that_the_shopper_used_stands_in_every_link(store: Store) -> None:
    shop = ShopClient(store.port, "host_reader")
    shop._headers["Host"] = "shop.example:8080"
    shop._headers["Session-Id"] = "SID:ANON:shop.example:host_reader"
    with shop:
        _, detail = shop.call("GET", "products/9/")

    assert detail["url"] == "http://shop.example:8080/api/products/9/"


def test_eight_shoppers_at_once_never_meet_a_locked_database(store: Store) -> None:
    outcomes: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def go_shopping(shopper: int) -> None:
        for visit in range(4):
            with ShopClient(store.port, f"crowd_{shopper}_{visit}z") as shop:
                seen = [("list", shop.call("GET", "products/")[0])]
                seen += [("add", shop.add(product)[0]) for product in (9, 10)]
                _, basket = shop.call("GET", "basket/")
                seen.append(("checkout", shop.check_out(basket["url"])[0]))
            with lock:
                outcomes.update(seen)

    crowd = [threading.Thread(target=go_shopping, args=(n,)) for n in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    assert outcomes == {("list", 200): 32, ("add", 200): 64, ("checkout", 200): 32}
    assert "locked" not in store.log.read_text()
