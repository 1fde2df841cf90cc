"""Figures over the tables of all modules, in plain SQL.

Not built from the modules' own table objects and conditions: those belong to the code that
these figures watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.ports.health import Waiting
from new_core.storage.types import UtcDateTime

_BOOKS = {
    "oversold_units": """
        SELECT COALESCE(SUM(reserved - on_hand - backorder_limit - shortfall), 0)
        FROM stock_level
        WHERE reserved > on_hand + backorder_limit + shortfall""",
    "levels_off_reservations": """
        SELECT COUNT(*)
        FROM stock_level AS level
        LEFT JOIN (
            SELECT stock_level_id, SUM(quantity) AS active
            FROM reservation WHERE state IN ('held', 'committed')
            GROUP BY stock_level_id
        ) AS promised ON promised.stock_level_id = level.id
        WHERE COALESCE(level.reserved, 0)
            <> level.reserved_elsewhere + COALESCE(promised.active, 0)""",
    "duplicate_orders": """
        SELECT COUNT(*) FROM (
            SELECT cart_id FROM sales_order WHERE status <> 'cancelled'
            GROUP BY cart_id HAVING COUNT(*) > 1
        ) AS twice""",
    "duplicate_charges": """
        SELECT COUNT(*) FROM (
            SELECT paid.order_id FROM (
                SELECT intent.order_id, attempt.id
                FROM payment_event AS event
                JOIN payment_attempt AS attempt ON attempt.id = event.attempt_id
                JOIN payment_intent AS intent ON intent.id = attempt.intent_id
                WHERE event.kind IN ('captured', 'refunded')
                GROUP BY intent.order_id, attempt.id
                HAVING SUM(CASE event.kind WHEN 'captured' THEN event.amount_minor
                           ELSE -event.amount_minor END) > 0
            ) AS paid
            GROUP BY paid.order_id HAVING COUNT(*) > 1
        ) AS twice""",
    "overcharged_orders": """
        SELECT COUNT(*) FROM (
            SELECT intent.order_id
            FROM payment_event AS event
            JOIN payment_attempt AS attempt ON attempt.id = event.attempt_id
            JOIN payment_intent AS intent ON intent.id = attempt.intent_id
            JOIN sales_order ON sales_order.id = intent.order_id
            WHERE event.kind IN ('captured', 'refunded')
            GROUP BY intent.order_id
            HAVING SUM(CASE event.kind WHEN 'captured' THEN event.amount_minor
                       ELSE -event.amount_minor END) > MAX(sales_order.total_minor)
        ) AS too_much""",
    "charges_without_order": """
        SELECT COUNT(DISTINCT intent.order_id)
        FROM payment_event AS event
        JOIN payment_attempt AS attempt ON attempt.id = event.attempt_id
        JOIN payment_intent AS intent ON intent.id = attempt.intent_id
        WHERE event.kind = 'captured'
            AND NOT EXISTS (SELECT 1 FROM sales_order WHERE sales_order.id = intent.order_id)""",
    "totals_off_lines": """
        SELECT COUNT(*) FROM sales_order WHERE net_minor + tax_minor <> total_minor""",
}

_WAITING = {
    "numbers": "SELECT COUNT(*), MIN(occurred_at) FROM outbox_event WHERE seq IS NULL",
    "bus": "SELECT COUNT(*), MIN(occurred_at) FROM outbox_event WHERE published_at IS NULL",
    "audit": "SELECT COUNT(*), MIN(at) FROM audit_entry WHERE seq IS NULL",
    "webhooks": "SELECT COUNT(*), MIN(created_at) FROM webhook_delivery WHERE state = 'pending'",
}

_ACCURACY = "SELECT counted, off_by FROM stock_accuracy ORDER BY at DESC LIMIT 1"
_TIME = UtcDateTime()


class SqlHealth:
    """Questions about all tables, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def books(self) -> Mapping[str, int]:
        found = {}
        for name, question in _BOOKS.items():
            found[name] = int((await self._connection.execute(sa.text(question))).scalar_one())
        return found

    async def accuracy(self) -> float | None:
        row = (await self._connection.execute(sa.text(_ACCURACY))).one_or_none()
        if row is None:
            return None
        return max(0.0, 1 - row.off_by / row.counted) if row.counted else float(not row.off_by)

    async def waiting(self) -> Mapping[str, Waiting]:
        found = {}
        for name, question in _WAITING.items():
            typed = sa.text(question).columns(
                sa.column("many", sa.Integer), sa.column("since", _TIME)
            )
            many, since = (await self._connection.execute(typed)).one()
            oldest: datetime | None = since
            found[name] = Waiting(many, oldest)
        return found
