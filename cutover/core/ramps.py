"""A share that grew by itself is not taken back by the file that it began in."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.routing import RoutingTable, Stage


def ramps_kept(desired: RoutingTable, in_force: RoutingTable | None) -> Mapping[str, int]:
    """Domain to the share in force, of those that stand higher on their ramp than the file says.

    Both must be in canary with a ramp; whoever takes the ramp out of the file means the share
    that stands there.
    """
    if in_force is None:
        return {}
    here = {domain.name: domain for domain in in_force.domains}
    kept: dict[str, int] = {}
    for there in desired.domains:
        now = here.get(there.name)
        if now is None or now.ramp is None or there.ramp is None:
            continue
        in_canary = now.stage is Stage.CANARY and there.stage is Stage.CANARY
        share_bp = now.core_share_bp
        if in_canary and share_bp > there.core_share_bp and share_bp in there.ramp.steps_bp:
            kept[there.name] = share_bp
    return kept
