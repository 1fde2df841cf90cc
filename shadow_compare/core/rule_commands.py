"""From a group that people accept to rules that accept its differences."""

from __future__ import annotations

import shlex

from shadow_compare.core.evidence import MismatchGroup

_RULES_SHOWN = 3


def rule_commands(group: MismatchGroup) -> tuple[str, ...]:
    """Commands that write rules which would accept the group's differences, a few of them.

    They accept whatever differs there: a narrower kind of rule is better where one fits.
    """
    life = group.life
    return tuple(
        " ".join(
            shlex.quote(word)
            for word in (
                *("banyan", "routes", "accept", group.domain, pattern, "--as", "any"),
                *("--owner", life.owner, "--reason", life.note),
            )
        )
        for pattern in group.patterns[:_RULES_SHOWN]
        if pattern.startswith("$")
    )
