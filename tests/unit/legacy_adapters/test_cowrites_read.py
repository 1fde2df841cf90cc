"""Which domains one transaction wrote is read from the log."""

from __future__ import annotations

from legacy_adapters.mapping.aggregates import Shape
from legacy_adapters.mapping.dirtying import Commit, Reader, RowChange
from legacy_adapters.mapping.membership import membership
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Position, Side

NUMBER = {"id": Column(ColumnKind.INTEGER)}
ORDER = Table("shop_order", ("id",), NUMBER)
BASKET = Table("shop_basket", ("id",), NUMBER, is_fenced=False)
PERSON = Table("shop_person", ("id",), NUMBER)
HOMES = membership(
    [
        (Shape("order", ORDER), "orders"),
        (Shape("basket", BASKET), "orders"),
        (Shape("person", PERSON), "customers"),
    ]
)


def commit(order: int, *tables: str, is_ours: bool = False) -> Commit:
    changes = tuple(RowChange(table, "1", None, {"id": 1}) for table in tables)
    return Commit(Position(order), f"t{order}", None, is_ours, changes)


def wrote(*commits: Commit) -> tuple[frozenset[str], ...]:
    reader = Reader("legacy>core", Side.LEGACY, HOMES)
    return reader.understand(commits, Position(9), (None, {}, None)).step.wrote


def test_a_transaction_over_two_domains_is_told_with_both() -> None:
    assert wrote(commit(1, "shop_order", "shop_person"), commit(2, "shop_order")) == (
        frozenset({"orders", "customers"}),
        frozenset({"orders"}),
    )


def test_what_a_store_writes_where_it_only_reads_and_what_we_write_count_for_nothing() -> None:
    ours = commit(2, "shop_order", "shop_person", is_ours=True)

    assert wrote(commit(1, "shop_basket", "elsewhere"), ours) == ()
