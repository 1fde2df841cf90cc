"""When each rule last accepted something, counted in the batch's own transaction."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.batch import Batch
from shadow_compare.core.rule_use import RuleUse
from shadow_compare.storage.proof_tables import rule_uses
from shadow_compare.storage.upsert import put_new


async def store_rule_uses(connection: AsyncConnection, batch: Batch) -> None:
    """Bring forward the uses of the rules: at most one write for each rule in force."""
    uses: dict[tuple[str, str], RuleUse] = {}
    for one in batch.judged:
        for rule in one.used:
            known = uses.get((one.domain, rule), RuleUse(batch.at_s))
            last_s = max(one.at_s, known.last_s or one.at_s)
            uses[one.domain, rule] = RuleUse(batch.at_s, last_s, known.uses + 1)
    new = [
        {"domain": domain, "rule": rule, "since_s": batch.at_s, "last_s": None, "uses": 0}
        for domain, rules in sorted(batch.rules.items())
        for rule in sorted({*rules})
    ]
    await put_new(connection, rule_uses, new)
    rows = rule_uses.c
    for (domain, rule), use in sorted(uses.items()):
        latest = sa.case((rows.last_s > use.last_s, rows.last_s), else_=use.last_s)
        await connection.execute(
            sa.update(rule_uses)
            .where(rows.domain == domain, rows.rule == rule)
            .values(uses=rows.uses + use.uses, last_s=latest)
        )


async def read_rule_uses(connection: AsyncConnection, domain: str) -> Mapping[str, RuleUse]:
    """Id of a domain's rules to their use."""
    query = sa.select(rule_uses).where(rule_uses.c.domain == domain)
    rows = (await connection.execute(query)).all()
    return {row.rule: RuleUse(row.since_s, row.last_s, row.uses) for row in rows}
