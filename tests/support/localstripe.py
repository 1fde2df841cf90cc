"""A Stripe on loopback, in a process of its own: GPL-3, so it is run and never imported.

It keeps books like Stripe and ignores idempotency keys.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from loadtests.ports import free_port
from tests.support.processes import spawn_process, wait_for_http

KEY, WEBHOOK_SECRET = "sk_test_loopback", "whsec_loopback"
VISA, DECLINED = "pm_card_visa", "pm_card_chargeCustomerFail"


def just_now() -> datetime:
    """The time that a process which was not told another one goes by."""
    return datetime.now(tz=UTC)


class LocalStripe:
    """Its address, and its books as it tells them to anybody who asks with a key."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        """What it answers."""
        return requests.get(self.url + path, auth=(KEY, ""), timeout=10).json()

    def post(self, path: str, **data: str) -> Any:
        """What it answers."""
        return requests.post(self.url + path, data=data, auth=(KEY, ""), timeout=10).json()

    def charges(self, order: str) -> list[dict[str, Any]]:
        """Intents of an order that hold or took money which was not given back."""
        found = self.get("/v1/payment_intents?limit=100")["data"]
        mine = [one for one in found if one["metadata"].get("order_number") == order]
        held = [one for one in mine if one["status"] in ("requires_capture", "succeeded")]
        return [one for one in held if not one["latest_charge"]["refunded"]]

    def card_to_confirm(self) -> str:
        """A card whose bank wants its holder to confirm."""
        made = self.post(
            "/v1/payment_methods",
            **{
                "type": "card", "card[number]": "4000002760003184", "card[exp_month]": "12",
                "card[exp_year]": "2030", "card[cvc]": "123",
            },
        )  # fmt: skip
        return str(made["id"])

    def confirm(self, ref: str) -> None:
        """The holder confirms."""
        intent = self.get(f"/v1/payment_intents/{ref}")
        self.post(
            f"/v1/payment_intents/{ref}/_authenticate",
            client_secret=intent["client_secret"],
            success="true",
        )

    def write_to(self, url: str) -> None:
        """Send events there, signed."""
        requests.post(
            f"{self.url}/_config/webhooks/test",
            data={"url": url, "secret": WEBHOOK_SECRET},
            timeout=10,
        )


@contextlib.contextmanager
def local_stripe() -> Iterator[LocalStripe]:
    """Start one with empty books."""
    port = free_port()
    log = Path(tempfile.mkdtemp(prefix="banyan-stripe-")) / "log"
    command = [str(Path(sys.executable).parent / "localstripe"), "--port", str(port)]
    with spawn_process([*command, "--from-scratch"], log=log, cwd=log.parent):
        found = LocalStripe(port)
        wait_for_http(f"{found.url}/", status=401)
        yield found
