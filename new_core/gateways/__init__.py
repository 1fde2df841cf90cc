"""Gateways: one module for each protocol that money is moved by.

gateway = ManualGateway()
answer = await gateway.authorise(charge)
"""

from __future__ import annotations

from new_core.gateways.manual import ManualGateway

__all__ = ["ManualGateway"]
