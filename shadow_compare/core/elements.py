"""An element of XML or HTML, as comparing sees it."""

from __future__ import annotations

from typing import TypeAlias

from typing_extensions import override

Child: TypeAlias = "Element | str"


class Element:
    """A named node with attributes and, in order, children and pieces of text.

    Equal when all of it is equal; the order of attributes is none. Treated as a value:
    nobody changes one that is built.

    Attributes:
        name: without its prefix.
        space: URI of its namespace, "" when it has none.
        attributes: name to value.
        names: all that a path may call it: its name and, in HTML, "#id" and ".class".
        anchor: a name of its own that does not change from page to page, or "".
    """

    __slots__ = ("anchor", "attributes", "children", "name", "names", "space")

    def __init__(
        self,
        name: str,
        attributes: dict[str, str],
        children: list[Child],
        *,
        space: str = "",
        names: tuple[str, ...] = (),
        anchor: str = "",
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.children = children
        self.space = space
        self.names = names or (name,)
        self.anchor = anchor

    @property
    def text(self) -> str | None:
        """The text of an element that holds nothing else; None of one that does."""
        if not self.children:
            return ""
        first = self.children[0]
        return first if len(self.children) == 1 and isinstance(first, str) else None

    @override
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Element)
            and self.name == other.name
            and self.space == other.space
            and self.attributes == other.attributes
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]  # it holds lists


def is_bare(node: Element) -> bool:
    """Whether an element says nothing but its name."""
    return not node.attributes and not node.children


def markup(node: Child) -> str:
    """An element as text to read, attributes sorted; white space as it was kept."""
    if isinstance(node, str):
        return node
    attributes = "".join(f' {name}="{node.attributes[name]}"' for name in sorted(node.attributes))
    inside = "".join([markup(child) for child in node.children])
    return f"<{node.name}{attributes}>{inside}</{node.name}>"
