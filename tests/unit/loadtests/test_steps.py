"""A shopper notices what is odd in an answer, and takes a refusal for a refusal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from loadtests.answers import Answer, UnexpectedAnswerError
from loadtests.journeys import Planned, Step
from loadtests.steps import Line, Memory, Product, Request, read, request_for
from loadtests.tally import Outcome

SHOP = "http://shop.example:8080"
BASKET = {
    "id": 5,
    "url": f"{SHOP}/api/baskets/5/",
    "total_incl_tax": "20.00",
    "total_incl_tax_excl_discounts": "30.00",
}


def memory() -> Memory:
    return Memory(
        SHOP,
        products=(Product(7, "The C Programming Language"), Product(9, "Neuromancer")),
        viewed=7,
        choice=7,
        basket_path="/api/baskets/5/",
        basket_total=Decimal("20.00"),
        lines=(Line("/api/baskets/5/lines/1/", 2),),
    )


def take(
    step: Step, status: int, body: object, mind: Memory | None = None, pick: float = 0.0
) -> Outcome:
    mind = mind or memory()
    planned = Planned(step, pick)
    request = request_for(planned, mind)
    assert request is not None
    return read(planned, request, Answer(status, body), mind)


def product(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": number,
        "url": f"{SHOP}/api/products/{number}/",
        "title": "A title",
        "children": [],
        **changes,
    }


PRICE = {"currency": "GBP", "excl_tax": "9.99", "incl_tax": "9.99", "tax": "0.00"}
STOCK = [{"product": 7, "price": "9.99", "partner_sku": "978"}]


@pytest.mark.parametrize(
    ("step", "status", "body", "outcome"),
    [
        (Step.PRODUCT_LIST, 200, [product(1)], Outcome.OK),
        (Step.SEARCH, 200, [product(1)], Outcome.OK),
        (Step.PRODUCT_DETAIL, 200, product(7), Outcome.OK),
        (Step.PRICE, 200, PRICE, Outcome.OK),
        (Step.PRICE, 200, {"currency": None, "incl_tax": None}, Outcome.OK),
        (Step.AVAILABILITY, 200, {"is_available_to_buy": False, "message": "Gone"}, Outcome.OK),
        (Step.STOCK_RECORDS, 200, STOCK, Outcome.OK),
        (Step.STOCK_RECORDS, 200, [], Outcome.OK),
        (Step.CATEGORIES, 200, [{"name": "Books", "url": f"{SHOP}/api/c/1/"}], Outcome.OK),
        (Step.BASKET, 200, BASKET, Outcome.OK),
        (Step.BASKET_ADD, 200, BASKET, Outcome.OK),
        (Step.BASKET_ADD, 406, {"reason": "Unavailable"}, Outcome.REFUSED),
        (Step.BASKET_LINES, 200, [], Outcome.OK),
        (Step.BASKET_CHANGE, 200, {"quantity": 1}, Outcome.OK),
        (Step.BASKET_REMOVE, 204, None, Outcome.OK),
        (Step.SHIPPING_METHODS, 200, [{"code": "post", "price": {"incl_tax": "0.00"}}], Outcome.OK),
        (Step.CHECKOUT, 200, {"number": "100005", "total_incl_tax": "20.00"}, Outcome.OK),
        (Step.CHECKOUT, 406, {"non_field_errors": ["sold out"]}, Outcome.REFUSED),
    ],
)
def test_what_a_shop_normally_answers(
    step: Step, status: int, body: object, outcome: Outcome
) -> None:
    assert take(step, status, body) is outcome


@pytest.mark.parametrize(
    ("step", "status", "body", "problem"),
    [
        (Step.PRODUCT_LIST, 200, [], "empty"),
        (Step.PRODUCT_LIST, 200, {}, "expected an array"),
        (Step.PRODUCT_LIST, 502, [product(1)], "status 502"),
        (Step.PRODUCT_LIST, 200, [product(1, url=f"{SHOP}/api/products/2/")], "leads to"),
        (Step.PRODUCT_LIST, 200, [product(1, url="http://other/api/products/1/")], "another host"),
        (Step.PRODUCT_LIST, 200, [product(1, id=True)], "not an integer"),
        (Step.SEARCH, 200, [product(1, title="")], "no product has a title"),
        (Step.PRODUCT_DETAIL, 200, product(8), "asked for product 7, got 8"),
        (Step.PRODUCT_DETAIL, 200, [product(7)], "expected an object"),
        (Step.PRODUCT_DETAIL, 404, None, "status 404"),
        (Step.PRICE, 200, {**PRICE, "incl_tax": 9.99}, "not a string"),
        (Step.PRICE, 200, {**PRICE, "incl_tax": "free"}, "not an amount"),
        (Step.PRICE, 200, {**PRICE, "incl_tax": "-1.00"}, "not an amount"),
        (Step.PRICE, 200, {**PRICE, "incl_tax": "Infinity"}, "not an amount"),
        (Step.PRICE, 200, {**PRICE, "incl_tax": "9.00"}, "below"),
        (Step.PRICE, 200, {"currency": None, "incl_tax": "9.99"}, "without a currency"),
        (Step.PRICE, 200, {}, "not a string"),
        (Step.AVAILABILITY, 200, {"is_available_to_buy": "yes"}, "not a boolean"),
        (Step.STOCK_RECORDS, 200, [{**STOCK[0], "product": 8}], "another product"),
        (Step.CATEGORIES, 200, [], "no categories"),
        (Step.BASKET, 200, {**BASKET, "total_incl_tax_excl_discounts": None}, "not a string"),
        (Step.BASKET_ADD, 200, {**BASKET, "total_incl_tax_excl_discounts": "20.00"}, "total went"),
        (Step.BASKET_ADD, 406, {}, "not a string"),
        (Step.BASKET_ADD, 500, None, "status 500"),
        (Step.BASKET_CHANGE, 200, {"quantity": 2}, "still holds 2"),
        (Step.BASKET_REMOVE, 200, None, "status 200"),
        (Step.SHIPPING_METHODS, 200, [], "no way to ship"),
        (Step.CHECKOUT, 200, {"number": "1", "total_incl_tax": "0.00"}, "costs nothing"),
        (Step.CHECKOUT, 401, None, "status 401"),
    ],
)
def test_what_no_shopper_should_get(step: Step, status: int, body: object, problem: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=problem):
        take(step, status, body)


@pytest.mark.parametrize("step", list(Step))
def test_no_answer_at_all_is_a_failure_of_every_step(step: Step) -> None:
    mind = memory()
    planned = Planned(step, 0.0)
    request = request_for(planned, mind)
    assert request is not None

    with pytest.raises(UnexpectedAnswerError, match="connection refused"):
        read(planned, request, Answer(0, error="connection refused"), mind)


@pytest.mark.parametrize(
    "step",
    [
        Step.PRODUCT_DETAIL,
        Step.PRICE,
        Step.BASKET_ADD,
        Step.BASKET_LINES,
        Step.BASKET_CHANGE,
        Step.BASKET_REMOVE,
        Step.CHECKOUT,
    ],
)
def test_a_step_without_an_occasion_is_left_out(step: Step) -> None:
    assert request_for(Planned(step, 0.5), Memory(SHOP)) is None


@pytest.mark.parametrize("pick", [0.0, 0.3, 0.999_999])
def test_a_product_page_shows_a_product_of_the_list(pick: float) -> None:
    mind = memory()

    request = request_for(Planned(Step.PRODUCT_DETAIL, pick), mind)

    assert request is not None
    assert request.path in {"/api/products/7/", "/api/products/9/"}


def test_whoever_looks_at_a_shirt_asks_the_price_of_a_size() -> None:
    mind = memory()
    take(Step.PRODUCT_DETAIL, 200, product(7, children=[{"id": 70}, {"id": 71}]), mind, pick=0.6)

    price = request_for(Planned(Step.PRICE, 0.1), mind)

    assert price == Request(Step.PRICE, "GET", "/api/products/71/price/")


def test_a_search_keeps_the_products_whose_title_has_the_word() -> None:
    mind = memory()
    listed = [product(1, title="Snow Crash"), product(2, title="Crash Course"), product(3)]

    take(Step.SEARCH, 200, listed, mind)

    assert [found.id for found in mind.products] == [1, 2]


def test_an_ordered_basket_is_not_ordered_again() -> None:
    mind = memory()
    take(Step.CHECKOUT, 200, {"number": "100005", "total_incl_tax": "20.00"}, mind)

    assert request_for(Planned(Step.CHECKOUT, 0.0), mind) is None


def test_links_are_sent_back_with_the_address_the_shopper_knows() -> None:
    request = request_for(Planned(Step.BASKET_ADD, 0.9), memory())

    assert request is not None
    assert request.body == {"url": f"{SHOP}/api/products/7/", "quantity": 2}
