"""What a statement that stands in MariaDB's log as text does to tables. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:`(?:[^`]|``)+`|[\w$\u0080-\uffff]+)"
_TABLE = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
_SKIPPED = re.compile(r"\s+|/\*.*?\*/|--\s[^\n]*\n?|#[^\n]*\n?", re.DOTALL)
_EXISTS = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
_FLAGS = re.DOTALL | re.IGNORECASE
_TRUNCATE = re.compile(rf"TRUNCATE\s+(?:TABLE\s+)?({_TABLE})", _FLAGS)
_ALTER = re.compile(rf"ALTER\s+(?:ONLINE\s+)?(?:IGNORE\s+)?TABLE\s+{_EXISTS}({_TABLE})(.*)", _FLAGS)
_RENAMED = re.compile(rf"\bRENAME\s+(?:TO\s+|AS\s+)?({_TABLE})", _FLAGS)
_CREATE = re.compile(rf"CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+{_EXISTS}({_TABLE})", _FLAGS)
_DROP = re.compile(rf"DROP\s+TABLES?\s+{_EXISTS}(.*)", _FLAGS)
_RENAME = re.compile(r"RENAME\s+TABLES?\s+(.*)", _FLAGS)
_DROP_DATABASE = re.compile(rf"DROP\s+(?:DATABASE|SCHEMA)\s+{_EXISTS}({_NAME})", _FLAGS)
_WRITES = re.compile(r"(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|WITH)\b", _FLAGS)
_EACH_TABLE = re.compile(_TABLE)
_EACH_NAME = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement did, as (database, table), in lower case.

    Attributes:
        altered: tables whose definition changed; a table "" stands for all of the database.
        truncated: tables that were emptied.
        written: tables whose rows it may have changed; the log does not say which.
    """

    altered: frozenset[tuple[str, str]] = frozenset()
    truncated: frozenset[tuple[str, str]] = frozenset()
    written: frozenset[tuple[str, str]] = frozenset()


def effect(statement: str, database: str) -> Effect:
    """What a statement does to tables; `database` is the one that it was said in. Total."""
    text = _without_comments(statement)
    if found := _TRUNCATE.match(text):
        return Effect(truncated=_tables((found[1],), database))
    if found := _ALTER.match(text):
        return Effect(altered=_tables((found[1], *_RENAMED.findall(found[2])), database))
    if found := _CREATE.match(text) or _DROP.match(text) or _RENAME.match(text):
        return Effect(altered=_tables(_EACH_TABLE.findall(found[1]), database))
    if found := _DROP_DATABASE.match(text):
        return Effect(altered=frozenset({(_bare(found[1]), "")}))
    if _WRITES.match(text):
        return Effect(written=_tables(_EACH_TABLE.findall(text), database))
    return Effect()


def _without_comments(statement: str) -> str:
    """Without what stands before the first word; comments of the server's begin a word too."""
    at = 0
    while found := _SKIPPED.match(statement, at):
        at = found.end()
    return statement[at:]


def _tables(found: list[str] | tuple[str, ...], database: str) -> frozenset[tuple[str, str]]:
    names = ([_bare(name) for name in _EACH_NAME.findall(table)] for table in found)
    return frozenset(
        (parts[0], parts[1]) if len(parts) > 1 else (database.lower(), parts[0]) for parts in names
    )


def _bare(name: str) -> str:
    return (name[1:-1].replace("``", "`") if name.startswith("`") else name).lower()
