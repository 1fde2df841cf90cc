"""Walk two documents side by side and name every place where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import NoneType

from proxy.routing import Accept, CompareRule, Side
from shadow_compare.core.arrays import Pairing, by_key, by_position, in_any_order, match_up
from shadow_compare.core.documents import Json, as_written, canonical, spelled
from shadow_compare.core.elements import Child, Element
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.findings import EnoughError, Findings
from shadow_compare.core.forgiving import (
    IdMaps,
    forgiving_rule,
    masked,
    rule_for_absence,
    state_of,
)
from shadow_compare.core.places import At, Own, strangers
from shadow_compare.core.rules import SILENCE, RuleState
from shadow_compare.core.values import json_type, same

_SCALARS = frozenset((str, int, bool, Decimal, NoneType))


class Walk:
    """Notes what differs between two documents."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._census = findings.census
        self._ids = IdMaps()

    def documents(self, legacy: Json, core: Json, rules: RuleState) -> None:
        """Compare two documents; stops when the findings have enough."""
        top = At()
        try:
            if not isinstance(legacy, Element) or _name(legacy) != _name(core):
                self._values(legacy, core, rules, top)
                return
            at = top.child(legacy.name, None, legacy.anchor)
            self._values(legacy, core, rules.child(legacy.names), at)
        except EnoughError:
            return

    def _values(self, legacy: Json, core: Json, rules: RuleState, at: At) -> None:
        if rules.accepts(Accept.ANY):
            if same(legacy, core):
                self._equal(legacy, rules, at)
            else:
                self._differ(at, "value", legacy, core, rules.accepts(Accept.ANY))
        elif isinstance(legacy, dict) and isinstance(core, dict):
            self._objects(legacy, core, rules, at)
        elif isinstance(legacy, list) and isinstance(core, list):
            self._arrays(legacy, core, rules, at)
        elif isinstance(legacy, Element) and isinstance(core, Element):
            self._elements(legacy, core, rules, at)
        elif (ids := rules.accepts(Accept.MAPPED_ID)) and self._mapped(legacy, core, ids, at):
            return
        elif same(legacy, core) and not ids:
            self._equal(legacy, rules, at)
        else:
            kind = "value" if json_type(legacy) == json_type(core) else "type"
            self._differ(at, kind, legacy, core, forgiving_rule(legacy, core, rules))

    def _mapped(self, legacy: Json, core: Json, rule: CompareRule, at: At) -> bool:
        """Whether two ids go together; equal ones take part, or the map were not one to one."""
        if legacy is None and core is None:
            self._note_values(legacy, None, at)
            return True
        if not self._ids.agree(rule, legacy, core):
            return False
        if same(legacy, core):
            self._note_values(legacy, None, at)
        else:
            self._differ(at, "value", legacy, core, rule)
        return True

    def _objects(
        self, legacy: dict[str, Json], core: dict[str, Json], rules: RuleState, at: At
    ) -> None:
        plain = self._census is None and not rules.maps
        if not plain and not legacy and not core:
            self._equal(legacy, rules, at)
        for key, value in legacy.items():
            if key not in core:
                self._missing(value, rules.member(key), at.below(key))
                continue
            other = core[key]
            # The bulk of most documents: plain values that are equal.
            if plain and type(value) in _SCALARS and type(value) is type(other) and value == other:
                continue
            self._values(value, other, rules.member(key), at.below(key))
        if core.keys() - legacy.keys():
            for key, value in core.items():
                if key not in legacy:
                    self._added(value, rules.member(key), at.below(key))

    def _arrays(self, legacy: list[Json], core: list[Json], rules: RuleState, at: At) -> None:
        if not legacy and not core:
            self._equal(legacy, rules, at)
            return
        element = rules.element()
        start, end = (0, 0) if element.maps else _equal_ends(legacy, core)
        ours, theirs = legacy[start : len(legacy) - end], core[start : len(core) - end]
        if self._census:
            for index in (*range(start), *range(len(legacy) - end, len(legacy))):
                self._equal(legacy[index], element, at.below(index))
        if not ours and not theirs:
            return
        found, rule = _pair(ours, theirs, rules, lambda _: element)
        if found.moved:
            self._order(found, start, at, rule)
        owns, others = self._owns(found, start)
        for own, other in found.pairs:
            self._values(ours[own], theirs[other], element, at.below(start + own, owns[own]))
        for own in found.legacy_only:
            self._missing(ours[own], element, at.below(start + own, owns[own]))
        for other in found.core_only:
            self._added(theirs[other], element, at.below(start + other, others[other]))

    def _elements(self, legacy: Element, core: Element, rules: RuleState, at: At) -> None:
        if legacy.name != core.name:
            self._differ(at, "value", legacy, core, None)
            return
        if legacy.space != core.space:
            self._values(legacy.space, core.space, rules.member("@xmlns"), at.below("@xmlns"))
        if legacy.attributes or core.attributes:
            mine, others = _attributes(legacy), _attributes(core)
            self._objects(mine, others, rules, at)
        ours, theirs = legacy.text, core.text
        if ours is not None and theirs is not None:
            self._values(ours, theirs, rules, at)
        elif rules.maps or self._census or legacy.children != core.children:
            self._children(legacy.children, core.children, rules, at)

    def _children(self, legacy: list[Child], core: list[Child], rules: RuleState, at: At) -> None:
        found, rule = _pair(legacy, core, rules, lambda child: _child_state(child, rules))
        found = _by_name(found, legacy, core)
        if found.moved:
            self._order(found, 0, at, rule)
        owns, others = self._owns(found, 0)
        ours, theirs = _places(legacy, at, owns), _places(core, at, others)
        for own, other in found.pairs:
            self._values(legacy[own], core[other], state_of(legacy[own], rules), ours[own])
        for own in found.legacy_only:
            self._missing(legacy[own], state_of(legacy[own], rules), ours[own])
        for other in found.core_only:
            self._added(core[other], state_of(core[other], rules), theirs[other])

    def _owns(self, found: Pairing, start: int) -> tuple[dict[int, Own], dict[int, Own]]:
        """What tells legacy's and the core's elements from their neighbours."""
        pairs = found.pairs
        if self._findings.live is Side.LEGACY:
            partners = {other: start + own for own, other in pairs}
            owns = (*(own for own, _ in pairs), *found.legacy_only)
            return {own: start + own for own in owns}, {
                **partners,
                **strangers(found.core_only, partners, start),
            }
        partners = {own: start + other for own, other in pairs}
        others = (*(other for _, other in pairs), *found.core_only)
        return {**partners, **strangers(found.legacy_only, partners, start)}, {
            other: start + other for other in others
        }

    def _order(self, found: Pairing, start: int, at: At, rule: CompareRule | None) -> None:
        legacy = [start + own for own, _ in found.pairs]
        core = [start + own for own, _ in sorted(found.pairs, key=lambda pair: pair[1])]
        leaf = Leaf(at.path(), at.pattern(), "order", str(legacy), str(core))
        self._findings.note(leaf, rule, at.spot())

    def _missing(self, value: Json, rules: RuleState, at: At) -> None:
        rule = rule_for_absence(value, rules)
        self._note_values(value, rule, at)
        leaf = Leaf(at.path(), at.pattern(), "missing", as_written(value), None)
        self._findings.note(leaf, rule, at.spot())

    def _added(self, value: Json, rules: RuleState, at: At) -> None:
        rule = rule_for_absence(value, rules)
        self._note_values(value, rule, at)
        leaf = Leaf(at.path(), at.pattern(), "added", None, as_written(value))
        self._findings.note(leaf, rule, at.spot())

    def _differ(
        self, at: At, kind: str, legacy: Json, core: Json, rule: CompareRule | None
    ) -> None:
        self._note_values(legacy, rule, at)
        leaf = Leaf(at.path(), at.pattern(), kind, as_written(legacy), as_written(core))
        self._findings.note(leaf, rule, at.spot())

    def _note_values(self, value: Json, rule: CompareRule | None, at: At) -> None:
        if self._census:
            self._census.count(_leaves(value, at), rule)

    def _equal(self, value: Json, rules: RuleState, at: At) -> None:
        """Book the leaves of a value that both sides have, when somebody counts them."""
        if self._census is None:
            return
        rule = rules.accepts(Accept.ANY)
        below = None if rule else list(_inside(value, rules, at))
        if not below:
            self._census.count(_leaves(value, at), rule)
            return
        for item, state, place in below:
            self._equal(item, state, place)


def _inside(value: Json, rules: RuleState, at: At) -> Iterator[tuple[Json, RuleState, At]]:
    """What stands in a container, with its state and place; nothing of a plain value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield item, rules.member(key), at.below(key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield item, rules.element(), at.below(index)
    elif isinstance(value, Element):
        for name, text in value.attributes.items():
            yield text, rules.member(f"@{name}"), at.below(f"@{name}")
        places = _places(value.children, at)
        for child, place in zip(value.children, places, strict=True):
            yield child, state_of(child, rules), place


def _leaves(value: Json, at: At) -> Iterator[str]:
    """The patterns of all leaves of a value; an empty container is one."""
    below = list(_inside(value, SILENCE, at))
    if not below:
        yield at.pattern()
    for item, _, place in below:
        yield from _leaves(item, place)


def _places(children: Sequence[Child], at: At, owns: Mapping[int, Own] | None = None) -> list[At]:
    """Where children stand; a text stands where its element does.

    `owns` tells them from their neighbours; without it nobody asks for their spots.
    """
    often = Counter(child.name for child in children if isinstance(child, Element))
    seen: Counter[str] = Counter()
    places = []
    for index, child in enumerate(children):
        own = index if owns is None else owns[index]
        if isinstance(child, str):
            places.append(at.text(own))
            continue
        nth = seen[child.name] if often[child.name] > 1 else None
        seen[child.name] += 1
        places.append(at.child(child.name, nth, child.anchor, own))
    return places


def _child_state(child: Json, rules: RuleState) -> RuleState:
    return rules.child(child.names) if isinstance(child, Element) else rules


def _pair(
    legacy: Sequence[Json],
    core: Sequence[Json],
    rules: RuleState,
    state: Callable[[Json], RuleState],
) -> tuple[Pairing, CompareRule | None]:
    """Which elements belong together, and the rule that says that order does not count."""
    keyed = rules.accepts(Accept.KEYED)
    if keyed:
        by = keyed.terms.by
        found = by_key([_key(item, by) for item in legacy], [_key(item, by) for item in core])
        if found is not None:
            return found, keyed
    unordered = rules.accepts(Accept.UNORDERED)
    if len(legacy) == len(core) == 1:
        return Pairing(((0, 0),), (), ()), unordered
    if unordered is None and rules.silent and not isinstance((*legacy, *core)[0], Element | str):
        # Only how they are lined up hangs on it: no need for the exact and slow form.
        return by_position(spelled(legacy), spelled(core), None), None
    ours = [masked(item, state(item), Side.LEGACY) for item in legacy]
    theirs = [masked(item, state(item), Side.CORE) for item in core]
    if unordered is None:
        names = ([_name(item) for item in legacy], [_name(item) for item in core])
        return by_position(ours, theirs, names if any(names[0]) or any(names[1]) else None), None
    if rules.element().silent and not isinstance(legacy[0] if legacy else None, Element):
        return match_up(in_any_order(ours, theirs, lambda: (ours, theirs)), legacy, core), unordered
    exact = in_any_order(
        ours, theirs, lambda: ([canonical(it) for it in legacy], [canonical(it) for it in core])
    )
    return match_up(exact, legacy, core), unordered


def _attributes(node: Element) -> dict[str, Json]:
    return {f"@{name}": value for name, value in node.attributes.items()}


def _by_name(found: Pairing, legacy: Sequence[Child], core: Sequence[Child]) -> Pairing:
    """An element is held against one of its name only; a text against a text."""
    apart = {(a, b) for a, b in found.pairs if _name(legacy[a]) != _name(core[b])}
    if not apart:
        return found
    return Pairing(
        tuple(pair for pair in found.pairs if pair not in apart),
        tuple(sorted((*found.legacy_only, *(own for own, _ in apart)))),
        tuple(sorted((*found.core_only, *(other for _, other in apart)))),
        found.moved,
    )


def _key(item: Json, by: tuple[str, ...]) -> str | None:
    """The key of an element; None when it lacks one of its parts."""
    parts: list[Json] = []
    for name in by:
        part: Json = None
        if isinstance(item, dict):
            part = item.get(name)
        elif isinstance(item, Element):
            part = _element_key(item, name)
        if not isinstance(part, str | int) or isinstance(part, bool):
            return None
        parts.append(part)
    return f"{_name(item)} {canonical(parts)}"


def _element_key(item: Element, name: str) -> str | None:
    if name.startswith("@"):
        return item.attributes.get(name[1:])
    named = (child for child in item.children if isinstance(child, Element) and child.name == name)
    found = next(named, None)
    return None if found is None else found.text


def _name(item: Json) -> str:
    return item.name if isinstance(item, Element) else ""


def _equal_ends(legacy: list[Json], core: list[Json]) -> tuple[int, int]:
    """How many elements are equal at the start and, of the rest, at the end."""
    shorter = min(len(legacy), len(core))
    start = 0
    while start < shorter and same(legacy[start], core[start]):
        start += 1
    end = 0
    while end < shorter - start and same(legacy[-1 - end], core[-1 - end]):
        end += 1
    return start, end
