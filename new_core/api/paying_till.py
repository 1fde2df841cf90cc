"""What payments are made with, out of what the house has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from new_core.api.house import House
from new_core.domain.gateway_health import Patience
from new_core.domain.payment_booking import Pace
from new_core.domain.payment_failover import Budget
from new_core.errors import InvalidValue
from new_core.gateways import ManualGateway, Notifications, SquareGateway, StripeGateway
from new_core.ports import Gateway
from new_core.service.checkout import Settling
from new_core.service.gateway_calls import GatewayMeter, Gateways, Offered
from new_core.service.ordering import MoneyMoving
from new_core.service.paying import Rules, Till
from new_core.settings import PaymentSettings

_CARD, _BY_HAND = frozenset({"card"}), frozenset({"manual"})


def till_of(house: House) -> Till:
    """A till that tells orders what becomes of their payments."""
    settings = house.settings
    rules = Rules(
        Budget(settings.payment_attempts, settings.payment_budget_s),
        Pace(
            look_s=settings.payment_look_s,
            quiet_s=settings.payment_quiet_s,
            confirm_s=settings.payment_confirm_s,
        ),
        Patience(settings.gateway_failures, settings.gateway_open_s),
        settings.payment_return_url,
    )
    return Till(
        house.database,
        house.gateways,
        Settling(house.now, house.new_id),
        MoneyMoving(house.now, house.new_id),
        house.now,
        house.new_id,
        rules,
    )


def open_gateways(settings: PaymentSettings, meter: GatewayMeter) -> Gateways:
    """The gateways that settings name, in their order; none connects yet.

    Raises:
        InvalidValue: one is not known, or has no credentials.
    """
    offered = []
    for name in (one.strip() for one in settings.payment_gateways.split(",")):
        make = _MADE.get(name)
        if make is None:
            raise InvalidValue("payment_gateways", f"has no {name!r}; there are {', '.join(_MADE)}")
        offered.append(make(settings))
    # The gateways' own deadline comes first: it tells more.
    return Gateways(offered, deadline_s=settings.payment_timeout_s + 1, meter=meter)


def _manual(_settings: PaymentSettings) -> Offered:
    return Offered(ManualGateway(), _BY_HAND)


def _stripe(settings: PaymentSettings) -> Offered:
    key = _needed("stripe_secret_key", settings.stripe_secret_key.get_secret_value())
    gateway: Gateway = StripeGateway(
        key,
        settings.stripe_webhook_secret.get_secret_value(),
        api_base=settings.stripe_url,
        timeout_s=settings.payment_timeout_s,
    )
    return Offered(gateway, _CARD)


def _square(settings: PaymentSettings) -> Offered:
    gateway: Gateway = SquareGateway(
        _needed("square_access_token", settings.square_access_token.get_secret_value()),
        _needed("square_location", settings.square_location),
        Notifications(settings.square_webhook_key.get_secret_value(), settings.square_webhook_url),
        api_base=settings.square_url,
        timeout_s=settings.payment_timeout_s,
    )
    return Offered(gateway, _CARD)


def _needed(name: str, value: str) -> str:
    if not value:
        raise InvalidValue(f"BANYAN_{name.upper()}", "is needed for a gateway that is in use")
    return value


_MADE: Mapping[str, Callable[[PaymentSettings], Offered]] = {
    "manual": _manual,
    "stripe": _stripe,
    "square": _square,
}
