"""Whether a legacy database can be kept in step: facts about it, and what follows from them.

Everything here that refuses was somebody's lost write once: a cascade that no log tells of, a
log that was purged, a table without a key, a date that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_DAY_S = 86_400
LEAST_RETENTION_S = 3 * _DAY_S
"""A stream that stood still over a long weekend must find its place again."""


class Severity(StrEnum):
    """refuse: changes would be lost, or could not be told. warn: somebody should know."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something about the database that stands in the way.

    Attributes:
        code: stable name of the rule, as "table_without_key".
        where: table, table.column, setting or user.
        problem: what is wrong and what it would cost.
        fix: what to do, as a command where there is one.
    """

    severity: Severity
    code: str
    where: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference between two tables.

    Attributes:
        on_delete: as the database names it: "CASCADE", "SET NULL", "NO ACTION" …
    """

    table: str
    column: str
    parent: str
    on_delete: str
    on_update: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as it really is.

    Attributes:
        columns: all names.
        generated: columns that the database computes.
        key: primary key; empty without one.
        engine: storage engine; "" where there is only one.
        is_transactional: False for one that forgets what a rollback should undo.
        triggers: names of triggers that are not ours.
        replica_identity: PostgreSQL's letter: d, f, i or n; "" elsewhere.
        rows: an estimate.
        zero_dates: column to rows with a date that is none.
        broken_text: column to rows whose bytes are no text of its character set.
        unsafe_unique: unique keys over text whose collation takes different texts for equal.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    engine: str = ""
    is_transactional: bool = True
    generated: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    replica_identity: str = ""
    rows: int = 0
    zero_dates: Mapping[str, int] | None = None
    broken_text: Mapping[str, int] | None = None
    unsafe_unique: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogFacts:
    """How the database logs changes.

    Attributes:
        settings: setting to value, lower case, as the database has them.
        retention_s: how long it keeps its log by time; None when not by time.
        may_read: whether the account may read it.
        longest_s: age of the oldest open transaction; None when the account may not see it.
        writers: accounts that can write and bypass the log or triggers, e.g. with SUPER.
    """

    settings: Mapping[str, str]
    retention_s: float | None
    may_read: bool
    longest_s: float | None = 0.0
    writers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was asked of a legacy database.

    Attributes:
        kind: "sqlite", "postgresql" or "mariadb".
        domains: table to the domain that owns it, for the tables that move.
        known: table to its declared columns, for the tables that move.
        ignored: table to the reason why it stays.
        cowritten: pairs of domains to how many transactions wrote both; empty when nothing
            was watched.
        watched: how many transactions were watched.
        events: scheduled events and routines that run as somebody else.
        cluster: what makes it a multi-writer cluster; "" for one that is none.
    """

    kind: str
    log: LogFacts
    tables: tuple[TableFacts, ...]
    foreign_keys: tuple[ForeignKey, ...]
    domains: Mapping[str, str]
    known: Mapping[str, frozenset[str]]
    ignored: Mapping[str, str]
    cowritten: Mapping[tuple[str, str], int]
    watched: int = 0
    events: tuple[str, ...] = ()
    cluster: str = ""


def judge(facts: Facts) -> tuple[Finding, ...]:
    """What stands in the way, gravest first. Pure and total."""
    return tuple(sorted(found for rule in _RULES for found in rule(facts)))


def _refuse(code: str, where: str, problem: str, fix: str) -> Finding:
    return Finding(Severity.REFUSE, code, where, problem, fix)


def _warn(code: str, where: str, problem: str, fix: str) -> Finding:
    return Finding(Severity.WARN, code, where, problem, fix)


_WANTED: Mapping[str, Mapping[str, tuple[tuple[str, ...], str]]] = {
    "mariadb": {
        "log_bin": (("1", "on"), "set log_bin in the server's configuration and restart it"),
        "binlog_format": (("row",), "SET GLOBAL binlog_format = 'ROW'"),
        "binlog_row_image": (("full",), "SET GLOBAL binlog_row_image = 'FULL'"),
        "binlog_row_metadata": (("full",), "SET GLOBAL binlog_row_metadata = 'FULL'"),
    },
    "postgresql": {
        "wal_level": (("logical",), "ALTER SYSTEM SET wal_level = 'logical', then restart it"),
    },
    "sqlite": {"journal_mode": (("wal",), "PRAGMA journal_mode = WAL")},
}


def _settings(facts: Facts) -> Iterator[Finding]:
    for name, (wanted, fix) in _WANTED[facts.kind].items():
        value = facts.log.settings.get(name, "unknown")
        if value not in wanted:
            cost = "rows would arrive torn or not at all"
            if facts.kind == "sqlite":
                cost = "whoever reads would stop the shop's writers"
            problem = f"is {value}, must be {wanted[0].upper()}: {cost}"
            yield _refuse("log_setting", name, problem, fix)
    if facts.log.settings.get("binlog_row_value_options", "") not in {"", "unknown"}:
        yield _refuse(
            "log_setting", "binlog_row_value_options", "logs JSON in parts, not whole",
            "SET GLOBAL binlog_row_value_options = ''",
        )  # fmt: skip
    if facts.kind == "postgresql" and facts.log.settings.get("max_slot_wal_keep_size") == "-1":
        yield _warn(
            "log_unbounded", "max_slot_wal_keep_size",
            "is unlimited: a stream that stands still fills the disk of the shop",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB' (what the disk can spare)",
        )  # fmt: skip


def _retention(facts: Facts) -> Iterator[Finding]:
    kept = facts.log.retention_s
    if facts.kind == "mariadb" and kept is not None and kept < LEAST_RETENTION_S:
        yield _refuse(
            "log_retention", "binlog_expire_logs_seconds",
            f"keeps {kept / _DAY_S:.1f} days of log; a stream that stands still over a weekend "
            "would have to begin anew",
            f"SET GLOBAL binlog_expire_logs_seconds = {LEAST_RETENTION_S}",
        )  # fmt: skip


def _account(facts: Facts) -> Iterator[Finding]:
    if not facts.log.may_read:
        fix = (
            "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO the account"
            if facts.kind == "mariadb"
            else "ALTER ROLE the account REPLICATION"
        )
        yield _refuse("log_account", "account", "may not read the log", fix)
    for one in facts.log.writers:
        yield _warn(
            "writer_beside_the_log", one,
            "may write without the log or past triggers (SUPER, sql_log_bin, session_replication_"
            "role)",
            "take the right away from accounts that the shop and its jobs use",
        )  # fmt: skip


def _cluster(facts: Facts) -> Iterator[Finding]:
    if facts.cluster:
        yield _refuse(
            "multi_writer", facts.cluster,
            "several servers take writes, so a fence on one does not stop those on another",
            "send all writes to one server while the migration runs, and set it read-only "
            "elsewhere",
        )  # fmt: skip


def _coverage(facts: Facts) -> Iterator[Finding]:
    real = {table.name: table for table in facts.tables}
    for name in sorted(facts.known.keys() - real.keys()):
        yield _refuse(
            "table_missing", name, "is mapped, but the database does not have it",
            "is this the right database, and the version of the shop that the adapter knows?",
        )  # fmt: skip
    for name, table in real.items():
        if name in facts.known:
            yield from _columns(table, facts.known[name])
        elif name not in facts.ignored:
            yield _refuse(
                "table_unmapped", name, f"is neither mapped nor left out ({table.rows} rows)",
                "map it, or leave it out: --ignore TABLE: REASON",
            )  # fmt: skip


def _columns(table: TableFacts, known: frozenset[str]) -> Iterator[Finding]:
    for column in table.columns:
        if column not in known and column not in table.generated:
            yield _refuse(
                "column_unmapped", f"{table.name}.{column}", "is neither mapped nor left out",
                "decide in the adapter's mapping what becomes of it",
            )  # fmt: skip
    for column in sorted(known - set(table.columns)):
        yield _refuse(
            "column_missing", f"{table.name}.{column}",
            "is mapped, but the database does not have it",
            "run the shop's migrations, or use the adapter's version for this shop",
        )  # fmt: skip


def _tables(facts: Facts) -> Iterator[Finding]:
    for table in facts.tables:
        if table.name not in facts.known:
            continue
        if not table.key:
            yield _refuse(
                "table_without_key", table.name, "has no primary key: rows cannot be told apart",
                f"ALTER TABLE {table.name} ADD PRIMARY KEY (…)",
            )  # fmt: skip
        if not table.is_transactional:
            yield _refuse(
                "engine", table.name,
                f"is {table.engine}: half of a failed transaction stays, and no lock drains it",
                f"ALTER TABLE {table.name} ENGINE = InnoDB",
            )  # fmt: skip
        if table.replica_identity == "n":
            yield _refuse(
                "replica_identity", table.name, "logs no key with updates and deletions",
                f"ALTER TABLE {table.name} REPLICA IDENTITY FULL",
            )  # fmt: skip
        for trigger in table.triggers:
            yield _warn(
                "trigger", f"{table.name}.{trigger}",
                "a trigger of the shop's fires for replicated rows too",
                "let it do nothing while banyan.role / @banyan_role / mig_role is replicator",
            )  # fmt: skip


def _contents(facts: Facts) -> Iterator[Finding]:
    for table in facts.tables:
        if table.name not in facts.known:
            continue
        for column, rows in (table.zero_dates or {}).items():
            yield _warn(
                "zero_date", f"{table.name}.{column}",
                f"{rows} row(s) with a date that is none; their aggregates will be parked",
                "write NULL or the right date into them",
            )  # fmt: skip
        for column, rows in (table.broken_text or {}).items():
            yield _warn(
                "broken_text", f"{table.name}.{column}",
                f"{rows} row(s) whose bytes are no text; their aggregates will be parked",
                "write them anew in the column's character set",
            )  # fmt: skip
        for key in table.unsafe_unique:
            yield _warn(
                "collation", f"{table.name}.{key}",
                "takes texts for equal that the core tells apart (case, accents)",
                "look for values that differ only so before the first flip back",
            )  # fmt: skip


def _cascades(facts: Facts) -> Iterator[Finding]:
    for key in facts.foreign_keys:
        child, parent = facts.domains.get(key.table), facts.domains.get(key.parent)
        acts = {key.on_delete, key.on_update} & {"CASCADE", "SET NULL", "SET DEFAULT"}
        if child is None or not acts:
            continue
        where = f"{key.table}.{key.column}"
        act = min(acts)
        if facts.kind == "mariadb" and not (child == parent and act == "CASCADE"):
            yield _refuse(
                "cascade_unlogged", where,
                f"{act} from {key.parent} changes rows that the binlog does not tell of",
                "make it ON DELETE RESTRICT and let the shop itself do it",
            )  # fmt: skip
        elif child != parent:
            yield _refuse(
                "cascade_across_domains", where,
                f"{act}: a deletion in {key.parent} ({parent or 'no domain'}) writes {child}, "
                "whose fence does not see who asked",
                f"replace it by ON DELETE RESTRICT, or let {key.parent} move with {child}",
            )  # fmt: skip


def _cowrites(facts: Facts) -> Iterator[Finding]:
    for (one, other), count in sorted(facts.cowritten.items()):
        if one != other:
            yield _refuse(
                "cowritten", f"{one} + {other}",
                f"{count} of {facts.watched} watched transactions wrote both; if one flips, "
                "the other's half of such a transaction is refused",
                "flip them together: make them one domain",
            )  # fmt: skip


def _company(facts: Facts) -> Iterator[Finding]:
    for event in facts.events:
        yield _warn(
            "scheduled", event,
            "runs inside the database, past the proxy: its writes are not held during a flip",
            "suspend it for the flip, or let it run where the domain's owner is",
        )  # fmt: skip
    if facts.log.longest_s is None:
        yield _warn(
            "transactions_unseen", "account",
            "may not see other sessions' transactions, which a fence has to wait for",
            "GRANT PROCESS ON *.* TO the account",
        )  # fmt: skip
    elif facts.log.longest_s > 60:
        yield _warn(
            "long_transaction", "oldest transaction",
            f"is open for {facts.log.longest_s:.0f} s; a fence would have to wait for it",
            "end it, and look for the job that holds it",
        )  # fmt: skip


_RULES: Sequence[Callable[[Facts], Iterator[Finding]]] = (
    _settings, _retention, _account, _cluster, _coverage, _tables, _contents, _cascades,
    _cowrites, _company,
)  # fmt: skip
