"""The `privacy` section: which names are shown and which are hidden besides the known ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.routing.nodes import Node
from proxy.routing.values import Reader, shown

_MOST = 200
_WORD = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Privacy:
    """Attributes:
    show: whole names whose values may be seen.
    hide: words, or words in a row, that make a name a sensitive one.
    """

    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()


def parse_privacy(reader: Reader, node: Node | None) -> Privacy:
    """Read the section; without one, the known names alone are hidden."""
    fields = {} if node is None else reader.fields(node, "privacy", ("show", "hide")) or {}
    return Privacy(_names(reader, fields, "show"), _names(reader, fields, "hide"))


def _names(reader: Reader, fields: dict[str, Node], which: str) -> tuple[str, ...]:
    if which not in fields:
        return ()
    names: list[str] = []
    for index, item in enumerate(reader.items(fields[which], f"privacy.{which}")):
        key = f"privacy.{which}[{index}]"
        text = reader.text(item, key)
        if text is None:
            continue
        if not _WORD.search(text):
            fix = "Write the name of a key, field or parameter, such as membership_number."
            reader.note(item.line, key, f"{shown(text)} has no word that a name could hold.", fix)
        elif index == _MOST:
            reader.note(item.line, key, f"More than {_MOST} names.", "Name whole words.")
        else:
            names.append(text)
    return tuple(names)
