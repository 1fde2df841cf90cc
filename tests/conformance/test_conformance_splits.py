"""However a stream is cut into pieces, what becomes of it is the same."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.case import Case, Pause, Recording, Send
from tests.conformance.catalogue import CASES
from tests.conformance.judge import judge
from tests.conformance.lab import Lab
from tests.conformance.strict import NotCleanError, read_answers, read_requests

pytestmark = pytest.mark.integration

# One write and no races of time: what may be cut without being another case.
WHOLE = tuple(
    case
    for case in CASES
    if len(case.client) == 1
    and isinstance(case.client[0], Send)
    and len(case.client[0].data) < 5_000
    and case.category not in ("Slow clients", "Broken-off answers", "Doubtful answers")
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    statuses: tuple[int, ...]
    is_ended: bool
    requests: tuple[tuple[bytes, bytes], ...]


def outcome(case: Case, recording: Recording) -> Outcome:
    """What a split must not change. Timing may change how much of a body went ahead."""
    answers = read_answers(recording.client, is_head=case.is_head)
    requests = []
    for side in recording.stores:
        try:
            stream = read_requests(side.data)
        except NotCleanError:
            requests.append((side.data, b"not clean"))
            continue
        requests += [(m.line, m.body) for m in stream.messages if m.is_whole]
    statuses = tuple(m.status for m in answers.messages if m.status >= 200)
    return Outcome(statuses, recording.end != "open", tuple(requests))


def cut(data: bytes, places: list[int]) -> tuple[Send | Pause, ...]:
    ends = sorted({place % len(data) for place in places} - {0})
    pieces = [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
    return tuple(step for piece in pieces for step in (Send(piece), Pause(0.002)))


_wholes: dict[str, tuple[Outcome, str]] = {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    case=st.sampled_from(WHOLE), places=st.lists(st.integers(0, 1 << 16), min_size=1, max_size=6)
)
def test_a_stream_in_pieces_is_judged_like_the_whole(
    lab: Lab, case: Case, places: list[int]
) -> None:
    first = case.client[0]
    assert isinstance(first, Send)
    if case.name not in _wholes:
        recording = lab.play(case)
        _wholes[case.name] = outcome(case, recording), judge(case, recording).grade.name
    whole, grade = _wholes[case.name]

    recording = lab.play(dataclasses.replace(case, client=cut(first.data, places)))

    assert outcome(case, recording) == whole
    assert judge(case, recording).grade.name == grade


@pytest.mark.parametrize("name", [
    "Behind the last chunk the next request begins",
    "A length behind chunked is refused",
    "Two requests at once get two answers in order",
    "A folded field is refused",
    "A chunk size with 0x is refused",
])  # fmt: skip
def test_every_single_cut_is_judged_like_the_whole(lab: Lab, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    first = case.client[0]
    assert isinstance(first, Send)
    whole = outcome(case, lab.play(case))

    for place in range(1, len(first.data)):
        recording = lab.play(dataclasses.replace(case, client=cut(first.data, [place])))

        assert outcome(case, recording) == whole, f"cut at {place}"


def test_the_proxy_said_nothing_of_crashes(lab: Lab) -> None:
    assert "Traceback" not in lab.log()
