"""What a route may ask of a request besides host, path and method.

Conditions(values=(ValueCondition(Place.HEADER, "x-client", "app"),)).hold(head)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote_plus

from typing_extensions import override

from proxy.routing.graphql import GraphQLOperation, GraphQLProblem, OperationType, media_type


class Place(StrEnum):
    """Where a condition looks for a value."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"


class Conditioned(Protocol):
    """What conditions look at: a part of RequestHead."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def query(self) -> str: ...
    @property
    def operation(self) -> GraphQLOperation | GraphQLProblem | None: ...


@dataclass(frozen=True, slots=True)
class ValueCondition:
    """A header (lower-case name), cookie or query parameter with a value.

    A name that stands several times counts with its first value (a header with all of
    them, joined), so that two conditions on different values never hold at once.

    Attributes:
        value: exact value; None when any will do.
        prefix: what the value begins with; None when any beginning will do.
    """

    place: Place
    name: str
    value: str | None = None
    prefix: str | None = None

    def hold(self, head: Conditioned) -> bool:
        """Whether the request has such a value."""
        found = _value(self.place, self.name, head)
        if found is None:
            return False
        if self.value is not None:
            return found == self.value
        return self.prefix is None or found.startswith(self.prefix)

    def is_disjoint(self, other: ValueCondition) -> bool:
        """True when no request fulfils both."""
        if (self.place, self.name) != (other.place, other.name):
            return False
        mine, theirs = self.value, other.value
        if mine is not None and theirs is not None:
            return mine != theirs
        if mine is not None:
            return not mine.startswith(other.prefix or "")
        if theirs is not None:
            return not theirs.startswith(self.prefix or "")
        short, long = sorted((self.prefix or "", other.prefix or ""), key=len)
        return not long.startswith(short)

    @override
    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.place} {self.name}={self.value}"
        wanted = f"{self.name}={self.prefix}*" if self.prefix is not None else self.name
        return f"{self.place} {wanted}"


@dataclass(frozen=True, slots=True)
class GraphQLCondition:
    """An operation by its type, its name, or its root fields; None does not ask.

    Attributes:
        fields: the operation's root fields must all be among these.
    """

    type: OperationType | None = None
    operations: frozenset[str] | None = None
    fields: frozenset[str] | None = None

    def hold(self, operation: GraphQLOperation) -> bool:
        """Whether it is such an operation. One whose fields are not known has none."""
        if self.type is not None and operation.type is not self.type:
            return False
        if self.operations is not None and operation.name not in self.operations:
            return False
        if self.fields is None:
            return True
        return bool(operation.fields) and self.fields.issuperset(operation.fields)

    def is_disjoint(self, other: GraphQLCondition) -> bool:
        """True when no operation fulfils both."""
        if self.type is not None and other.type is not None and self.type is not other.type:
            return True
        return _apart(self.operations, other.operations) or _apart(self.fields, other.fields)

    @property
    def depth(self) -> int:
        """How closely it looks: names count 4, root fields 2, the type 1."""
        told = (self.operations is not None, self.fields is not None, self.type is not None)
        return 4 * told[0] + 2 * told[1] + told[2]

    @property
    def parts(self) -> int:
        """How many things it asks."""
        return sum(part is not None for part in (self.type, self.operations, self.fields))

    @override
    def __str__(self) -> str:
        said = [f"graphql {self.type or 'operation'}"]
        if self.operations is not None:
            said.append(",".join(sorted(self.operations)))
        if self.fields is not None:
            said.append(f"fields {','.join(sorted(self.fields))}")
        return " ".join(said)


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that a route asks besides host, path and method; all must hold.

    Attributes:
        content_types: media types without parameters, lower case; one of them.
    """

    values: tuple[ValueCondition, ...] = ()
    content_types: frozenset[str] = frozenset()
    graphql: GraphQLCondition | None = None

    def __bool__(self) -> bool:
        return bool(self.values or self.content_types or self.graphql)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The greater, the more specific.

        Number of conditions; then an operation's name before its fields before its type;
        then the number of whole values; then the length of all prefixes.
        """
        asked = 0 if self.graphql is None else self.graphql.parts
        depth = 0 if self.graphql is None else self.graphql.depth
        asked += bool(self.content_types)
        whole = sum(value.value is not None for value in self.values)
        begun = sum(len(value.prefix or "") for value in self.values)
        return len(self.values) + asked, depth, whole, begun

    def is_disjoint(self, other: Conditions) -> bool:
        """True when it can be shown that no request fulfils both."""
        if any(mine.is_disjoint(theirs) for mine in self.values for theirs in other.values):
            return True
        if self.content_types and other.content_types.isdisjoint(self.content_types):
            return bool(other.content_types)
        if self.graphql is None or other.graphql is None:
            return False
        return self.graphql.is_disjoint(other.graphql)

    def hold_without_graphql(self, head: Conditioned) -> bool:
        """Whether all but the GraphQL condition hold."""
        if self.content_types and media_type(head.headers.get("content-type")) not in (
            self.content_types
        ):
            return False
        for value in self.values:  # noqa: SIM110 - a generator costs twice as much here
            if not value.hold(head):
                return False
        return True

    def hold(self, head: Conditioned, operation: GraphQLOperation | None) -> bool:
        """Whether the request fulfils all of them."""
        if self.graphql is not None and (operation is None or not self.graphql.hold(operation)):
            return False
        return self.hold_without_graphql(head)

    @property
    def texts(self) -> tuple[str, ...]:
        """One short text for each condition, in a fixed order."""
        said = [str(value) for value in self.values]
        if self.content_types:
            said.append(f"content-type {','.join(sorted(self.content_types))}")
        if self.graphql is not None:
            said.append(str(self.graphql))
        return tuple(said)

    @property
    def headers(self) -> frozenset[str]:
        """Lower-case names of the headers it looks at."""
        names = {value.name for value in self.values if value.place is Place.HEADER}
        if any(value.place is Place.COOKIE for value in self.values):
            names.add("cookie")
        if self.content_types or self.graphql is not None:
            names.add("content-type")
        return frozenset(names)


UNCONDITIONAL = Conditions()


def _apart(mine: frozenset[str] | None, theirs: frozenset[str] | None) -> bool:
    return mine is not None and theirs is not None and mine.isdisjoint(theirs)


def _value(place: Place, name: str, head: Conditioned) -> str | None:
    if place is Place.HEADER:
        return head.headers.get(name)
    if place is Place.QUERY:
        return _parameter(head.query, name)
    found = cookie_pattern(name).search(head.headers.get("cookie", ""))
    return None if found is None else found[1]


@lru_cache(maxsize=256)
def cookie_pattern(name: str) -> re.Pattern[str]:
    """Finds the first value of a cookie in a Cookie header, as group 1."""
    return re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=[ \t]*([^;\s]*)")


def _parameter(query: str, name: str) -> str | None:
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == name or (("%" in key or "+" in key) and unquote_plus(key) == name):
            return unquote_plus(value) if "%" in value or "+" in value else value
    return None
