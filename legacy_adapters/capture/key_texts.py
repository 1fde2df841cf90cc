"""From a row's key text back to its key's columns."""

from __future__ import annotations

from legacy_adapters.mapping.rows import ColumnKind, Table


def key_parts(table: Table, text: str) -> tuple[str, ...]:
    """The parts of a key text, one for each column of the key.

    Text may hold the sign between the parts; it is told apart as long as one column of the key
    is text at most.

    Raises:
        ValueError: the text is no key of the table, or could be two of them.
    """
    free = [at for at, name in enumerate(table.key) if _is_free(table, name)]
    parts, count = text.split("|"), len(table.key)
    if len(parts) < count or (len(parts) > count and len(free) != 1):
        raise ValueError(f"{text!r} is no key of {table.name}")
    if len(parts) == count:
        return tuple(parts)
    begin, behind = free[0], count - free[0] - 1
    end = len(parts) - behind
    return (*parts[:begin], "|".join(parts[begin:end]), *parts[end:])


def _is_free(table: Table, name: str) -> bool:
    return table.columns[name].kind in (ColumnKind.TEXT, ColumnKind.JSON)
