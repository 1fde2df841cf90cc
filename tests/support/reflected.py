"""Declarations of tables read from a database as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from legacy_adapters.mapping.rows import Column, ColumnKind, Table

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg2",
    "sqlite": "sqlite",
}
# In this order: a truth is an integer to some dialects, and a double is a number.
_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], ColumnKind], ...] = (
    (sa.Boolean, ColumnKind.BOOLEAN),
    (sa.Integer, ColumnKind.INTEGER),
    (sa.Float, ColumnKind.NUMBER),
    (sa.Numeric, ColumnKind.DECIMAL),
    (sa.DateTime, ColumnKind.MOMENT),
    (sa.Date, ColumnKind.DAY),
    (sa.JSON, ColumnKind.JSON),
    (sa.Uuid, ColumnKind.UUID),
    (sa.LargeBinary, ColumnKind.BYTES),
)


def reflected(url: str, names: Collection[str]) -> Mapping[str, Table]:
    """Tables of a database; a column of an unknown type is text."""
    plain = sa.make_url(url)
    engine = sa.create_engine(plain.set(drivername=_DRIVERS[plain.get_backend_name()]))
    try:
        inspector = sa.inspect(engine)
        return {name: _table(inspector, name) for name in names}
    finally:
        engine.dispose()


def _table(inspector: sa.Inspector, name: str) -> Table:
    key = inspector.get_pk_constraint(name)["constrained_columns"]
    columns = {one["name"]: _column(one["type"]) for one in inspector.get_columns(name)}
    return Table(name, tuple(key), columns)


def _column(kind: sa.types.TypeEngine[Any]) -> Column:
    # A TINYINT(1) is what MariaDB has for a truth.
    if getattr(kind, "display_width", None) == 1:
        return Column(ColumnKind.BOOLEAN)
    found = next((ours for theirs, ours in _KINDS if isinstance(kind, theirs)), ColumnKind.TEXT)
    is_decimal = found is ColumnKind.DECIMAL
    return Column(found, (getattr(kind, "scale", None) or 0) if is_decimal else 0)
