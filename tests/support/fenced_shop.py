"""A shop's database with tables to fence, and clients that write to it as a shop does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_gate import SqlFences
from legacy_adapters.storage.fences_open import open_fences

_SYNC = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql"}
_COLUMNS = {"id": Column(ColumnKind.INTEGER), "note": Column(ColumnKind.TEXT)}

SALE = Table("shop_sale", ("id",), _COLUMNS)
GROUP = Table("Group", ("id",), _COLUMNS)
PAGE = Table("shop_page", ("id",), _COLUMNS)
VISIT = Table("shop_visit", ("id",), _COLUMNS, is_fenced=False)
TABLES = (SALE, GROUP, PAGE, VISIT)
DOMAINS = {"orders": (SALE, GROUP, VISIT), "catalog": (PAGE,)}


@dataclass
class Shop:
    """A shop's database; its clients are synchronous, and each connection is its own."""

    url: str
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        found = make_url(self.url)
        backend = found.get_backend_name()
        self.engine = sa.create_engine(
            found.set(drivername=_SYNC[backend]),
            poolclass=NullPool,
            connect_args={"timeout": 60} if backend == "sqlite" else {},
        )

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def quoted(self, table: str) -> str:
        return self.engine.dialect.identifier_preparer.quote_identifier(table)

    def make(self) -> None:
        """Make the tables, with a row each."""
        metadata = sa.MetaData()
        for table in TABLES:
            sa.Table(
                table.name,
                metadata,
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("note", sa.String(100)),
                mysql_engine="InnoDB",
                quote=True,
            )
        metadata.create_all(self.engine)
        for table in TABLES:
            self.run(f"INSERT INTO {self.quoted(table.name)} (note) VALUES ('first')")  # noqa: S608 - names of our own

    def run(self, *statements: str) -> None:
        """In one transaction on a connection of its own."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def number(self, statement: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(statement).scalar_one())

    def rows(self, table: Table) -> int:
        return self.number(f"SELECT count(*) FROM {self.quoted(table.name)}")  # noqa: S608 - names of our own

    @contextlib.contextmanager
    def open_write(self, table: Table = SALE) -> Iterator[sa.Connection]:
        """A transaction that has written a row and is not over."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO {self.quoted(table.name)} (note) VALUES ('open')"  # noqa: S608 - names of our own
            )
            yield connection

    def role(self, role: str) -> str:
        """The statement by which a transaction says whose it is."""
        return {
            "sqlite": f"UPDATE mig_role SET role = '{role}'",  # noqa: S608 - names of our own
            "postgresql": f"SELECT set_config('banyan.role', '{role}', true)",
            "mysql": f"SET @banyan_role = '{role}'",
        }[self.dialect]


@contextlib.asynccontextmanager
async def fences_of(shop: Shop, side: Side = Side.LEGACY) -> AsyncIterator[SqlFences]:
    fences = open_fences(shop.url, side)
    try:
        yield fences
    finally:
        await fences.close()
