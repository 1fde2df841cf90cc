"""Turn a document into a routing table, or into the full list of what is wrong with it."""

from __future__ import annotations

import math
import re

from proxy.errors import Problem, RoutingFileError
from proxy.routing.matcher import RouteIndex
from proxy.routing.model import AmbiguousPaths, Domain, KeyKind, ShopperKey, Stage
from proxy.routing.nodes import MapNode, Node, Scalar
from proxy.routing.parse_cohorts import report_cohorts
from proxy.routing.parse_domain import ParsedDomain, parse_domain
from proxy.routing.parse_governance import report_residency
from proxy.routing.parse_route import PlacedRoute
from proxy.routing.parse_store import parse_stores
from proxy.routing.privacy import parse_privacy
from proxy.routing.table import GraphQLLimits, RoutingTable
from proxy.routing.ticket import MAX_AGE_S
from proxy.routing.values import Reader, join, shown

API_VERSION = "banyan/v1"

_KEYS = ("apiVersion", "stores", "shopper", "ticket", "paths", "graphql", "privacy", "domains")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_MAX_AGE_S = 400 * 24 * 3_600
_TICKET = ShopperKey(KeyKind.TICKET)


def parse(document: Node, file: str, revision: str) -> RoutingTable:
    """Read a whole routing file.

    Args:
        document: the file's root.
        file: how problems name the file.
        revision: becomes the table's revision.

    Raises:
        RoutingFileError: with every problem there is, in the file's order.
    """
    reader = Reader(file)
    fields = reader.fields(document, "", _KEYS) or {}
    if isinstance(document, MapNode):
        _version(reader, document, fields.get("apiVersion"))
    stores = parse_stores(reader, document, fields.get("stores"))
    shopper = _shopper(reader, fields.get("shopper"))
    parsed = _domains(reader, document, fields.get("domains"))
    max_age_s = _max_age(reader, fields.get("ticket"))
    policy = _ambiguous(reader, fields.get("paths"))
    limits = _graphql(reader, fields.get("graphql"))
    privacy = parse_privacy(reader, fields.get("privacy"))
    _report_ties(reader, parsed)
    report_cohorts(reader, parsed)
    report_residency(reader, stores, tuple((one.domain, one.line) for one in parsed))
    if not shopper and "shopper" not in fields:
        _report_keyless_canaries(reader, parsed)
    if reader.problems:
        raise RoutingFileError(tuple(sorted(reader.problems, key=_place)))
    domains = tuple(p.domain for p in parsed)
    return RoutingTable(
        domains, stores, shopper, revision, policy, limits, max_age_s, privacy=privacy
    )


def _place(problem: Problem) -> int:
    return problem.line


def _version(reader: Reader, document: MapNode, node: Node | None) -> None:
    fix = f"Write apiVersion: {API_VERSION}."
    if node is None:
        reader.missing(document.line, "", "apiVersion", fix)
        return
    text = reader.text(node, "apiVersion")
    if text is not None and text != API_VERSION:
        reader.note(node.line, "apiVersion", f"{shown(text)} is not known here.", fix)


def _shopper(reader: Reader, node: Node | None) -> tuple[ShopperKey, ...]:
    if node is None:
        return ()
    keys: list[ShopperKey] = []
    for index, item in enumerate(reader.items(node, "shopper")):
        key = f"shopper[{index}]"
        text = reader.text(item, key)
        if text is None or not isinstance(item, Scalar):
            continue
        if _TICKET in keys:
            what = "What stands behind ticket is never looked at."
            reader.note(item.line, key, what, "Let ticket be the last.")
        if text == KeyKind.TICKET:
            keys.append(_TICKET)
            continue
        kind, colon, name = text.partition(":")
        if not colon or kind not in (KeyKind.HEADER, KeyKind.COOKIE):
            fix = 'Write "header:Name", "cookie:name" or "ticket".'
            reader.note(item.line, key, f"{shown(text)} is no shopper key.", fix)
            continue
        name = reader.header(item, key, name) or ""
        found = ShopperKey(KeyKind(kind), name.lower() if kind == KeyKind.HEADER else name)
        if name and found in keys:
            reader.note(item.line, key, f"{shown(text)} stands twice.", "Keep one of them.")
        keys.append(found)
    return tuple(keys)


def _max_age(reader: Reader, node: Node | None) -> int:
    fields = {} if node is None else reader.fields(node, "ticket", ("max_age",)) or {}
    if "max_age" not in fields:
        return MAX_AGE_S
    key = "ticket.max_age"
    found = reader.duration(fields["max_age"], key, least_s=60, most_s=_MAX_AGE_S)
    return MAX_AGE_S if found is None else math.ceil(found)


def _ambiguous(reader: Reader, node: Node | None) -> AmbiguousPaths:
    fields = {} if node is None else reader.fields(node, "paths", ("ambiguous",)) or {}
    found = None
    if "ambiguous" in fields:
        found = reader.choice(fields["ambiguous"], "paths.ambiguous", AmbiguousPaths)
    return found or AmbiguousPaths.REFUSE


def _graphql(reader: Reader, node: Node | None) -> GraphQLLimits:
    fields = (
        {} if node is None else reader.fields(node, "graphql", ("max_body", "max_tokens")) or {}
    )
    size = tokens = None
    if "max_body" in fields:
        key = "graphql.max_body"
        size = reader.size(fields["max_body"], key, least=1_024, most=1_048_576)
    if "max_tokens" in fields:
        key = "graphql.max_tokens"
        tokens = reader.integer(fields["max_tokens"], key, least=10, most=100_000)
    usual = GraphQLLimits()
    return GraphQLLimits(size or usual.look_ahead_bytes, tokens or usual.max_tokens)


def _domains(reader: Reader, document: Node, node: Node | None) -> tuple[ParsedDomain, ...]:
    if node is None:
        if isinstance(document, MapNode):
            fix = "Add at least domains: {}, then legacy answers everything."
            reader.missing(document.line, "", "domains", fix)
        return ()
    parsed: list[ParsedDomain] = []
    for name, (line, value) in (reader.entries(node, "domains") or {}).items():
        key = join("domains", name)
        if not _NAME.fullmatch(name):
            fix = "Use up to 63 of a-z, 0-9, - and _, a letter first."
            reader.note(line, key, f"{shown(name)} is no name for a domain.", fix)
            continue
        domain = parse_domain(reader, name, line, value)
        if domain is not None:
            parsed.append(domain)
    return tuple(parsed)


def _report_ties(reader: Reader, parsed: tuple[ParsedDomain, ...]) -> None:
    owners: RouteIndex[PlacedRoute] = RouteIndex()
    for placed in (placed for domain in parsed for placed in domain.routes):
        route = placed.route
        taken = owners.add(route, placed)
        if taken is not None:
            other = taken.route
            reader.note(
                placed.line,
                placed.key,
                f'"{route.name}" takes the same requests as "{other.name}" of domain'
                f" {other.domain} ({reader.file}:{taken.line}).",
                "Give each request one owner: change or remove one of the two.",
            )


def _report_keyless_canaries(reader: Reader, parsed: tuple[ParsedDomain, ...]) -> None:
    for found in parsed:
        domain: Domain = found.domain
        if domain.stage is Stage.CANARY and domain.core_share_bp:
            reader.note(
                found.line,
                f"domains.{domain.name}.core_share",
                "No shopper can be drawn, because the file names no shopper key.",
                'Add at its top: shopper: ["header:Session-Id", "cookie:sessionid"].',
            )
