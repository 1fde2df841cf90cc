"""Compare rules compiled once, so that a walk over a document knows them at every node.

state = compile_rules(rules).member("items").element()
state.accepts(Accept.ANY)      # the rule for "$.items[*]", or None
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.routing import Accept, CompareRule, JsonStep, StepKind, parse_json_path

_Place = tuple[int, int]


class _Compiled:
    """All rules' steps, and every set of places reached so far."""

    def __init__(self, rules: Sequence[CompareRule]) -> None:
        self.rules = tuple(rules)
        self.steps: tuple[tuple[JsonStep, ...], ...] = tuple(
            parse_json_path(rule.path) for rule in rules
        )
        # Only names that rules mention lead anywhere; all others share one way, so what is
        # remembered is bounded by the rules and not by the documents.
        self.names = frozenset(step.name for steps in self.steps for step in steps if step.name)
        self._states: dict[frozenset[_Place], RuleState] = {}

    def state(self, places: frozenset[_Place]) -> RuleState:
        found = self._states.get(places)
        if found is None:
            found = self._states[places] = RuleState(self, places)
        return found


class RuleState:
    """What the rules say about one node of a document, and how to go on below it.

    Attributes:
        here: the rules at this node, in their order.
        silent: no rule says anything about this node or any node below it.
        maps: ids are mapped at this node or at one below it.
    """

    __slots__ = (
        "_accepts",
        "_compiled",
        "_element",
        "_members",
        "_places",
        "here",
        "maps",
        "silent",
    )

    def __init__(self, compiled: _Compiled, places: frozenset[_Place]) -> None:
        self._compiled = compiled
        self._places = places
        self._members: dict[str | tuple[str, ...], RuleState] = {}
        self._element: RuleState | None = None
        rules, steps = compiled.rules, compiled.steps
        self.here = tuple(rules[at] for at, step in sorted(places) if step == len(steps[at]))
        self._accepts = {rule.accept: rule for rule in reversed(self.here)}
        self.silent = not places
        self.maps = any(rules[at].accept is Accept.MAPPED_ID for at, _ in places)

    def accepts(self, accept: Accept) -> CompareRule | None:
        """The first rule of this kind at this node, or None."""
        return self._accepts.get(accept)

    def member(self, name: str) -> RuleState:
        """The state of an object's member."""
        if self.silent:
            return self
        known = name if name in self._compiled.names else ""
        found = self._members.get(known)
        if found is None:
            found = self._members[known] = self._next((known,))
        return found

    def child(self, names: tuple[str, ...]) -> RuleState:
        """The state of a node that paths may call by several names."""
        if self.silent:
            return self
        known = tuple(sorted({name for name in names if name in self._compiled.names}))
        found = self._members.get(known)
        if found is None:
            found = self._members[known] = self._next(known)
        return found

    def element(self) -> RuleState:
        """The state of an array's elements; they share one, since rules know no index."""
        if self.silent:
            return self
        if self._element is None:
            self._element = self._next(())
        return self._element

    def _next(self, names: tuple[str, ...]) -> RuleState:
        places: set[_Place] = set()
        for rule, at in self._places:
            steps = self._compiled.steps[rule]
            if at == len(steps):
                continue
            step = steps[at]
            if step.kind is StepKind.EVERY or step.name in names:
                places.add((rule, at + 1))
            if step.kind is StepKind.ANYWHERE:
                places.add((rule, at))
        return self._compiled.state(frozenset(places))


SILENCE = _Compiled(()).state(frozenset())
"""The state where no rule says anything."""


def compile_rules(rules: Sequence[CompareRule]) -> RuleState:
    """The state of a document's root under these rules.

    Raises:
        JsonPathError: a rule's path is none of the dialect; a table that loaded has none.
    """
    compiled = _Compiled(rules)
    return compiled.state(frozenset((rule, 0) for rule in range(len(rules))))


def rules_of(rules: Sequence[CompareRule], route_path: str) -> tuple[CompareRule, ...]:
    """The rules that hold on a route, given by its path template."""
    return tuple(rule for rule in rules if not rule.routes or route_path in rule.routes)
