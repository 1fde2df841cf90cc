"""Read what a domain compares, and the rules that accept differences."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from proxy.routing.jsonpath import JsonPathError, parse_json_path
from proxy.routing.model import Accept, ComparePolicy, CompareRule
from proxy.routing.nodes import ListNode, Node, Scalar
from proxy.routing.parse_route import PlacedRoute
from proxy.routing.parse_value import parse_value_rules
from proxy.routing.terms import ANY_HOST, USUAL_TERMS, Ignore, Minor, RuleTerms, Same
from proxy.routing.values import Reader, listed, nearest, shown

_Word = TypeVar("_Word", bound=StrEnum)

_KEYS = ("headers", "cookies", "cookie_values", "rules", "value")
_TERM_KEYS = ("by", "within", "same", "formats", "hosts", "minor", "digits", "ignore")
_RULE_KEYS = ("path", "accept", *_TERM_KEYS, "owner", "reason", "expires", "routes")
_TERMS_OF = {
    Accept.KEYED: ("by",),
    Accept.TIMESTAMP: ("within",),
    Accept.DATE: ("same", "formats"),
    Accept.URL: ("hosts",),
    Accept.MONEY: ("within", "minor", "digits"),
    Accept.NUMBER: ("within",),
    Accept.TEXT: ("ignore",),
}
_NEEDED = {
    (Accept.KEYED, "by"): "Name the member that tells elements apart, e.g. by: id.",
    (Accept.URL, "hosts"): "List the hosts that stand for each other, or write hosts: any.",
    (Accept.NUMBER, "within"): "Say how far apart the numbers may be, e.g. within: 0.01.",
    (Accept.TEXT, "ignore"): f"Write which of {', '.join(Ignore)} to overlook.",
}
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)
_HOST = re.compile(r"[a-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9a-f:.]+\](:\d{1,5})?", re.ASCII)
_MAX_WITHIN_S = 30 * 24 * 3_600
_MAX_DIGITS = 8


def parse_compare(
    reader: Reader, key: str, node: Node | None, routes: tuple[PlacedRoute, ...]
) -> ComparePolicy:
    """Read a domain's `compare`: all that could be read. Problems go to the reader."""
    fields = {} if node is None else reader.fields(node, key, _KEYS) or {}
    headers = _names(reader, f"{key}.headers", fields.get("headers"))
    cookies = _names(reader, f"{key}.cookies", fields.get("cookies"))
    values = _names(reader, f"{key}.cookie_values", fields.get("cookie_values"))
    for name, line in values.items():
        if name not in cookies:
            what = f"{shown(name)} is not among the compared cookies."
            reader.note(line, f"{key}.cookie_values", what, "Name it under cookies too.")
    rules: list[CompareRule] = []
    paths = {placed.route.path for placed in routes}
    if "rules" in fields:
        for index, item in enumerate(reader.items(fields["rules"], f"{key}.rules")):
            rule = _rule(reader, f"{key}.rules[{index}]", item, paths)
            if rule is not None:
                rules.append(rule)
    return ComparePolicy(
        tuple(sorted({name.lower() for name in headers})),
        tuple(rules),
        tuple(sorted(cookies)),
        tuple(sorted(values)),
        parse_value_rules(reader, f"{key}.value", fields.get("value"), paths),
    )


def _names(reader: Reader, key: str, node: Node | None) -> dict[str, int]:
    """Names of headers (in any case) or cookies, each to its line."""
    found: dict[str, int] = {}
    for index, item in enumerate(() if node is None else reader.items(node, key)):
        place = f"{key}[{index}]"
        text = reader.text(item, place)
        if text is None or not isinstance(item, Scalar):
            continue
        name = reader.header(item, place, text)
        if name is None:
            continue
        # Cookies, unlike headers, are told apart by case.
        name = name.lower() if key.endswith(".headers") else name
        if name in found:
            reader.note(item.line, place, f"{shown(text)} stands twice.", "Keep one.")
        found[name] = item.line
    return found


def _rule(reader: Reader, key: str, node: Node, paths: set[str]) -> CompareRule | None:
    fields = reader.fields(node, key, _RULE_KEYS)
    if fields is None:
        return None
    for name, fix in (
        ("path", 'Write the JSON path, e.g. path: "$.date_updated".'),
        ("accept", f"Write one of {', '.join(Accept)}."),
        ("owner", "Name the team that accepts this difference."),
        ("reason", "Say why the difference is all right."),
        ("expires", "Give the last day of the rule, e.g. expires: 2027-06-30."),
    ):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    if not {"path", "accept", "owner", "reason", "expires"} <= fields.keys():
        _rule_routes(reader, f"{key}.routes", fields.get("routes"), paths)
        return None
    path = _json_path(reader, f"{key}.path", fields["path"])
    accept = reader.choice(fields["accept"], f"{key}.accept", Accept)
    terms = None if accept is None else _terms(reader, key, node, accept, fields)
    owner = reader.text(fields["owner"], f"{key}.owner")
    reason = reader.text(fields["reason"], f"{key}.reason")
    expires = reader.day(fields["expires"], f"{key}.expires")
    routes = _rule_routes(reader, f"{key}.routes", fields.get("routes"), paths)
    if not (path and accept and terms and owner and reason and expires):
        return None
    return CompareRule(path, accept, owner, reason, expires, routes, terms)


def _terms(
    reader: Reader, key: str, node: Node, accept: Accept, fields: dict[str, Node]
) -> RuleTerms | None:
    """How far a rule goes; None after noting what is wrong."""
    before = len(reader.problems)
    known = _TERMS_OF.get(accept, ())
    for name in _TERM_KEYS:
        if name in fields and name not in known:
            kinds = [kind for kind, names in _TERMS_OF.items() if name in names]
            what = f"A rule of kind {accept} has no such key."
            fix = f"Remove it; it goes with {listed(kinds)}."
            reader.note(fields[name].line, f"{key}.{name}", what, fix)
        if name not in fields and (fix := _NEEDED.get((accept, name), "")):
            reader.missing(node.line, key, name, fix)
    given = {name: fields[name] for name in known if name in fields}
    digits = None
    if "digits" in given:
        digits = reader.integer(given["digits"], f"{key}.digits", least=0, most=_MAX_DIGITS)
    terms = RuleTerms(
        by=_members(reader, f"{key}.by", given.get("by")),
        within=_within(reader, f"{key}.within", given.get("within"), accept),
        same=_choice(reader, f"{key}.same", given.get("same"), Same) or USUAL_TERMS.same,
        formats=_formats(reader, f"{key}.formats", given.get("formats")),
        hosts=_hosts(reader, f"{key}.hosts", given.get("hosts")),
        minor=_choice(reader, f"{key}.minor", given.get("minor"), Minor),
        digits=USUAL_TERMS.digits if digits is None else digits,
        ignore=_overlooked(reader, f"{key}.ignore", given.get("ignore")),
    )
    return terms if len(reader.problems) == before else None


def _choice(reader: Reader, key: str, node: Node | None, kind: type[_Word]) -> _Word | None:
    return None if node is None else reader.choice(node, key, kind)


def _listed(reader: Reader, key: str, node: Node | None) -> list[tuple[int, str]]:
    """The texts of a list, or one text that stands for a list of one; each with its line."""
    if node is None:
        return []
    empty = ("An empty list says nothing.", "Name one at least.")
    items = reader.items(node, key, empty=empty) if isinstance(node, ListNode) else (node,)
    return [(item.line, text) for item in items if (text := reader.text(item, key)) is not None]


def _members(reader: Reader, key: str, node: Node | None) -> tuple[str, ...]:
    return tuple(text for _, text in _listed(reader, key, node))


def _overlooked(reader: Reader, key: str, node: Node | None) -> tuple[Ignore, ...]:
    items = node.items if isinstance(node, ListNode) else () if node is None else (node,)
    if isinstance(node, ListNode) and not items:
        reader.note(node.line, key, "An empty list overlooks nothing.", "Name one at least.")
    found = {reader.choice(item, key, Ignore) for item in items}
    return tuple(sorted(word for word in found if word is not None))


def _hosts(reader: Reader, key: str, node: Node | None) -> tuple[str, ...]:
    found = _listed(reader, key, node)
    hosts = tuple(sorted({text.lower() for _, text in found}))
    if hosts == (ANY_HOST,) and not isinstance(node, ListNode):
        return hosts
    for line, text in found:
        if not _HOST.fullmatch(text.lower()):
            fix = "Write names such as shop.example or shop.example:8443, or hosts: any."
            reader.note(line, key, f"{shown(text)} is no host.", fix)
    if len(hosts) == 1:
        fix = "List the other store's host as well, or write hosts: any."
        reader.note(found[0][0], key, "One host alone stands for no other.", fix)
    return hosts


def _formats(reader: Reader, key: str, node: Node | None) -> tuple[str, ...]:
    found = _listed(reader, key, node)
    for line, text in found:
        if not _reads_dates(text):
            fix = 'Write it in the letters of strptime with year, month and day, e.g. "%d.%m.%Y".'
            reader.note(line, key, f"{shown(text)} is no form of a date.", fix)
    return tuple(text for _, text in found)


def _reads_dates(form: str) -> bool:
    """Whether a form tells one day from all others, there and back."""
    days = (datetime(2027, 3, 14), datetime(2031, 12, 5), datetime(2027, 3, 15))  # noqa: DTZ001
    try:
        return all(datetime.strptime(day.strftime(form), form) == day for day in days)  # noqa: DTZ007
    except ValueError:
        return False


def _within(reader: Reader, key: str, node: Node | None, accept: Accept) -> Decimal | None:
    if node is None:
        return None
    if accept is Accept.TIMESTAMP:
        seconds = reader.duration(node, key, least_s=0, most_s=_MAX_WITHIN_S)
        return None if seconds is None else Decimal(str(seconds))
    text = reader.text(node, key)
    if text is None:
        return None
    if not _AMOUNT.fullmatch(text):
        what = f"{shown(text)} is no such number."
        reader.note(node.line, key, what, "Write a number of 0 or more, e.g. 0.01.")
        return None
    return Decimal(text)


def _json_path(reader: Reader, key: str, node: Node) -> str | None:
    text = reader.text(node, key)
    if text is None:
        return None
    try:
        parse_json_path(text)
    except JsonPathError as exc:
        fix = (
            "Use $, .name, ['name'], [*], ..name and ..['name']; rules know no index and no filter."
        )
        reader.note(node.line, key, f"{exc} as a path in JSON.", fix)
        return None
    return text


def _rule_routes(reader: Reader, key: str, node: Node | None, paths: set[str]) -> tuple[str, ...]:
    found: list[str] = []
    empty = (
        "An empty list limits the rule to nothing.",
        "Name routes, or leave the key out for all of them.",
    )
    items = () if node is None else reader.items(node, key, empty=empty)
    for index, item in enumerate(items):
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
