"""A process is killed between sending a payment and booking it; another one finds out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from new_core.domain.payment import AttemptState, CaptureMode, PaymentMethod, PaymentOutcome
from new_core.gateways import StripeGateway
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Till, open_payment
from new_core.service.paying_recovery import recover
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.support import localstripe
from tests.support.core import SetClock
from tests.support.fault_hop import Fault, fault_hop
from tests.support.paying import SOMEBODY, TOTAL, Heard, read

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def running_stripe() -> Iterator[localstripe.LocalStripe]:
    with localstripe.local_stripe() as found:
        yield found


@pytest.mark.parametrize("fault", [Fault.HANG_AFTER, Fault.HANG_BEFORE])
async def test_who_dies_while_the_gateway_charges_leaves_one_charge_and_one_outcome(
    core: SqlDatabase, core_url: str, running_stripe: localstripe.LocalStripe, fault: Fault
) -> None:
    clock, heard = SetClock(localstripe.just_now()), Heard()
    gateway = StripeGateway(
        localstripe.KEY, localstripe.WEBHOOK_SECRET, api_base=running_stripe.url, timeout_s=5
    )
    gateways = Gateways([Offered(gateway, frozenset({"card"}))], deadline_s=6)
    till = Till(core, gateways, heard.settle, heard.money_moved, clock, new_id)
    number = f"A-{new_id()}"
    async with core.writing() as uow:
        intent = await open_payment(
            uow, new_id(), TOTAL, PaymentMethod("card", token=localstripe.VISA),
            CaptureMode.LATER, till.doing(SOMEBODY), reference=number,
        )  # fmt: skip
        await uow.commit()

    async with fault_hop(running_stripe.url) as hop:
        hop.faults = [fault]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.pays_and_dies", core_url, hop.url, str(intent.id)
        )
        try:
            await asyncio.wait_for(hop.reached.wait(), 30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
    died_in = (await read(till, intent.id)).attempts[0].state
    for _ in range(3):
        clock.forward(seconds=70)
        await recover(till)
    await gateway.close()

    assert died_in is AttemptState.SENDING
    assert [one.outcome for one in heard.settled] == [PaymentOutcome.AUTHORISED]
    assert len(running_stripe.charges(number)) == 1
    numbers = 1 if fault is Fault.HANG_AFTER else 2
    assert len((await read(till, intent.id)).attempts) == numbers
