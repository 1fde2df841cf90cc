from __future__ import annotations

from dataclasses import replace

import pytest

from legacy_adapters.mapping.columns import Ignored
from legacy_adapters.mapping.preflight import (
    Facts,
    ForeignKey,
    LogFacts,
    Severity,
    TableFacts,
    judge,
)
from legacy_adapters.oscar.kinds import KINDS
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.oscar.mapping.other_tables import OTHER_TABLES

GOOD = Facts(
    kind="mariadb",
    log=LogFacts(
        {
            "log_bin": "on",
            "binlog_format": "row",
            "binlog_row_image": "full",
            "binlog_row_metadata": "full",
        },
        retention_s=10 * 86_400,
        may_read=True,
    ),
    tables=(
        TableFacts("shop_order", ("id", "total"), ("id",), engine="InnoDB"),
        TableFacts("shop_line", ("id", "order_id"), ("id",), engine="InnoDB"),
        TableFacts("shop_user", ("id",), ("id",), engine="InnoDB"),
        TableFacts("django_log", ("id",), ("id",), engine="InnoDB"),
    ),
    foreign_keys=(ForeignKey("shop_line", "order_id", "shop_order", "NO ACTION", "NO ACTION"),),
    domains={"shop_order": "orders", "shop_line": "orders", "shop_user": "customers"},
    known={
        "shop_order": frozenset({"id", "total"}),
        "shop_line": frozenset({"id", "order_id"}),
        "shop_user": frozenset({"id"}),
    },
    ignored={"django_log": "bookkeeping"},
    cowritten={},
)


def codes(facts: Facts) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in judge(facts)]


def with_table(facts: Facts, table: TableFacts) -> Facts:
    rest = (one for one in facts.tables if one.name != table.name)
    return replace(facts, tables=(*rest, table))


def with_setting(name: str, value: str) -> Facts:
    return replace(GOOD, log=replace(GOOD.log, settings={**GOOD.log.settings, name: value}))


def test_a_database_that_is_set_up_right_gives_no_finding() -> None:
    assert judge(GOOD) == ()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("log_bin", "off"),
        ("binlog_format", "mixed"),
        ("binlog_row_image", "minimal"),
        ("binlog_row_metadata", "no_log"),
        ("binlog_row_value_options", "partial_json"),
    ],
)
def test_a_log_that_would_tell_torn_rows_is_refused_with_the_statement_that_mends_it(
    setting: str, value: str
) -> None:
    (found,) = judge(with_setting(setting, value))

    assert (found.severity, found.code, found.where) == (Severity.REFUSE, "log_setting", setting)
    assert setting in found.fix


def test_a_setting_that_is_not_told_counts_as_wrong() -> None:
    settings = {k: v for k, v in GOOD.log.settings.items() if k != "binlog_format"}

    assert codes(replace(GOOD, log=replace(GOOD.log, settings=settings))) == [
        ("log_setting", "binlog_format")
    ]


@pytest.mark.parametrize(
    ("retention_s", "found"), [(3 * 86_400, 0), (3 * 86_400 - 1, 1), (None, 0)]
)
def test_a_log_must_outlast_a_weekend(retention_s: float | None, found: int) -> None:
    assert len(judge(replace(GOOD, log=replace(GOOD.log, retention_s=retention_s)))) == found


def test_an_account_that_may_not_read_the_log_is_refused() -> None:
    assert codes(replace(GOOD, log=replace(GOOD.log, may_read=False))) == [
        ("log_account", "account")
    ]


def test_a_cluster_where_several_servers_write_is_refused() -> None:
    assert codes(replace(GOOD, cluster="Galera")) == [("multi_writer", "Galera")]


def test_a_table_that_is_neither_mapped_nor_left_out_is_refused() -> None:
    table = TableFacts("shop_gift", ("id",), ("id",), rows=7)

    assert codes(with_table(GOOD, table)) == [("table_unmapped", "shop_gift")]


def test_a_column_that_nobody_decided_about_is_refused() -> None:
    table = TableFacts("shop_order", ("id", "total", "gift_note"), ("id",))

    assert codes(with_table(GOOD, table)) == [("column_unmapped", "shop_order.gift_note")]


def test_a_generated_column_needs_no_mapping() -> None:
    table = TableFacts("shop_order", ("id", "total", "t2"), ("id",), generated=("t2",))

    assert judge(with_table(GOOD, table)) == ()


def test_a_mapped_column_or_table_that_is_not_there_is_refused() -> None:
    without = replace(GOOD, tables=tuple(t for t in GOOD.tables if t.name != "shop_user"))

    assert codes(without) == [("table_missing", "shop_user")]
    assert codes(with_table(GOOD, TableFacts("shop_order", ("id",), ("id",)))) == [
        ("column_missing", "shop_order.total")
    ]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (TableFacts("shop_user", ("id",), ()), "table_without_key"),
        (
            TableFacts("shop_user", ("id",), ("id",), engine="MyISAM", is_transactional=False),
            "engine",
        ),
        (TableFacts("shop_user", ("id",), ("id",), replica_identity="n"), "replica_identity"),
    ],
)
def test_a_table_whose_changes_cannot_be_told_is_refused(table: TableFacts, code: str) -> None:
    (found,) = judge(with_table(GOOD, table))

    assert (found.severity, found.code) == (Severity.REFUSE, code)


def test_a_table_that_stays_may_be_as_it_likes() -> None:
    table = TableFacts("django_log", ("id",), (), engine="MyISAM", is_transactional=False)

    assert judge(with_table(GOOD, table)) == ()


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (TableFacts("shop_user", ("id",), ("id",), zero_dates={"id": 3}), "zero_date"),
        (TableFacts("shop_user", ("id",), ("id",), broken_text={"id": 3}), "broken_text"),
        (TableFacts("shop_user", ("id",), ("id",), unsafe_unique=("email",)), "collation"),
        (TableFacts("shop_user", ("id",), ("id",), triggers=("audit",)), "trigger"),
    ],
)
def test_what_only_parks_or_surprises_is_a_warning(table: TableFacts, code: str) -> None:
    (found,) = judge(with_table(GOOD, table))

    assert (found.severity, found.code) == (Severity.WARN, code)


def cascading(parent: str, act: str, kind: str = "mariadb") -> list[tuple[str, str]]:
    key = ForeignKey("shop_line", "order_id", parent, act, "NO ACTION")
    settings = {"wal_level": "logical"} if kind == "postgresql" else GOOD.log.settings
    log = replace(GOOD.log, settings=settings)
    return codes(replace(GOOD, kind=kind, log=log, foreign_keys=(key,)))


def test_a_cascade_inside_an_aggregates_domain_is_covered_by_the_parents_deletion() -> None:
    assert cascading("shop_order", "CASCADE") == []


def test_a_cascade_that_sets_values_is_refused_where_the_log_does_not_tell_it() -> None:
    assert cascading("shop_order", "SET NULL") == [("cascade_unlogged", "shop_line.order_id")]
    assert cascading("shop_order", "SET NULL", "postgresql") == []


def test_a_cascade_from_another_domain_is_refused_on_every_database() -> None:
    assert cascading("shop_user", "CASCADE") == [("cascade_unlogged", "shop_line.order_id")]
    assert cascading("shop_user", "CASCADE", "postgresql") == [
        ("cascade_across_domains", "shop_line.order_id")
    ]


def test_a_cascade_into_a_table_that_stays_is_nobodys_business() -> None:
    key = ForeignKey("django_log", "id", "shop_user", "CASCADE", "NO ACTION")

    assert judge(replace(GOOD, foreign_keys=(key,))) == ()


def test_two_domains_that_one_transaction_wrote_are_refused() -> None:
    pairs = {("customers", "orders"): 4, ("orders", "orders"): 90}

    (found,) = judge(replace(GOOD, cowritten=pairs, watched=100))

    assert (found.code, found.where) == ("cowritten", "customers + orders")
    assert "4 of 100" in found.problem


def test_refusals_stand_before_warnings() -> None:
    both = replace(GOOD, events=("event nightly",), cluster="Galera")

    assert [one.severity for one in judge(both)] == [Severity.REFUSE, Severity.WARN]


@pytest.mark.parametrize(
    ("longest_s", "code"), [(None, "transactions_unseen"), (61.0, "long_transaction")]
)
def test_transactions_that_a_fence_would_wait_for_are_warned_of(
    longest_s: float | None, code: str
) -> None:
    found = judge(replace(GOOD, log=replace(GOOD.log, longest_s=longest_s)))

    assert [(one.severity, one.code) for one in found] == [(Severity.WARN, code)]


def test_a_table_of_oscar_of_which_no_column_is_kept_has_a_reason_to_stay() -> None:
    unmoved = {
        table
        for table, columns in COLUMNS.items()
        if all(isinstance(fate, Ignored) for fate in columns.values())
    }
    carried = {table.name for kind in KINDS for table in kind.translation.shape.tables}

    assert unmoved <= OTHER_TABLES.keys() | carried
