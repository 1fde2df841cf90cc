"""Find the routes of a request: a trie of segments for each host, most specific first.

index = RouteIndex()
index.add(Route("catalog", "/api/products/{id}/", ("GET",)), plan)
index.find(index.group("shop.example.com"), "GET", "/api/products/7/")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from proxy.routing.conditions import UNCONDITIONAL, Conditions
from proxy.routing.hosts import HostIndex
from proxy.routing.model import Route
from proxy.routing.paths import Segment, SegmentKind, parse_template

T = TypeVar("T")


class Candidate(Generic[T]):
    """A value with the conditions under which it takes a request.

    Attributes:
        is_implied: a HEAD that came along with GET.
    """

    __slots__ = ("conditions", "is_implied", "value")

    def __init__(self, conditions: Conditions, value: T, *, is_implied: bool) -> None:
        self.conditions = conditions
        self.value = value
        self.is_implied = is_implied

    def order(self) -> tuple[bool, tuple[int, ...]]:
        """Sorts the most specific first."""
        return self.is_implied, tuple(-part for part in self.conditions.rank)

    def ties_with(self, other: Candidate[T]) -> bool:
        """Whether some request may fit both equally well."""
        if self.order() != other.order():
            return False
        return not self.conditions.is_disjoint(other.conditions)


_Leaf = dict[str, list[Candidate[T]]]


class _Node(Generic[T]):
    __slots__ = ("leaf", "literals", "parameter", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.leaf: _Leaf[T] = {}
        self.rest: _Leaf[T] = {}


class Matcher(Generic[T]):
    """Templates and methods to values. Built once, then only read.

    Compared segment by segment from the left, an exact one goes before `{name}`, and
    that before `{rest...}`; of one shape, the one with more conditions goes first. A
    lookup costs the path's length, not the number of routes.
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(
        self,
        template: Iterable[Segment],
        methods: Iterable[str],
        value: T,
        conditions: Conditions = UNCONDITIONAL,
    ) -> T | None:
        """Register a template. Returns the value that may take the same requests.

        Then nothing is added for that method: the caller reports the tie. GET answers
        HEAD as well, unless a template of the same shape names HEAD itself.
        """
        leaf = self._leaf(template)
        taken = None
        for method in methods:
            found = _enter(leaf, method, Candidate(conditions, value, is_implied=False))
            taken = found if found is not None else taken
            if method == "GET" and found is None:
                _enter(leaf, "HEAD", Candidate(conditions, value, is_implied=True))
        return taken

    def find(self, method: str, path: str) -> list[Candidate[T]]:
        """Who may take a request, most specific first, up to one without conditions."""
        found: list[Candidate[T]] = []
        _descend(self._root, path.split("/"), 1, method, found)
        return found

    def _leaf(self, template: Iterable[Segment]) -> _Leaf[T]:
        node = self._root
        for segment in template:
            match segment.kind:
                case SegmentKind.REST:
                    return node.rest
                case SegmentKind.PARAMETER:
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                case SegmentKind.LITERAL:
                    node = node.literals.setdefault(segment.text, _Node())
        return node.leaf


class RouteIndex(Generic[T]):
    """Routes to values: by host, then by path and method, then by conditions.

    An exact host goes before a wildcard, a longer wildcard before a shorter one, and all
    of them before routes that name no host.
    """

    __slots__ = ("_hosts", "_matchers")

    def __init__(self) -> None:
        self._matchers: dict[str | None, Matcher[T]] = {None: Matcher()}
        self._hosts = HostIndex()

    @property
    def names_hosts(self) -> bool:
        """Whether any route names a host."""
        return len(self._matchers) > 1

    def add(self, route: Route, value: T, methods: Iterable[str] | None = None) -> T | None:
        """Register a route, or some of its methods.

        Returns the value of one that may take the same requests.
        """
        if route.host not in self._matchers:
            self._matchers[route.host] = Matcher()
        if route.host is not None:
            self._hosts.add(route.host)
        matcher = self._matchers[route.host]
        methods = route.methods if methods is None else methods
        return matcher.add(parse_template(route.path), methods, value, route.conditions)

    def group(self, host: str) -> tuple[str | None, ...]:
        """The hosts of routes that a request's host falls under, most specific first."""
        return (*self._hosts.find(host), None)

    def find(self, group: tuple[str | None, ...], method: str, path: str) -> list[Candidate[T]]:
        """Who may take a request, most specific first, up to one without conditions."""
        if len(group) == 1:
            return self._matchers[group[0]].find(method, path)
        found: list[Candidate[T]] = []
        for host in group:
            found += self._matchers[host].find(method, path)
            if found and not found[-1].conditions:
                break
        return found


def _enter(leaf: _Leaf[T], method: str, candidate: Candidate[T]) -> T | None:
    owners = leaf.setdefault(method, [])
    for owner in owners:
        if owner.ties_with(candidate):
            return owner.value
    owners.append(candidate)
    owners.sort(key=Candidate.order)
    return None


def _descend(
    node: _Node[T], segments: list[str], index: int, method: str, found: list[Candidate[T]]
) -> bool:
    """Collect candidates; True as soon as one takes every request."""
    # Each node is entered once at most, since only one path leads to it.
    if index == len(segments):
        return _collect(node.leaf, method, found)
    segment = segments[index]
    child = node.literals.get(segment)
    if child is not None and _descend(child, segments, index + 1, method, found):
        return True
    if (
        segment
        and node.parameter is not None
        and _descend(node.parameter, segments, index + 1, method, found)
    ):
        return True
    if node.rest and (segment or index + 1 < len(segments)):
        return _collect(node.rest, method, found)
    return False


def _collect(leaf: _Leaf[T], method: str, found: list[Candidate[T]]) -> bool:
    owners = leaf.get(method)
    if owners is None:
        return False
    for owner in owners:
        found.append(owner)
        if not owner.conditions:
            return True
    return False
