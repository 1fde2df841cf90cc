"""Gateways: one module for each protocol that money is moved by.

gateway = StripeGateway(key, secret, api_base="https://api.stripe.com", timeout_s=10)
charged = await gateway.authorise(charge)
"""

from __future__ import annotations

from new_core.gateways.manual import ManualGateway
from new_core.gateways.square import Notifications, SquareGateway
from new_core.gateways.stripe import StripeGateway

__all__ = ["ManualGateway", "Notifications", "SquareGateway", "StripeGateway"]
