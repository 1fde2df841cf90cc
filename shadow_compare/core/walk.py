"""Walk two documents side by side and name every place where they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from proxy.routing import Accept, CompareRule
from shadow_compare.core.arrays import Pairing, by_content, by_position, match_up
from shadow_compare.core.documents import Json, as_written
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.findings import EnoughError, Findings
from shadow_compare.core.rules import RuleState
from shadow_compare.core.values import forgiving_rule, json_type, masked, rule_for_absence, same

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_ID = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class _At:
    """A place in a document; spelled out only where something differs."""

    __slots__ = ("_above", "_step")

    def __init__(self, above: _At | None = None, step: str | int = "") -> None:
        self._above = above
        self._step = step

    def below(self, step: str | int) -> _At:
        return _At(self, step)

    def path(self) -> str:
        return "$" + "".join(_spell(step) for step in self._steps())

    def pattern(self) -> str:
        """The path without indexes, and without keys that are ids rather than names."""
        return "$" + "".join(
            "[*]" if isinstance(step, int) or _ID.fullmatch(step) else _spell(step)
            for step in self._steps()
        )

    def _steps(self) -> list[str | int]:
        steps: list[str | int] = []
        at = self
        while at._above is not None:
            steps.append(at._step)
            at = at._above
        return steps[::-1]


def _spell(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


class Walk:
    """Notes what differs between two documents."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._census = findings.census

    def documents(self, legacy: Json, core: Json, rules: RuleState) -> None:
        """Compare two documents; stops when the findings have enough."""
        try:
            self._values(legacy, core, rules, _At())
        except EnoughError:
            return

    def _values(self, legacy: Json, core: Json, rules: RuleState, at: _At) -> None:
        if rules.accepts(Accept.ANY):
            if same(legacy, core):
                self._equal(legacy, rules, at)
            else:
                self._differ(at, "value", legacy, core, forgiving_rule(legacy, core, rules))
        elif isinstance(legacy, dict) and isinstance(core, dict):
            self._objects(legacy, core, rules, at)
        elif isinstance(legacy, list) and isinstance(core, list):
            self._arrays(legacy, core, rules, at)
        elif same(legacy, core):
            self._equal(legacy, rules, at)
        else:
            kind = "value" if json_type(legacy) == json_type(core) else "type"
            self._differ(at, kind, legacy, core, forgiving_rule(legacy, core, rules))

    def _objects(
        self, legacy: dict[str, Json], core: dict[str, Json], rules: RuleState, at: _At
    ) -> None:
        if not legacy and not core:
            self._equal(legacy, rules, at)
        for key, value in legacy.items():
            below = rules.member(key)
            if key in core:
                self._values(value, core[key], below, at.below(key))
            else:
                self._missing(value, below, at.below(key))
        for key, value in core.items():
            if key not in legacy:
                self._added(value, rules.member(key), at.below(key))

    def _arrays(self, legacy: list[Json], core: list[Json], rules: RuleState, at: _At) -> None:
        start, end = _equal_ends(legacy, core)
        ours, theirs = legacy[start : len(legacy) - end], core[start : len(core) - end]
        if self._census:
            self._equal_items(legacy, start, end, rules, at)
        if not ours and not theirs:
            return
        unordered = rules.accepts(Accept.UNORDERED)
        element = rules.element()
        found = _pair(ours, theirs, element, in_any_order=unordered is not None)
        if found.moved:
            self._order(found, start, at, unordered)
        for own, other in found.pairs:
            self._values(ours[own], theirs[other], element, at.below(start + own))
        for own in found.legacy_only:
            self._missing(ours[own], element, at.below(start + own))
        for other in found.core_only:
            self._added(theirs[other], element, at.below(start + other))

    def _order(self, found: Pairing, start: int, at: _At, rule: CompareRule | None) -> None:
        legacy = [start + own for own, _ in found.pairs]
        core = [start + own for own, _ in sorted(found.pairs, key=lambda pair: pair[1])]
        self._findings.note(Leaf(at.path(), at.pattern(), "order", str(legacy), str(core)), rule)

    def _equal_items(
        self, legacy: list[Json], start: int, end: int, rules: RuleState, at: _At
    ) -> None:
        if not legacy:
            self._equal(legacy, rules, at)
        for index in (*range(start), *range(len(legacy) - end, len(legacy))):
            self._equal(legacy[index], rules.element(), at.below(index))

    def _missing(self, value: Json, rules: RuleState, at: _At) -> None:
        leaf = Leaf(at.path(), at.pattern(), "missing", as_written(value), None)
        self._note(leaf, rule_for_absence(value, rules), value, at)

    def _added(self, value: Json, rules: RuleState, at: _At) -> None:
        leaf = Leaf(at.path(), at.pattern(), "added", None, as_written(value))
        self._note(leaf, rule_for_absence(value, rules), value, at)

    def _differ(
        self, at: _At, kind: str, legacy: Json, core: Json, rule: CompareRule | None
    ) -> None:
        leaf = Leaf(at.path(), at.pattern(), kind, as_written(legacy), as_written(core))
        self._note(leaf, rule, legacy, at)

    def _note(self, leaf: Leaf, rule: CompareRule | None, value: Json, at: _At) -> None:
        if self._census:
            self._census.count(_leaves(value, at), rule)
        self._findings.note(leaf, rule)

    def _equal(self, value: Json, rules: RuleState, at: _At) -> None:
        """Book the leaves of a value that both sides have, when somebody counts them."""
        if self._census is None:
            return
        rule = rules.accepts(Accept.ANY)
        if rule is not None or not isinstance(value, dict | list) or not value:
            self._census.count(_leaves(value, at), rule)
        elif isinstance(value, dict):
            for key, item in value.items():
                self._equal(item, rules.member(key), at.below(key))
        else:
            for index, item in enumerate(value):
                self._equal(item, rules.element(), at.below(index))


def _leaves(value: Json, at: _At) -> Iterator[str]:
    """The patterns of all leaves of a value; an empty container is one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, at.below(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, at.below(index))
    else:
        yield at.pattern()


def _pair(
    legacy: Sequence[Json], core: Sequence[Json], rules: RuleState, *, in_any_order: bool
) -> Pairing:
    if len(legacy) == len(core) == 1:
        return Pairing(((0, 0),), (), ())
    ours = [masked(item, rules) for item in legacy]
    theirs = [masked(item, rules) for item in core]
    if not in_any_order:
        return by_position(ours, theirs)
    return match_up(by_content(ours, theirs), legacy, core)


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
