"""A process that pays at Stripe and is killed while it waits for the answer.

python -m tests.support.pays_and_dies DATABASE_URL STRIPE_URL PAYMENT_ID
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from new_core.domain.actor import ANONYMOUS
from new_core.gateways import StripeGateway
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Till, pay
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id
from tests.support.localstripe import KEY, WEBHOOK_SECRET, just_now
from tests.support.paying import Heard


async def main(url: str, stripe_url: str, intent_id: UUID) -> None:
    """Pay, without a deadline to speak of."""
    database = SqlDatabase(make_engine(url, pool_size=1), make_reader(url, pool_size=1))
    gateway = StripeGateway(KEY, WEBHOOK_SECRET, api_base=stripe_url, timeout_s=60)
    gateways = Gateways([Offered(gateway, frozenset({"card"}))], deadline_s=60)
    heard = Heard()
    till = Till(database, gateways, heard.settle, heard.money_moved, just_now, new_id)
    await pay(till, intent_id, ANONYMOUS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], UUID(sys.argv[3])))
