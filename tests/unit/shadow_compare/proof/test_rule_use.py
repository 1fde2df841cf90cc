"""Rules by name, and those that nobody needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from proxy.routing import Accept
from shadow_compare.core.rule_use import DAY_S, RuleUse, rule_id, unused
from tests.support.comparing import NOW_S, rule

RULE = rule("$.date", Accept.TIMESTAMP)


def test_a_rule_keeps_its_id_while_people_edit_owner_reason_and_last_day() -> None:
    edited = replace(RULE, owner="sales", reason="other", expires=date(2027, 1, 1))

    assert rule_id(edited) == rule_id(RULE)


def test_a_rule_that_does_something_else_has_another_id() -> None:
    others = (
        replace(RULE, path="$.other"),
        replace(RULE, accept=Accept.ANY),
        replace(RULE, routes=("/products/",)),
    )

    assert len({rule_id(one) for one in (RULE, *others)}) == 4
    assert rule_id(replace(RULE, routes=("/a/", "/b/"))) == rule_id(
        replace(RULE, routes=("/b/", "/a/"))
    )


def test_a_rule_is_unused_when_it_was_in_force_that_long_and_accepted_nothing() -> None:
    days_15, days_13 = NOW_S - 15 * DAY_S, NOW_S - 13 * DAY_S

    def found(use: RuleUse) -> list[int | None]:
        return [one.idle_days for one in unused([RULE], {rule_id(RULE): use}, NOW_S, 14)]

    assert found(RuleUse(days_15)) == [15]
    assert found(RuleUse(days_15, days_13, 1)) == []
    assert found(RuleUse(days_15, days_15, 900)) == [15]
    assert found(RuleUse(days_13)) == []


def test_a_rule_that_nobody_judged_by_is_told_without_days() -> None:
    [found] = unused([RULE], {}, NOW_S, 14)

    assert (found.use, found.idle_days) == (None, None)
