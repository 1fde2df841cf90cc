"""Read the routes of a domain."""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.routing.conditions import Conditions, GraphQLCondition, Place, ValueCondition
from proxy.routing.graphql import OperationType
from proxy.routing.hosts import is_host_name
from proxy.routing.model import Route
from proxy.routing.nodes import ListNode, MapNode, Node, Scalar
from proxy.routing.parse_pause import parse_pause
from proxy.routing.paths import TemplateError, parse_template
from proxy.routing.table import METHODS
from proxy.routing.values import Reader, join, nearest, shown

_KEYS = (
    "path",
    "methods",
    "host",
    "headers",
    "cookies",
    "query",
    "content_type",
    "graphql",
    "effects",
    "writes",
    "shadow",
)
_PLACES = {"headers": Place.HEADER, "cookies": Place.COOKIE, "query": Place.QUERY}
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", re.ASCII)
_GRAPHQL_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlacedRoute:
    """A route and where it stands."""

    route: Route
    line: int
    key: str


def parse_routes(
    reader: Reader, domain: str, line: int, node: Node | None
) -> tuple[PlacedRoute, ...]:
    """Read a domain's routes: all that could be read. Problems go to the reader."""
    key = f"domains.{domain}.routes"
    if node is None:
        fix = 'Add routes: [{path: "/...", methods: [GET]}].'
        reader.missing(line, f"domains.{domain}", "routes", fix)
        return ()
    items = reader.items(
        node, key, empty=("A domain without routes owns nothing.", "Add its routes.")
    )
    routes: list[PlacedRoute] = []
    for index, item in enumerate(items):
        place = f"{key}[{index}]"
        route = _route(reader, domain, place, item)
        if route is not None:
            routes.append(PlacedRoute(route, item.line, place))
    return tuple(routes)


def _route(reader: Reader, domain: str, key: str, node: Node) -> Route | None:
    fields = reader.fields(node, key, _KEYS)
    if fields is None:
        return None
    methods: tuple[str, ...] = ("GET",)
    if "methods" in fields:
        methods = _methods(reader, f"{key}.methods", fields["methods"])
    host = _host(reader, f"{key}.host", fields["host"]) if "host" in fields else None
    conditions = _conditions(reader, key, fields)
    if conditions.graphql is not None:
        _check_graphql_methods(reader, key, fields, methods)
    pause_s = _pause_s(reader, f"{key}.shadow", fields.get("shadow"))
    if "path" not in fields:
        reader.missing(node.line, key, "path", 'Write path: "/api/products/{id}/".')
        return None
    path = _template(reader, f"{key}.path", fields["path"])
    if path is None or not methods:
        return None
    effects = _flag(reader, key, fields, "effects", "Either it has effects or not.")
    writes = _flag(reader, key, fields, "writes", "Either it writes or not.")
    return Route(domain, path, methods, host, conditions, effects, writes, pause_s)


def _pause_s(reader: Reader, key: str, node: Node | None) -> float | None:
    fields = None if node is None else reader.fields(node, key, ("when", "after"))
    if node is None or fields is None:
        return None
    if isinstance(node, MapNode) and not node.entries:
        reader.note(node.line, key, "An empty mapping says nothing.", "Write when: after_live.")
    return parse_pause(reader, key, fields)[1]


def _flag(reader: Reader, key: str, fields: dict[str, Node], name: str, what: str) -> bool:
    node = fields.get(name)
    if node is None:
        return False
    if not isinstance(node, Scalar) or node.text not in ("true", "false"):
        reader.note(node.line, f"{key}.{name}", what, f"Write {name}: true.")
        return False
    return node.text == "true"


def _methods(reader: Reader, key: str, node: Node) -> tuple[str, ...]:
    found: set[str] = set()
    items = reader.items(
        node, key, empty=("A route without methods takes nothing.", "Write [GET].")
    )
    for index, item in enumerate(items):
        text = reader.text(item, f"{key}[{index}]")
        if text is None:
            continue
        if text in METHODS:
            found.add(text)
            continue
        meant = text.upper() if text.upper() in METHODS else nearest(text.upper(), METHODS)
        fix = f"Write {meant}." if meant else f"Write one of {', '.join(METHODS)}."
        reader.note(item.line, f"{key}[{index}]", f"{shown(text)} is no method for a route.", fix)
    # In one order, so that a route keeps its name when somebody sorts the list.
    return tuple(method for method in METHODS if method in found)


def _check_graphql_methods(
    reader: Reader, key: str, fields: dict[str, Node], methods: tuple[str, ...]
) -> None:
    line = fields["graphql"].line
    if "methods" not in fields:
        reader.missing(line, key, "methods", "Operations come by POST: write [GET, POST].")
    elif not {*methods} <= {"GET", "HEAD", "POST"}:
        what = "An operation comes by GET or POST only."
        reader.note(fields["methods"].line, f"{key}.methods", what, "Write [GET, POST].")


def _template(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    try:
        parse_template(text)
    except TemplateError as exc:
        reader.note(node.line, key, exc.what, exc.fix)
        return None
    return text


def _host(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    if is_host_name(text.lower()):
        return text.lower()
    fix = 'Write "shop.example.com" or "*.example.com", without scheme and port.'
    reader.note(node.line, key, f"{shown(text)} is no name of a host.", fix)
    return None


def _conditions(reader: Reader, key: str, fields: dict[str, Node]) -> Conditions:
    values: list[ValueCondition] = []
    for name, place in _PLACES.items():
        if name in fields:
            values += _values(reader, f"{key}.{name}", place, fields[name])
    types: frozenset[str] = frozenset()
    if "content_type" in fields:
        types = _content_types(reader, f"{key}.content_type", fields["content_type"])
    graphql = None
    if "graphql" in fields:
        graphql = _graphql(reader, f"{key}.graphql", fields["graphql"])
    ordered = sorted(values, key=lambda value: (value.place, value.name))
    return Conditions(tuple(ordered), types, graphql)


def _values(reader: Reader, key: str, place: Place, node: Node) -> list[ValueCondition]:
    found: dict[str, ValueCondition] = {}
    entries = reader.entries(node, key)
    for text, (line, value) in (entries or {}).items():
        where = join(key, text)
        name = text if place is Place.QUERY else reader.header(Scalar(line, text), where, text)
        if not name:
            continue
        name = name.lower() if place is Place.HEADER else name
        if name in found:
            reader.note(line, where, f"This {place} stands here twice.", "Keep one of them.")
        condition = _value(reader, where, place, name, value)
        if condition is not None:
            found[name] = condition
    if entries is not None and not entries:
        what = "An empty condition says nothing."
        reader.note(node.line, key, what, "Write {Name: value}, or remove the key.")
    return list(found.values())


def _value(reader: Reader, key: str, place: Place, name: str, node: Node) -> ValueCondition | None:
    if not isinstance(node, MapNode):
        value = reader.text(node, key)
        return None if value is None else ValueCondition(place, name, value)
    fields = reader.fields(node, key, ("present", "prefix")) or {}
    if len(fields) != 1:
        fix = "Write a value, {prefix: text} or {present: true}."
        reader.note(node.line, key, "One thing is asked of a value.", fix)
        return None
    if "prefix" in fields:
        prefix = reader.text(fields["prefix"], f"{key}.prefix")
        return None if prefix is None else ValueCondition(place, name, prefix=prefix)
    present = reader.text(fields["present"], f"{key}.present")
    if present is not None and present != "true":
        what = "A route cannot ask for what is not there."
        fix = "Write present: true here and leave the rest to a route without the condition."
        reader.note(fields["present"].line, f"{key}.present", what, fix)
    return ValueCondition(place, name)


def _content_types(reader: Reader, key: str, node: Node) -> frozenset[str]:
    found: set[str] = set()
    if isinstance(node, Scalar):
        node = ListNode(node.line, (node,))
    empty = ("An empty list takes nothing.", "Write [application/json].")
    for index, item in enumerate(reader.items(node, key, empty=empty)):
        text = reader.text(item, f"{key}[{index}]")
        if text is None:
            continue
        if not _MEDIA_TYPE.fullmatch(text.lower()):
            fix = "Write it like application/json, without parameters."
            reader.note(item.line, f"{key}[{index}]", f"{shown(text)} is no media type.", fix)
        found.add(text.lower())
    return frozenset(found)


def _graphql(reader: Reader, key: str, node: Node) -> GraphQLCondition | None:
    fields = reader.fields(node, key, ("type", "operations", "fields"))
    if fields is None:
        return None
    kind = None
    if "type" in fields:
        kind = reader.choice(fields["type"], f"{key}.type", OperationType)
    operations, names = (
        _graphql_names(reader, f"{key}.{name}", fields[name]) if name in fields else None
        for name in ("operations", "fields")
    )
    if not fields:
        fix = "Write {fields: [product]}, {operations: [GetProduct]} or {type: mutation}."
        reader.note(node.line, key, "An empty condition says nothing.", fix)
        return None
    return GraphQLCondition(kind, operations, names)


def _graphql_names(reader: Reader, key: str, node: Node) -> frozenset[str]:
    found: set[str] = set()
    empty = ("An empty list takes nothing.", "Name some, or remove the key.")
    for index, item in enumerate(reader.items(node, key, empty=empty)):
        text = reader.text(item, f"{key}[{index}]")
        if text is None:
            continue
        if not _GRAPHQL_NAME.fullmatch(text):
            what = f"{shown(text)} is no name in GraphQL."
            reader.note(item.line, f"{key}[{index}]", what, "Write letters, digits and _.")
        if text in found:
            reader.note(item.line, f"{key}[{index}]", f"{shown(text)} stands twice.", "Keep one.")
        found.add(text)
    return frozenset(found)
