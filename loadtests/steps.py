"""How each step asks the store, and what a shopper learns from the answer. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from loadtests.answers import (
    Answer,
    Fields,
    UnexpectedAnswerError,
    expect_status,
    fields,
    rows,
)
from loadtests.journeys import Planned, Step
from loadtests.tally import Outcome


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be sent. `body` is sent as JSON unless it is None."""

    step: Step
    method: str
    path: str
    body: object = None


@dataclass(frozen=True, slots=True)
class Product:
    """A line of the product list."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the basket: its path and how many are in it."""

    path: str
    quantity: int


@dataclass(slots=True)
class Memory:
    """What a shopper has in mind during one visit.

    Attributes:
        base_url: the shop's address, as the shopper knows it.
        viewed: the product page that is open.
        choice: what would go into the basket: the product viewed, or one of its sizes.
        basket_total: before discounts; with "three for two" only that always grows.
    """

    base_url: str
    products: tuple[Product, ...] = ()
    viewed: int | None = None
    choice: int | None = None
    basket_path: str | None = None
    basket_total: Decimal = Decimal(0)
    lines: tuple[Line, ...] = ()


def request_for(planned: Planned, memory: Memory) -> Request | None:
    """The request of a step, or None when the visit gives no occasion for it.

    No occasion: there is no basket line to change, or the list could not be read.
    """
    return _ASK[planned.step](planned, memory)


def read(planned: Planned, request: Request, answer: Answer, memory: Memory) -> Outcome:
    """Check the answer and remember what it says.

    Raises:
        UnexpectedAnswerError: nothing came back, or not what was asked for.
    """
    return _READ[request.step](planned, answer, memory)


# --- Asking --------------------------------------------------------------------------------


def _get(path: str) -> Callable[[Planned, Memory], Request | None]:
    return lambda planned, _memory: Request(planned.step, "GET", path)


def _detail(planned: Planned, memory: Memory) -> Request | None:
    if not memory.products:
        return None
    # Squared, so that a few products are looked at far more often than the others.
    index = int(planned.pick**2 * len(memory.products))
    memory.viewed = memory.products[index].id
    memory.choice = memory.viewed
    return Request(planned.step, "GET", f"/api/products/{memory.viewed}/")


def _of_product(part: str) -> Callable[[Planned, Memory], Request | None]:
    def ask(planned: Planned, memory: Memory) -> Request | None:
        if memory.choice is None:
            return None
        return Request(planned.step, "GET", f"/api/products/{memory.choice}/{part}/")

    return ask


def _add(planned: Planned, memory: Memory) -> Request | None:
    if memory.choice is None or memory.basket_path is None:
        return None
    product = f"{memory.base_url}/api/products/{memory.choice}/"
    quantity = 1 if planned.pick < 0.8 else 2
    body = {"url": product, "quantity": quantity}
    return Request(planned.step, "POST", "/api/basket/add-product/", body)


def _lines(planned: Planned, memory: Memory) -> Request | None:
    if memory.basket_path is None:
        return None
    return Request(planned.step, "GET", f"{memory.basket_path}lines/")


def _line(planned: Planned, memory: Memory) -> Line | None:
    return memory.lines[int(planned.pick * len(memory.lines))] if memory.lines else None


def _change(planned: Planned, memory: Memory) -> Request | None:
    line = _line(planned, memory)
    if line is None:
        return None
    quantity = 1 if line.quantity > 1 else 2
    return Request(planned.step, "PATCH", line.path, {"quantity": quantity})


def _remove(planned: Planned, memory: Memory) -> Request | None:
    line = _line(planned, memory)
    return Request(planned.step, "DELETE", line.path) if line else None


def _checkout(planned: Planned, memory: Memory) -> Request | None:
    if memory.basket_path is None or not memory.basket_total:
        return None
    address = {
        "country": f"{memory.base_url}/api/countries/GB/",
        "first_name": "Ada",
        "last_name": "Reader",
        "line1": "1 Book Street",
        "line4": "London",
        "postcode": "EN1 9EL",
    }
    order = {
        "basket": f"{memory.base_url}{memory.basket_path}",
        "guest_email": "reader@example.com",
        "shipping_address": address,
    }
    return Request(planned.step, "POST", "/api/checkout/", order)


_ASK: Mapping[Step, Callable[[Planned, Memory], Request | None]] = MappingProxyType(
    {
        Step.PRODUCT_LIST: _get("/api/products/"),
        Step.PRODUCT_DETAIL: _detail,
        Step.PRICE: _of_product("price"),
        Step.AVAILABILITY: _of_product("availability"),
        Step.STOCK_RECORDS: _of_product("stockrecords"),
        Step.CATEGORIES: _get("/api/categories/"),
        # The store's API has no search of its own: its clients filter the list by title.
        Step.SEARCH: _get("/api/products/"),
        Step.BASKET: _get("/api/basket/"),
        Step.BASKET_ADD: _add,
        Step.BASKET_LINES: _lines,
        Step.BASKET_CHANGE: _change,
        Step.BASKET_REMOVE: _remove,
        Step.SHIPPING_METHODS: _get("/api/basket/shipping-methods/"),
        Step.CHECKOUT: _checkout,
    }
)


# --- Reading -------------------------------------------------------------------------------


def _read_list(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    found = tuple(_listed(row, memory) for row in rows(answer.body))
    if not found:
        raise UnexpectedAnswerError("the shop is empty")
    memory.products = found
    return Outcome.OK


def _listed(row: Fields, memory: Memory) -> Product:
    product = Product(row.number("id"), row.text("title"))
    _same_path(row, f"/api/products/{product.id}/", memory)
    return product


def _read_search(planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    """Take a word from some title, and keep the products whose titles have it."""
    _read_list(planned, answer, memory)
    titled = [product for product in memory.products if product.title]
    if not titled:
        raise UnexpectedAnswerError("no product has a title")
    wanted = titled[int(planned.pick * len(titled))].title.split()[-1].casefold()
    memory.products = tuple(one for one in titled if wanted in one.title.casefold())
    return Outcome.OK


def _read_detail(planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    product = fields(answer.body)
    if product.number("id") != memory.viewed:
        raise UnexpectedAnswerError(
            f"asked for product {memory.viewed}, got {product.values['id']}"
        )
    _same_path(product, f"/api/products/{memory.viewed}/", memory)
    product.text("title")
    sizes = rows(product.values.get("children"))
    if sizes:
        memory.choice = sizes[int(planned.pick * len(sizes))].number("id")
    return Outcome.OK


def _read_price(_planned: Planned, answer: Answer, _memory: Memory) -> Outcome:
    expect_status(answer, 200)
    price = fields(answer.body)
    if price.values.get("currency", "") is None:
        # A product without a stock record has no price; then no amount may stand there.
        if price.values.get("incl_tax") is not None:
            raise UnexpectedAnswerError("an amount without a currency")
        return Outcome.OK
    price.text("currency")
    if price.money("incl_tax") < price.money("excl_tax"):
        raise UnexpectedAnswerError("the price with tax is below the price without")
    return Outcome.OK


def _read_availability(_planned: Planned, answer: Answer, _memory: Memory) -> Outcome:
    expect_status(answer, 200)
    stock = fields(answer.body)
    if stock.flag("is_available_to_buy") and "num_available" in stock.values:
        stock.number("num_available")
    stock.text("message")
    return Outcome.OK


def _read_stock_records(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    for record in rows(answer.body):
        if record.number("product") != memory.choice:
            raise UnexpectedAnswerError(f"stock of another product than {memory.choice}")
        record.money("price")
        record.text("partner_sku")
    return Outcome.OK


def _read_categories(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    categories = rows(answer.body)
    if not categories:
        raise UnexpectedAnswerError("the shop has no categories")
    for category in categories:
        category.text("name")
        category.path("url", memory.base_url)
    return Outcome.OK


def _read_basket(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    _remember_basket(fields(answer.body), memory)
    return Outcome.OK


def _read_add(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200, 406)
    if answer.status == 406:
        fields(answer.body).text("reason")
        return Outcome.REFUSED
    before = memory.basket_total
    _remember_basket(fields(answer.body), memory)
    if memory.basket_total <= before:
        raise UnexpectedAnswerError(
            f"the basket's total went from {before} to {memory.basket_total}"
        )
    return Outcome.OK


def _read_lines(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    memory.lines = tuple(
        Line(line.path("url", memory.base_url), line.number("quantity"))
        for line in rows(answer.body)
    )
    return Outcome.OK


def _read_change(planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200)
    line = _line(planned, memory)
    if line is not None and fields(answer.body).number("quantity") == line.quantity:
        raise UnexpectedAnswerError(f"the line still holds {line.quantity}")
    return Outcome.OK


def _read_remove(planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 204)
    gone = _line(planned, memory)
    memory.lines = tuple(line for line in memory.lines if line is not gone)
    return Outcome.OK


def _read_shipping(_planned: Planned, answer: Answer, _memory: Memory) -> Outcome:
    expect_status(answer, 200)
    methods = rows(answer.body)
    if not methods:
        raise UnexpectedAnswerError("no way to ship")
    for method in methods:
        method.text("code")
        fields(method.values.get("price")).money("incl_tax")
    return Outcome.OK


def _read_checkout(_planned: Planned, answer: Answer, memory: Memory) -> Outcome:
    expect_status(answer, 200, 406)
    if answer.status == 406:
        # Somebody else bought the last one between basket and checkout.
        return Outcome.REFUSED
    order = fields(answer.body)
    order.text("number")
    if not order.money("total_incl_tax"):
        raise UnexpectedAnswerError("an order that costs nothing")
    memory.basket_path = None
    return Outcome.OK


def _same_path(row: Fields, wanted: str, memory: Memory) -> None:
    path = row.path("url", memory.base_url)
    if path != wanted:
        raise UnexpectedAnswerError(f"url leads to {path}, not to {wanted}")


def _remember_basket(basket: Fields, memory: Memory) -> None:
    total = basket.money("total_incl_tax_excl_discounts")
    path = basket.path("url", memory.base_url)
    memory.basket_path, memory.basket_total = path, total


_READ: Mapping[Step, Callable[[Planned, Answer, Memory], Outcome]] = MappingProxyType(
    {
        Step.PRODUCT_LIST: _read_list,
        Step.PRODUCT_DETAIL: _read_detail,
        Step.PRICE: _read_price,
        Step.AVAILABILITY: _read_availability,
        Step.STOCK_RECORDS: _read_stock_records,
        Step.CATEGORIES: _read_categories,
        Step.SEARCH: _read_search,
        Step.BASKET: _read_basket,
        Step.BASKET_ADD: _read_add,
        Step.BASKET_LINES: _read_lines,
        Step.BASKET_CHANGE: _read_change,
        Step.BASKET_REMOVE: _read_remove,
        Step.SHIPPING_METHODS: _read_shipping,
        Step.CHECKOUT: _read_checkout,
    }
)
