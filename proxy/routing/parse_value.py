"""Read where a domain's answers say what money they are about: `compare.value`."""

from __future__ import annotations

import re
from enum import StrEnum

from proxy.routing.jsonpath import JsonPathError, parse_json_path
from proxy.routing.model import ValueRule
from proxy.routing.nodes import ListNode, Node
from proxy.routing.values import Reader, nearest, shown

_KEYS = ("path", "currency", "unit", "routes")
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class _Unit(StrEnum):
    MAJOR = "major"
    MINOR = "minor"


def parse_value_rules(
    reader: Reader, key: str, node: Node | None, paths: set[str]
) -> tuple[ValueRule, ...]:
    """One rule, or a list of them; `paths` are the domain's path templates."""
    if node is None:
        return ()
    if not isinstance(node, ListNode):
        rule = _rule(reader, key, node, paths)
        return () if rule is None else (rule,)
    empty = ("An empty list says nothing.", "Write a rule, or leave the key out.")
    found: list[ValueRule] = []
    for index, item in enumerate(reader.items(node, key, empty=empty)):
        place = f"{key}[{index}]"
        rule = _rule(reader, place, item, paths)
        if rule is None:
            continue
        _check_alone(reader, place, item, rule, found)
        found.append(rule)
    return tuple(found)


def _check_alone(
    reader: Reader, key: str, node: Node, rule: ValueRule, others: list[ValueRule]
) -> None:
    """No route has two rules: each exchange is about one sum of money."""
    for other in others:
        both = set(rule.routes) & set(other.routes)
        if both or not (rule.routes or other.routes):
            named = shown(min(both)) if both else "every other route"
            what = f"A rule above says already where the money of {named} stands."
            reader.note(node.line, key, what, "Keep one rule for each route.")


def _rule(reader: Reader, key: str, node: Node, paths: set[str]) -> ValueRule | None:
    fields = reader.fields(node, key, _KEYS)
    if fields is None:
        return None
    for name, fix in (
        ("path", 'Write where the amount stands, e.g. path: "$.price.incl_tax".'),
        ("currency", 'Write the currency, e.g. currency: EUR, or its path, e.g. "$.currency".'),
    ):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    path = _path(reader, f"{key}.path", fields["path"]) if "path" in fields else None
    currency = None
    if "currency" in fields:
        currency = _currency(reader, f"{key}.currency", fields["currency"])
    unit: _Unit | None = _Unit.MAJOR
    if "unit" in fields:
        unit = reader.choice(fields["unit"], f"{key}.unit", _Unit)
    routes = _routes(reader, f"{key}.routes", fields.get("routes"), paths)
    if path is None or currency is None or unit is None:
        return None
    return ValueRule(path, currency, routes, in_minor=unit is _Unit.MINOR)


def _path(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    try:
        parse_json_path(text)
    except JsonPathError as exc:
        fix = "Use $, .name, ['name'], [*] and ..name; there is no index and no filter."
        reader.note(node.line, key, f"{exc} as a path in JSON.", fix)
        return None
    return text


def _currency(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    if text.startswith("$"):
        return _path(reader, key, node)
    if _CURRENCY.fullmatch(text):
        return text
    fix = 'Write three capital letters such as EUR, or a path such as "$.price.currency".'
    reader.note(node.line, key, f"{shown(text)} is no currency.", fix)
    return None


def _routes(reader: Reader, key: str, node: Node | None, paths: set[str]) -> tuple[str, ...]:
    if node is None:
        return ()
    empty = (
        "An empty list limits the rule to nothing.",
        "Name routes, or leave the key out for all of them.",
    )
    found: list[str] = []
    for index, item in enumerate(reader.items(node, key, empty=empty)):
        text = reader.text(item, f"{key}[{index}]")
        if text is None:
            continue
        if text not in paths:
            meant = nearest(text, paths)
            fix = f'Did you mean "{meant}"?' if meant else "Write a path as it stands in routes."
            what = f"{shown(text)} is no route of this domain."
            reader.note(item.line, f"{key}[{index}]", what, fix)
        found.append(text)
    return tuple(found)
