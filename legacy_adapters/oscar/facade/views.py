"""Oscar's views: every path that the facade answers, and by what."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Route

from legacy_adapters.oscar.facade import (
    accounts,
    addresses,
    basket_writes,
    baskets,
    catalogue,
    checkout,
    orders,
    places,
)
from legacy_adapters.oscar.facade.visit import Reply, Visit
from new_core.api.dry_runs import TAKES_BACK
from new_core.ports import UnitOfWork

Handler = Callable[[Visit], Awaitable[Reply]]
Answer = Callable[[UnitOfWork, Visit], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class View:
    """One of oscar's views.

    Attributes:
        name: what the view calls itself when asked with OPTIONS.
        template: its path, for metrics.
        handlers: by method; HEAD is answered by GET's.
        is_private: for customers who logged in only.
        is_function: whether oscar's view is a function, which answers no HEAD.
        needs_session: whether the answer depends on who asks.
    """

    path: re.Pattern[str]
    name: str
    template: str
    handlers: Mapping[str, Handler]
    is_private: bool = False
    is_function: bool = False
    needs_session: bool = True

    @property
    def allow(self) -> str:
        """Its methods, in the order in which oscar names them."""
        if self.is_function:
            return ", ".join(("OPTIONS", *self.handlers))
        head = ("HEAD",) if "GET" in self.handlers else ()
        return ", ".join((*self.handlers, *head, "OPTIONS"))

    def handler(self, method: str) -> Handler | None:
        """What answers a method."""
        is_like_get = method == "HEAD" and not self.is_function
        return self.handlers.get("GET" if is_like_get else method)


def _pattern(path: str) -> re.Pattern[str]:
    for name, groups in (("<n>", "([0-9]+)"), ("<slugs>", "(.*)"), ("<a2>", "([A-z]{2})")):
        path = path.replace(name, groups)
    return re.compile(rf"/api/{path}\Z")


def _view(path: str, name: str, *, is_private: bool = False, **handlers: Handler) -> View:
    return View(_pattern(path), name, f"/api/{path}", handlers, is_private)


def _read(path: str, name: str, answer: Answer) -> View:
    """A view of what is the same for everybody."""

    async def get(visit: Visit) -> Reply:
        async with visit.house.database.reading() as uow:
            return Reply(200, await answer(uow, visit))

    return View(_pattern(path), name, f"/api/{path}", {"GET": get}, needs_session=False)


_RECORD = "products/<n>/stockrecords/<n>/"

VIEWS: Sequence[View] = (
    _read("products/<n>/", "Product Detail", catalogue.product),
    _read("products/<n>/price/", "Product Price", catalogue.price),
    _read("products/<n>/availability/", "Product Availability", catalogue.availability),
    _read("products/<n>/stockrecords/", "Product Stock Records", catalogue.stock_records),
    _read(_RECORD, "Product Stock Record Detail", catalogue.stock_record),
    _read("products/", "Product List", catalogue.product_list),
    _read("categories/", "Category List", catalogue.categories),
    _read("categories/<n>/", "Category Detail", catalogue.category),
    _read("categories/<slugs>/", "Category List", catalogue.categories_below),
    _read("options/", "Option List", catalogue.options),
    _read("options/<n>/", "Option Detail", catalogue.option),
    _read("countries/", "Country List", places.countries),
    _read("countries/<a2>/", "Country Detail", places.country),
    View(_pattern(""), "Api Root", "/api/", {"GET": places.root}, is_function=True),
    _view("basket/", "Basket", GET=baskets.mine),
    _view("basket/add-product/", "Add Product", POST=basket_writes.add_product),
    _view("basket/add-voucher/", "Add Voucher", POST=basket_writes.add_voucher),
    _view(
        "basket/shipping-methods/", "Shipping Method",
        GET=baskets.shipping_methods, POST=baskets.shipping_methods_to,
    ),
    _view("baskets/", "Basket List", GET=baskets.all_of_mine),
    _view(
        "baskets/<n>/", "Basket Detail",
        GET=baskets.one, PUT=baskets.one, PATCH=baskets.one, DELETE=basket_writes.empty,
    ),
    _view("baskets/<n>/lines/", "Line List", GET=baskets.lines, POST=basket_writes.add_line),
    _view(
        "baskets/<n>/lines/<n>/", "Basket Line Detail",
        GET=baskets.line, PUT=basket_writes.put_line, PATCH=basket_writes.change_line,
        DELETE=basket_writes.remove_line,
    ),
    _view("checkout/", "Checkout", POST=checkout.check_out),
    _view("orders/", "Order List", is_private=True, GET=orders.all_of_mine),
    _view("orders/<n>/", "Order Detail", is_private=True, GET=orders.one),
    _view("orders/<n>/lines/", "Order Line List", is_private=True, GET=orders.lines),
    _view("orderlines/<n>/", "Order Line Detail", is_private=True, GET=orders.line),
    _view(
        "login/", "Login", GET=accounts.who, POST=accounts.log_in, DELETE=accounts.log_out
    ),
    _view("register/", "Registration", POST=accounts.register),
    _view("users/<n>/", "User Detail", is_private=True, GET=accounts.user),
    _view(
        "useraddresses/", "User Address List", is_private=True,
        GET=addresses.every, POST=addresses.add,
    ),
    _view(
        "useraddresses/<n>/", "User Address Detail", is_private=True,
        GET=addresses.one, PUT=addresses.replace, PATCH=addresses.change,
        DELETE=addresses.remove,
    ),
)  # fmt: skip
"""All views, in the order in which they are tried."""


class _Write(Route):
    """How a write looks to who runs requests dry; nothing is answered here."""

    openapi_extra = TAKES_BACK


def writes(mounted_at: str) -> Sequence[BaseRoute]:
    """The routes of every write, all of which go through units of work alone."""
    found = []
    for view in VIEWS:
        methods = [method for method in view.handlers if method != "GET"]
        if methods:
            path = view.template.replace("<n>", "{a}", 1).replace("<n>", "{b}")
            found.append(_Write(mounted_at + path, HTTPEndpoint, methods=methods))
    return found
