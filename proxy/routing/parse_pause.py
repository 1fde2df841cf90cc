"""Read when the other side is asked: of a domain, or of one of its routes."""

from __future__ import annotations

from proxy.routing.model import When
from proxy.routing.nodes import Node
from proxy.routing.values import Reader

MOST_PAUSE_S = 30
_USUAL_AFTER_S = 2.0


def parse_pause(reader: Reader, key: str, fields: dict[str, Node]) -> tuple[When, float]:
    """Read `when` and `after` of a mapping; the pause is 0 where it is none."""
    when = When.PARALLEL
    if "when" in fields:
        when = reader.choice(fields["when"], f"{key}.when", When) or When.PARALLEL
    if "after" not in fields:
        return when, _USUAL_AFTER_S if when is When.AFTER_LIVE else 0.0
    place = f"{key}.after"
    after_s = reader.duration(fields["after"], place, least_s=0.1, most_s=MOST_PAUSE_S)
    if when is not When.AFTER_LIVE:
        what = "A pause means something only after the live answer."
        reader.note(fields["after"].line, place, what, "Write when: after_live beside it.")
    return when, after_s or 0.0
