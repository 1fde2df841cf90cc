"""Fences in PostgreSQL: a trigger per statement, a lock that all writers share, and the row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import FenceTimeout, SourceUnfit
from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_rules import FENCED_STATE, ROLES, lock_key, message
from legacy_adapters.storage.opening import first_line, sqlstate
from legacy_adapters.storage.tables import marks as t

TRIGGER = "mig_fence"
_LOCKS = 0x4D494746
"""The first half of the advisory locks' numbers; the second is the domain's."""

_TABLE_WAIT_MS = 300
_INSTALL_WAIT_S = 60.0
_PAUSE_S = 0.1
_CLOSING_S = 5
# lock_not_available, deadlock_detected, query_canceled (by statement_timeout)
_BUSY = frozenset(("55P03", "40P01", "57014"))

# 1. A writer's transaction begins, 2. the fence closes, 3. the writer, whose snapshot is older,
# reads the row. FOR SHARE makes that an error, where a plain read would let it write. The
# shared lock stands before it because row locks have no queue: with it alone, writers whose
# transactions overlap would never let the fence close.
_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.mig_fence_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE seen text;
BEGIN
  IF current_setting('banyan.role', true) IN ({roles}) THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock_shared({locks}, TG_ARGV[2]::int);
  SELECT owner INTO seen FROM {schema}.mig_fence WHERE domain = TG_ARGV[0] FOR SHARE;
  IF seen IS DISTINCT FROM TG_ARGV[1] THEN
    RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = TG_ARGV[3];
  END IF;
  RETURN NULL;
END $fence$
"""
_STANDING = sa.text("""
SELECT g.tgrelid::bigint AS oid, g.tgenabled = 'A' AS is_always,
       encode(g.tgargs, 'escape') AS arguments, g.tgtype AS kind
FROM pg_trigger g WHERE g.tgname = :name AND NOT g.tgisinternal
""")
_TREES = sa.text("""
WITH RECURSIVE tree(root, oid) AS (
  SELECT name, to_regclass(name)::oid FROM unnest(CAST(:names AS text[])) AS given(name)
  UNION SELECT tree.root, i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid
)
SELECT root, oid::bigint AS oid, oid::regclass::text AS name FROM tree WHERE oid IS NOT NULL
""")
# BEFORE, INSERT, DELETE, UPDATE, TRUNCATE, and not for each row
_KIND = 2 | 4 | 8 | 16 | 32


class PostgresqlGatekeeper:
    """See `Gatekeeper`."""

    def __init__(self, side: Side) -> None:
        self._side = side

    async def make_marks(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            # Two who make a table at once: IF NOT EXISTS does not help the second one.
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, 0)))
            for table in t.EVERYWHERE:
                await connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            schema = await connection.scalar(
                sa.select(sa.func.quote_ident(sa.func.current_schema()))
            )
            text = _FUNCTION.format(schema=schema, roles=ROLES, locks=_LOCKS, state=FENCED_STATE)
            await connection.exec_driver_sql(text)

    async def fence(self, engine: AsyncEngine, tables: Mapping[str, str]) -> None:
        async with engine.connect() as connection:
            gaps = await self.gaps(connection, tables)
        for table in gaps:
            await _patiently(engine, table, partial(self._make, table=table, tables=tables))

    async def unfence(self, engine: AsyncEngine, tables: Sequence[str] | None) -> None:
        async with engine.connect() as connection:
            names = await _fenced(connection) if tables is None else tables
        for table in names:
            await _patiently(engine, table, partial(_drop, table=table))
        if tables is None:
            async with engine.begin() as connection:
                await connection.exec_driver_sql("DROP FUNCTION IF EXISTS mig_fence_check()")

    async def gaps(self, connection: AsyncConnection, tables: Mapping[str, str]) -> Sequence[str]:
        standing = {
            row.oid: (row.is_always, row.kind, row.arguments)
            for row in await connection.execute(_STANDING, {"name": TRIGGER})
        }
        trees = await _trees(connection, tables)
        found: list[str] = []
        for table, domain in tables.items():
            wanted = (True, _KIND, "".join(f"{one}\\000" for one in self._arguments(domain)))
            tree = trees[table]
            if not tree or any(standing.get(oid) != wanted for oid, _ in tree):
                found.append(table)
        return found

    async def change(
        self, engine: AsyncEngine, domain: str, statement: sa.Update, wait_s: float
    ) -> tuple[bool, float]:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with engine.begin() as connection:
                await _limits(connection, wait_s)
                lock = sa.func.pg_advisory_xact_lock(_LOCKS, lock_key(domain))
                await connection.execute(sa.select(lock))
                await _limits(connection, began + wait_s - clock())
                found = await connection.execute(statement)
                waited_s = clock() - began
        except DBAPIError as exc:
            if sqlstate(exc) not in _BUSY:
                raise
            raise FenceTimeout(f"writers of {domain} were at it for {wait_s:g} s") from exc
        return found.rowcount == 1, waited_s

    def _arguments(self, domain: str) -> tuple[str, ...]:
        return domain, self._side.value, str(lock_key(domain)), message(domain)

    async def _make(
        self, connection: AsyncConnection, table: str, tables: Mapping[str, str]
    ) -> None:
        tree = (await _trees(connection, [table]))[table]
        if not tree:
            raise SourceUnfit(f"there is no table {table} to fence")
        arguments = ", ".join(f"'{one}'" for one in self._arguments(tables[table]))
        for _, name in tree:
            await _drop(connection, name, is_quoted=True)
            await connection.exec_driver_sql(
                f"CREATE TRIGGER {TRIGGER} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE"
                f" ON {name} FOR EACH STATEMENT EXECUTE FUNCTION mig_fence_check({arguments})"
            )
            # Also for who plays the part of a replica, as a restore does.
            await connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {TRIGGER}")


async def _trees(
    connection: AsyncConnection, tables: Iterable[str]
) -> dict[str, list[tuple[int, str]]]:
    """Each table with its parts, as (oid, name), in one question: writers may be waiting."""
    names = {quoted(table): table for table in tables}
    found: dict[str, list[tuple[int, str]]] = {table: [] for table in names.values()}
    for row in await connection.execute(_TREES, {"names": list(names)}):
        found[names[row.root]].append((row.oid, row.name))
    return found


def quoted(name: str) -> str:
    """A name that may be a reserved word or have capitals."""
    return '"' + name.replace('"', '""') + '"'


async def _drop(connection: AsyncConnection, table: str, *, is_quoted: bool = False) -> None:
    name = table if is_quoted else quoted(table)
    await connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {TRIGGER} ON {name}")


async def _limits(connection: AsyncConnection, wait_s: float) -> None:
    """Bound the next statement of this transaction, and the time in which nobody goes on with it:
    all writers wait for whoever holds the lock, and that one may be dead.
    """
    wait_ms = str(max(1, int(wait_s * 1000)))
    settings = {
        "statement_timeout": wait_ms,
        "lock_timeout": wait_ms,
        "idle_in_transaction_session_timeout": f"{_CLOSING_S}s",
        # A fence that a crash takes back is none.
        "synchronous_commit": "on",
    }
    await connection.execute(
        sa.select(*(sa.func.set_config(name, value, True) for name, value in settings.items()))
    )


async def _patiently(
    engine: AsyncEngine, table: str, change: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    """Change a table's triggers, in a transaction, without making its writers wait long.

    1. A long transaction has written to the table, 2. the trigger waits for it, 3. all others
    wait behind the trigger. So it gives up soon, lets them through, and comes again.
    """
    deadline = asyncio.get_running_loop().time() + _INSTALL_WAIT_S
    while True:
        try:
            async with engine.begin() as connection:
                wait = sa.func.set_config("lock_timeout", str(_TABLE_WAIT_MS), True)
                await connection.execute(sa.select(wait))
                # One installs at a time: what is missing to both, the second one finds.
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, 0)))
                await change(connection)
        except DBAPIError as exc:
            if sqlstate(exc) not in _BUSY:
                raise
            if asyncio.get_running_loop().time() >= deadline:
                raise FenceTimeout(f"{table} is never without writers: {first_line(exc)}") from exc
            await asyncio.sleep(_PAUSE_S)
        else:
            return


async def _fenced(connection: AsyncConnection) -> list[str]:
    found = await connection.execute(
        sa.text(
            "SELECT c.relname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid"
            " WHERE g.tgname = :name AND c.relnamespace = current_schema()::regnamespace"
        ),
        {"name": TRIGGER},
    )
    return [row.relname for row in found]
