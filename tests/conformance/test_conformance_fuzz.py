"""Spoilt streams: whatever reaches a store is read alike by everyone, and nothing crashes."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.conformance.build import ask, post
from tests.conformance.case import (
    OK,
    Answered,
    Case,
    Got,
    HalfClose,
    Pause,
    ReadRequest,
    Recording,
    Send,
)
from tests.conformance.lab import Lab
from tests.conformance.mutations import spoilt_answers, spoilt_streams
from tests.conformance.second_opinion import DisagreementError, count_requests, read_by_h11
from tests.conformance.strict import read_answers, read_requests

integration = pytest.mark.integration
FUZZ = settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def spoilt(stream: bytes) -> Case:
    """Sent, left alone for a moment, and left: an end of the connection must follow."""
    steps = (Send(stream), Pause(0.03), HalfClose())
    return Case("A spoilt stream", "Fuzz", steps, Answered(Got()), answers=1_000)


def answering(answer: bytes) -> Case:
    """The store sends this, and ends its connection."""
    steps = (ReadRequest(), Send(answer), HalfClose())
    return Case("A spoilt answer", "Fuzz", (Send(ask()),), Answered(Got()), store=(steps,))


def problem(recording: Recording) -> str:
    """What no stream may bring about; "" when all is well."""
    if recording.end == "open":
        return "the connection hangs"
    statuses = re.findall(rb"(?m)^HTTP/1\.1 (\d\d\d)", recording.client)
    if any(status in (b"500", b"502") for status in statuses):
        return f"the proxy failed: {statuses}"
    whole = 0
    for side in recording.stores:
        mine = sum(message.is_whole for message in read_requests(side.data).messages)
        theirs = count_requests(side.data)
        if mine != theirs:
            return f"read as {mine} requests and as {theirs}"
        whole += mine
    if b"x-banyan" in b"".join(side.data for side in recording.stores).lower():
        return "a control field reached the store"
    good = statuses.count(b"200")
    return f"{good} good answers to {whole} requests" if good > whole else ""


@integration
@FUZZ
@given(stream=spoilt_streams())
def test_a_spoilt_stream_is_read_alike_by_everyone(lab: Lab, stream: bytes) -> None:
    recording = lab.play(spoilt(stream))

    assert problem(recording) == ""
    assert "Traceback" not in lab.log()


@integration
@FUZZ
@given(answer=spoilt_answers())
@example(b"HTTP/1.1 103 Early Hints\r\nLink: </a\r\n>\r\n\r\n" + OK)
def test_a_spoilt_answer_is_read_alike_by_everyone(lab: Lab, answer: bytes) -> None:
    recording = lab.play(answering(answer))

    stream = read_answers(recording.client)  # raises when two clients could differ
    finals = [message for message in stream.messages if message.status >= 200]
    assert not recording.is_slow
    assert not any(message.status == 500 for message in finals)
    assert len(finals) == 1 or recording.end != "open"
    assert read_by_h11(recording.client) == [(m.status, m.body) for m in finals if m.is_whole]
    assert "Traceback" not in lab.log()


def test_a_second_reader_counts_alike() -> None:
    stream = ask() + post("Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n") + ask()[:9]

    assert count_requests(stream) == 2
    with pytest.raises(DisagreementError):
        count_requests(ask("GET /x HTTP/1.1", "X-A : b"))
