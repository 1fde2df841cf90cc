"""An event for the outside is a CloudEvent that says where it stands."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.events import Event, Told, envelope

ORDER = UUID(int=7)
AT = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


def told(correlation_id: str = "", caused_by: UUID | None = None) -> Told:
    event = Event("orders.order.placed.v1", "order", ORDER, {"total": "19.99"}, caused_by)
    return Told(12, UUID(int=1), event, 3, "staff:clerk", correlation_id, AT)


def test_all_of_the_envelope_is_there() -> None:
    assert envelope(told("req-1", UUID(int=9))) == {
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000001",
        "type": "orders.order.placed.v1",
        "source": "/banyan/core",
        "subject": "order/00000000-0000-0000-0000-000000000007",
        "time": "2026-05-04T12:00:00.123456Z",
        "datacontenttype": "application/json",
        "aggregatetype": "order",
        "aggregateid": "00000000-0000-0000-0000-000000000007",
        "aggregateseq": 3,
        "actor": "staff:clerk",
        "correlationid": "req-1",
        "causationid": "00000000-0000-0000-0000-000000000009",
        "data": {"total": "19.99"},
    }


@given(correlation_id=st.text(max_size=8), caused_by=st.none() | st.uuids())
def test_attributes_are_named_and_filled_as_cloudevents_wants(
    correlation_id: str, caused_by: UUID | None
) -> None:
    whole = envelope(told(correlation_id, caused_by))

    assert json.loads(json.dumps(whole)) == whole
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in whole)
    assert all(value not in {None, ""} for name, value in whole.items() if name != "data")
