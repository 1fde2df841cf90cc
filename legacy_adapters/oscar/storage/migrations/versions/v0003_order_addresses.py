"""Where an order's goods and its bill go are counted on their own, as in oscar's two tables."""

from __future__ import annotations

from alembic import op

revision = "oscar0003"
down_revision = "oscar0002"
branch_labels = None
depends_on = None

_BOTH = ("order_shipping_address", "order_billing_address")


def upgrade() -> None:
    # 1. A number was drawn for an address of either kind, 2. each kind begins its own count,
    # 3. it draws that number again. So both go on where the one stood.
    for kind in _BOTH:
        op.execute(
            f"INSERT INTO oscar_counter (entity_type, last) SELECT '{kind}', last "  # noqa: S608 - names of ours
            "FROM oscar_counter WHERE entity_type = 'order_address'"
        )


def downgrade() -> None:
    for kind in _BOTH:
        op.execute(f"DELETE FROM oscar_counter WHERE entity_type = '{kind}'")  # noqa: S608 - as above
