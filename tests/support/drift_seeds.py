"""Faults as they happen between two real stores, each made by hand."""

# ruff: noqa: S608 - SQL by hand is what this module makes, of own names

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.identity import core_id
from tests.support.drift_shop import PARTS, DriftShop, without

Act = Callable[[DriftShop], None]
_ORDERS = ("sales_order", "order_line")
_NOBODYS = UUID("00000000-0000-4000-8000-00000000d21f")


@dataclass(frozen=True, slots=True)
class Seed:
    """One fault.

    Attributes:
        fault: what happened to the shop.
        drift: the class that it has to get.
        stake: minor units of GBP that it puts at stake; None: it is about no money.
        mend: what people do about it where no repair helps; None where one does.
        parks: aggregates that the stream cannot carry meanwhile.
    """

    fault: str
    kind: str
    key: str
    drift: str
    act: Act
    stake: int | None = None
    mend: Act | None = None
    parks: int = 0
    domain: str = "orders"


def uid_of(entity_type: str, key: int) -> str:
    """The core's id of what came from the legacy, as text."""
    return str(core_id(SYSTEM, entity_type, str(key)))


def _in_core(key: int, what: str) -> Act:
    """An order of the core is changed, and no log tells of it."""

    def act(shop: DriftShop) -> None:
        uid = shop.id_of("order", key)
        shop.core.unlogged(_ORDERS, f"UPDATE sales_order SET {what} WHERE id = {uid}")

    return act


def _line_in_core(key: int, what: str) -> Act:
    def act(shop: DriftShop) -> None:
        uid = shop.id_of("order", key)
        shop.core.unlogged(_ORDERS, f"UPDATE order_line SET {what} WHERE order_id = {uid}")

    return act


def _in_legacy(*statements: str) -> Act:
    """Oscar's tables are changed, and no log tells of it."""

    def act(shop: DriftShop) -> None:
        shop.legacy.unlogged(PARTS, *statements)

    return act


def _by_the_shop(*statements: str) -> Act:
    def act(shop: DriftShop) -> None:
        shop.legacy.run(*statements)

    return act


def _gone_in_core(shop: DriftShop) -> None:
    uid = shop.id_of("order", 9002)
    shop.core.unlogged(
        (*_ORDERS, "order_change"),
        f"DELETE FROM order_line WHERE order_id = {uid}",
        f"DELETE FROM sales_order WHERE id = {uid}",
    )


def _gone_with_its_customer(shop: DriftShop) -> None:
    uid, user = shop.id_of("order", 9013), shop.id_of("user", 912)
    shop.core.unlogged(
        (*_ORDERS, "customer"),
        f"DELETE FROM order_line WHERE order_id = {uid}",
        f"DELETE FROM sales_order WHERE id = {uid}",
        f"DELETE FROM customer WHERE id = {user}",
    )


def _rogue(shop: DriftShop) -> None:
    uid = shop.id_of("order", 9010)
    more = "net_minor = net_minor + 1000, total_minor = total_minor + 1000"
    shop.core.unfenced(_ORDERS, f"UPDATE sales_order SET {more} WHERE id = {uid}")


def _nobodys(shop: DriftShop) -> None:
    """A copy of an order under an id that no legacy key has."""
    like, new = shop.id_of("order", 9001), shop.core.literal(_NOBODYS)
    own = ("id", "number", "cart_id")
    columns = [name for name in shop.core.columns("sales_order") if name not in own]
    names = ", ".join(columns)
    shop.core.unlogged(
        _ORDERS,
        f"INSERT INTO sales_order (id, number, cart_id, {names})"
        f" SELECT {new}, 'X-1', {new}, {names} FROM sales_order WHERE id = {like}",
    )


def _nobodys_taken_away(shop: DriftShop) -> None:
    new = shop.core.literal(_NOBODYS)
    shop.core.unlogged(_ORDERS, f"DELETE FROM sales_order WHERE id = {new}")


def _zero_date(shop: DriftShop) -> None:
    zero = {
        "sqlite": ["UPDATE order_order SET date_placed = '0000-00-00 00:00:00' WHERE id = 9012"],
        "postgresql": ["UPDATE order_order SET date_placed = '-infinity' WHERE id = 9012"],
        "mysql": [
            "SET sql_mode = ''",
            "UPDATE order_order SET date_placed = '0000-00-00 00:00:00' WHERE id = 9012",
        ],
    }
    shop.legacy.run(*zero[shop.legacy.kind])


def _ref(shop: DriftShop, key: int, name: str) -> None:
    shop.core.run(
        f"UPDATE external_ref SET external_id = '{name}' WHERE entity_type = 'user'"
        f" AND internal_id = {shop.id_of('user', key)}"
    )


def _two_names(shop: DriftShop) -> None:
    """Accounts were merged by hand: the core's customer is known by another number."""
    _ref(shop, 925, "77777")
    shop.legacy.run("UPDATE auth_user SET first_name = 'Anna' WHERE id = 925")


def _rank(shop: DriftShop) -> None:
    shop.core.unlogged(
        ("stock_level",),
        f"UPDATE stock_level SET rank = rank + 1 WHERE id = {shop.id_of('stock_level', 3)}",
    )


LEGACY_OWNS = (
    Seed("the core was restored from an older copy", "order", "9002", "MISSING_CORE",
         _gone_in_core, 2_000),
    Seed("a foreign key's cascade, which stands in no log", "order", "9003", "EXTRA_CORE",
         _in_legacy(*without(9003)), 2_000),
    Seed("an event was lost", "order", "9004", "STALE", _in_legacy(
        "UPDATE order_order SET total_incl_tax = 25, total_excl_tax = 25 WHERE id = 9004"), 500),
    Seed("an event was lost that the core has no column for", "order", "9005", "STALE",
         _in_legacy("UPDATE order_order SET analytics_tracked = true WHERE id = 9005")),
    Seed("a cent was rounded away", "order", "9006", "PRECISION",
         _in_core(9006, "net_minor = net_minor - 1, total_minor = total_minor - 1"), 1),
    Seed("a text was read in the wrong charset", "order", "9007", "TEXT",
         _line_in_core(9007, "title = 'Caf\u00c3\u00a9 M\u00c3\u00bcller'")),
    Seed("a line was counted wrongly", "order", "9008", "VALUE",
         _line_in_core(9008, "quantity = quantity + 2")),
    Seed("an order got another number", "order", "9009", "ORDER",
         _in_core(9009, "number = '109999'")),
    Seed("somebody wrote past the fence", "order", "9010", "ROGUE_WRITE", _rogue, 1_000),
    Seed("a status that nobody mapped", "order", "9011", "UNMAPPED", _by_the_shop(
        "UPDATE order_order SET status = 'Lost in the post' WHERE id = 9011"), 2_000,
        _by_the_shop("UPDATE order_order SET status = 'Pending' WHERE id = 9011"), 1),
    Seed("a date that is none", "order", "9012", "UNMAPPED", _zero_date, 2_000,
         _by_the_shop("UPDATE order_order SET date_placed = '2026-02-01 00:00:00'"
                      " WHERE id = 9012"), 1),
    Seed("an order was lost with its customer", "order", "9013", "ORPHAN",
         _gone_with_its_customer, 2_000),
    Seed("the customer of a lost order was lost", "customer", "912", "MISSING_CORE",
         lambda _shop: None, domain="customers"),
    Seed("an order was made out of nothing", "order", f"?{_NOBODYS}", "EXTRA_CORE", _nobodys,
         2_000, _nobodys_taken_away),
    Seed("two accounts were merged by hand", "customer", "925", "DUP_ID", _two_names, None,
         lambda shop: _ref(shop, 925, "925"), 1, domain="customers"),
    Seed("only what oscar cannot say differs", "stock_record", "3", "LOSSY_ACCEPTED", _rank),
)  # fmt: skip
