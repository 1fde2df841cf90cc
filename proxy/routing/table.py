"""The routing table in force: what a file says, compiled for quick decisions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from proxy.routing.decision import RequestHead
from proxy.routing.graphql import LOOK_AHEAD_BYTES, MAX_TOKENS, load_parser
from proxy.routing.kill import Kill
from proxy.routing.matcher import RouteIndex
from proxy.routing.model import AmbiguousPaths, Domain, KeyKind, Route, ShopperKey, Side, Store
from proxy.routing.paths import canonical_path, is_clear, is_ordinary, plain_path
from proxy.routing.plans import Choice, Found, Nobody, Odd, Plan, Terms
from proxy.routing.privacy import Privacy
from proxy.routing.ticket import MAX_AGE_S

SHADOW_HEADER = "x-banyan-shadow"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SAFE = frozenset(("GET", "HEAD"))
_KILL_MARK = "+kill"
# What is remembered of the paths seen, per method: about 1 MB, and one path's length.
_REMEMBERED = 4_096
_REMEMBERED_CHARS = 256

_REMEMBERED_HOSTS = 1_024

_USUAL = Privacy()

_Memos = dict[str, dict[str, Found]]
_Group = tuple[str | None, ...]
_ANY_HOST: _Group = (None,)


@dataclass(frozen=True, slots=True)
class GraphQLLimits:
    """How much of a body is read to tell its operation, and how long a document may be."""

    look_ahead_bytes: int = LOOK_AHEAD_BYTES
    max_tokens: int = MAX_TOKENS


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """What a routing file says. Built whole, never changed, safe to share.

    It remembers which plan the last few thousand paths had; nobody can tell but by the
    clock. Raises ValueError when two routes tie; a file with such routes does not load.

    Attributes:
        domains: in the file's order, which decides nothing.
        shopper: where a shopper key is looked for; the first one present counts.
        revision: first 12 hex digits of the SHA-256 of the file's bytes, "+kill" behind
            them while a kill is in force.
        ticket_max_age_s: how long a client keeps our cookie.
        readers: the shopper keys made ready: header name, and for a cookie the
            pattern that finds it in that header.
        wanted: lower-case names of the headers that `decide` looks at.
        uses_tickets: True when a request's ticket is to be read.
        draws_by_ticket: True when a shopper without a key is known by the ticket.
        names_hosts: True when `decide` looks at the host.
        looks_ahead: True when `look_ahead` may ask for a body.
    """

    domains: tuple[Domain, ...]
    stores: Mapping[Side, Store]
    shopper: tuple[ShopperKey, ...]
    revision: str
    ambiguous_paths: AmbiguousPaths = AmbiguousPaths.REFUSE
    graphql: GraphQLLimits = GraphQLLimits()
    ticket_max_age_s: int = MAX_AGE_S
    kill: Kill | None = None
    privacy: Privacy = _USUAL
    readers: tuple[tuple[str, re.Pattern[str] | None], ...] = field(
        init=False, repr=False, compare=False
    )
    wanted: frozenset[str] = field(init=False, repr=False, compare=False)
    uses_tickets: bool = field(init=False, repr=False, compare=False)
    draws_by_ticket: bool = field(init=False, repr=False, compare=False)
    names_hosts: bool = field(init=False, repr=False, compare=False)
    looks_ahead: bool = field(init=False, repr=False, compare=False)
    pinned: frozenset[str] = field(init=False, repr=False, compare=False)
    nobody: Nobody = field(init=False, repr=False, compare=False)
    memos: _Memos = field(init=False, repr=False, compare=False)
    _groups: dict[_Group, _Memos] = field(init=False, repr=False, compare=False)
    _places: dict[str, tuple[_Group, _Memos]] = field(init=False, repr=False, compare=False)
    _index: RouteIndex[Plan] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, Domain] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {domain.name: domain for domain in self.domains}
        index = _compiled(self, by_name)
        pinned = frozenset(domain.name for domain in self.domains if domain.pin is not None)
        by_ticket = any(key.kind is KeyKind.TICKET for key in self.shopper)
        readers = tuple(_reader(k) for k in self.shopper if k.kind is not KeyKind.TICKET)
        routes = [route for domain in self.domains for route in domain.routes]
        for name, value in (
            ("readers", readers),
            ("uses_tickets", by_ticket or bool(pinned)),
            ("draws_by_ticket", by_ticket),
            ("names_hosts", index.names_hosts),
            ("looks_ahead", any(route.conditions.graphql for route in routes)),
            ("pinned", pinned),
            ("nobody", Nobody(self.revision)),
            ("memos", {} if index.names_hosts else _fresh_memos()),
            ("_groups", {}),
            ("_places", {}),
            ("_index", index),
            ("_by_name", MappingProxyType(by_name)),
        ):
            object.__setattr__(self, name, value)
        if self.looks_ahead:
            load_parser()
        object.__setattr__(self, "wanted", frozenset(_wanted(self)))

    def find(self, head: RequestHead) -> Found:
        """What the table knows of a request's place: where `decide` begins.

        Of two owners of one place the most specific that admits the method counts: see
        RouteIndex. A path that stores may read differently comes with both readings.
        """
        group, memos = self._place(head.host) if self.names_hosts else (_ANY_HOST, self.memos)
        memo = memos.get(head.method)
        if memo is None:
            return self._look(group, head.method, head.path)
        found = memo.get(head.path)
        if found is None:
            found = self._look(group, head.method, head.path)
            if len(head.path) <= _REMEMBERED_CHARS:
                if len(memo) >= _REMEMBERED:
                    memo.clear()
                memo[head.path] = found
        return found

    def look_ahead(self, head: RequestHead) -> int:
        """How many bytes of body `decide` needs to tell the operation; 0 for none.

        The caller buffers no more than that, gives the body to `read_operation` and puts
        what it says into the head. For a longer body it puts in GraphQLProblem(TOO_LARGE).
        """
        if not self.looks_ahead or head.method in _SAFE:
            return 0
        found = self.find(head)
        readings = (found.plain, found.lenient) if isinstance(found, Odd) else (found,)
        if any(isinstance(one, Choice) and one.reads_graphql for one in readings):
            return self.graphql.look_ahead_bytes
        return 0

    def domain(self, name: str) -> Domain:
        """A domain by its name. Raises KeyError when the table has none of that name."""
        return self._by_name[name]

    def _place(self, host: str) -> tuple[_Group, _Memos]:
        """The group of routes a host falls under, and what is remembered of it."""
        place = self._places.get(host)
        if place is None:
            group = self._index.group(host)
            place = group, self._groups.setdefault(group, _fresh_memos())
            if len(self._places) >= _REMEMBERED_HOSTS:
                self._places.clear()
            if len(host) <= _REMEMBERED_CHARS:
                self._places[host] = place
        return place

    def _look(self, group: _Group, method: str, path: str) -> Found:
        if is_ordinary(path):
            return self._owner(group, method, path)
        lenient = self._owner(group, method, canonical_path(path))
        if is_clear(path):
            return lenient
        return Odd(path, self._owner(group, method, plain_path(path)), lenient)

    def _owner(self, group: _Group, method: str, path: str) -> Plan | Nobody | Choice:
        found = self._index.find(group, method, path)
        if not found:
            return self.nobody
        if found[0].conditions:
            return Choice(tuple(found))
        return found[0].value


def killed(table: RoutingTable, kill: Kill) -> RoutingTable:
    """The same table with the kill in force; an empty kill lifts the one there is.

    The table's domains stay as the file says; only decisions change, and they cost what
    they cost before. Names that the table does not know change nothing.
    """
    revision = table.revision.removesuffix(_KILL_MARK)
    if not kill:
        return replace(table, revision=revision, kill=None)
    return replace(table, revision=revision + _KILL_MARK, kill=kill)


def _compiled(table: RoutingTable, by_name: Mapping[str, Domain]) -> RouteIndex[Plan]:
    index: RouteIndex[Plan] = RouteIndex()
    ends: dict[str, set[str]] = defaultdict(set)
    for domain in table.domains:
        if domain.pin is not None and domain.pin.until is not None:
            ends[domain.pin.until].add(domain.name)
    for domain in table.domains:
        cohort = domain.cohort_with or domain.name
        root = by_name.get(cohort, domain)
        terms = Terms(domain, cohort, root.pin, table.kill, table.revision)
        for route in domain.routes:
            for methods, plan in _plans(route, terms, ends):
                taken = index.add(route, plan, methods)
                if taken is not None:
                    raise ValueError(f"{route.name} ({domain.name}) is owned by {taken.domain}")
    return index


def _plans(
    route: Route, terms: Terms, ends: Mapping[str, set[str]]
) -> Iterator[tuple[list[str], Plan]]:
    """A plan for each set of methods that are treated alike."""
    alike: dict[tuple[bool, bool, frozenset[str]], list[str]] = defaultdict(list)
    for method in route.methods:
        ended = frozenset(ends.get(f"{method} {route.path}", ())) if ends else frozenset()
        stays = terms.domain.writes_stay and route.is_write(method)
        alike[method in _SAFE, stays, ended].append(method)
    for (is_safe, stays, ended), methods in alike.items():
        yield methods, Plan(route, terms, ended, is_safe=is_safe, stays=stays)


def _fresh_memos() -> _Memos:
    return {method: {} for method in METHODS}


def _reader(key: ShopperKey) -> tuple[str, re.Pattern[str] | None]:
    if key.kind is KeyKind.HEADER:
        return key.name, None
    return "cookie", re.compile(rf"(?:^|;)[ \t]*{re.escape(key.name)}=[ \t]*([^;\s]+)")


def _wanted(table: RoutingTable) -> Iterator[str]:
    yield SHADOW_HEADER
    yield from (name for name, _ in table.readers)
    if table.uses_tickets:
        yield "cookie"
    for domain in table.domains:
        yield from (name for pilot in domain.pilots for name, _ in pilot.headers)
        for route in domain.routes:
            yield from route.conditions.headers
