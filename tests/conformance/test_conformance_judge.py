"""The judge condemns what it should: each test shows it a wrong recording."""

from __future__ import annotations

import pytest

from tests.conformance import table
from tests.conformance.build import ask, post, say
from tests.conformance.case import (
    OK,
    Answered,
    AnyOf,
    Cancelled,
    Case,
    Cut,
    Expectation,
    Forwarded,
    Got,
    Grade,
    Recording,
    Refused,
    StoreSide,
    Unusable,
    Verdict,
)
from tests.conformance.catalogue import CASES
from tests.conformance.judge import judge
from tests.conformance.strict import NotCleanError, read_answers, read_requests

NO = say("400 No", "Content-Length: 0", "Connection: close")


def grade(wants: Expectation, recording: Recording, *, is_head: bool = False) -> Grade:
    return judge(Case("A case", "Some", (), wants, is_head=is_head), recording).grade


def seen(*data: bytes, client: bytes = OK, end: str = "open", store: str = "open") -> Recording:
    return Recording(client, end, tuple(StoreSide(each, store) for each in data))


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]

    assert len(names) >= 200
    assert len(set(names)) == len(names)
    assert all(name[0].isupper() or name[0] in "x1" or name[0].isdigit() for name in names)


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (seen(ask()), Grade.RIGHT),
        (seen(ask(), client=NO, end="fin"), Grade.WRONG),
        (seen(ask(), ask()), Grade.WRONG),
        (seen(ask(host="X-A: b\rX-C: d")), Grade.DANGEROUS),
        (seen(ask(), client=OK[:-1]), Grade.WRONG),
        (seen(client=NO, end="fin"), Grade.WRONG),
        (seen(client=b"", end="fin"), Grade.WRONG),
        (seen(ask(), client=b""), Grade.WRONG),
        (seen(ask(), client=OK + b"HTTP/1.1 200 OK\nX: y\n\n"), Grade.DANGEROUS),
    ],
)
def test_a_request_must_go_through_once_and_its_answer_come_back(
    recording: Recording, expected: Grade
) -> None:
    assert grade(Forwarded(), recording) is expected


def test_a_lost_or_spoofed_field_counts_as_the_case_says() -> None:
    kept = seen(ask("GET /x HTTP/1.1", "x-a:  b"))
    lost = seen(ask())
    wants = Forwarded(has=(b"X-A: b",), harm=Grade.DANGEROUS)

    assert grade(wants, kept) is Grade.RIGHT
    assert grade(wants, lost) is Grade.DANGEROUS
    assert grade(Forwarded(lacks=(b"x-a",), harm=Grade.LAX), kept) is Grade.LAX
    assert grade(Forwarded(block=b"X-A: b\r\n"), kept) is Grade.WRONG


def test_another_line_body_or_tunnel_is_wrong() -> None:
    recording = seen(post("Content-Length: 2", body=b"hi"))
    tunnel = Recording(
        say("101 Switching Protocols") + b"pong", "open", (StoreSide(ask() + b"ping"),)
    )
    wants = Forwarded(tunnel=b"ping", got=Got((), None, tunnel=b"pong"))

    assert grade(Forwarded(lines=("POST /x HTTP/1.1",), body=b"hi"), recording) is Grade.RIGHT
    assert grade(Forwarded(lines=("GET /x HTTP/1.1",)), recording) is Grade.WRONG
    assert grade(Forwarded(body=b"ho"), recording) is Grade.WRONG
    assert grade(wants, tunnel) is Grade.RIGHT
    assert grade(Forwarded(tunnel=b"x", got=wants.got), tunnel) is Grade.WRONG
    assert grade(Forwarded(tunnel=b"ping", got=Got((), None, tunnel=b"x")), tunnel) is Grade.WRONG


@pytest.mark.parametrize(
    ("got", "client", "end", "expected"),
    [
        (Got((404,)), OK, "open", Grade.WRONG),
        (Got(body=b"no"), OK, "open", Grade.WRONG),
        (Got(end="closed"), OK, "open", Grade.WRONG),
        (Got(end="open"), OK, "fin", Grade.WRONG),
        (Got(interim=(103,)), OK, "open", Grade.WRONG),
        (Got(interim=(103,)), say("103 Early Hints") + OK, "open", Grade.RIGHT),
        (Got(framed="chunked"), OK, "open", Grade.WRONG),
        (Got(trailer=b"X: y\r\n"), OK, "open", Grade.WRONG),
        (Got(lacks=(b"content-type",)), OK, "open", Grade.WRONG),
        (Got(has=(b"X: y",)), OK, "open", Grade.WRONG),
        (Got(), say(body=b"ok"), "fin", Grade.RIGHT),
        (Got(), say(body=b"ok"), "reset", Grade.WRONG),
    ],
)
def test_the_client_must_get_the_answer(got: Got, client: bytes, end: str, expected: Grade) -> None:
    assert grade(Answered(got), seen(client=client, end=end)) is expected
    assert grade(Forwarded(got=got), seen(ask(), client=client, end=end)) is expected


def test_what_was_held_back_is_wrong() -> None:
    stalled = Recording(OK, "open", (StoreSide(ask()),), stalls=("the client waits for b'one'",))

    assert grade(Forwarded(), stalled) is Grade.WRONG


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (seen(client=NO, end="fin"), Grade.RIGHT),
        (seen(client=NO), Grade.LAX),
        (seen(client=say("501 No", "Content-Length: 0"), end="fin"), Grade.SAFE),
        (seen(client=b"", end="reset"), Grade.SAFE),
        (seen(client=b""), Grade.WRONG),
        (seen(client=OK), Grade.WRONG),
        (seen(ask()), Grade.LAX),
        (seen(ask() + ask()), Grade.DANGEROUS),
        (seen(ask("GET /x HTTP/1.1", "X-A : b")), Grade.DANGEROUS),
        (seen(ask(host="Host: a\r\nHost: b")), Grade.DANGEROUS),
        (seen(post("Content-Length: 1", "Transfer-Encoding: chunked", body=b"x")), Grade.DANGEROUS),
        (seen(ask()[:20], client=NO, end="fin"), Grade.LAX),
    ],
)
def test_nothing_refused_may_reach_a_store(recording: Recording, expected: Grade) -> None:
    assert grade(Refused(), recording) is expected


def test_a_hazard_counts_as_the_case_says() -> None:
    assert grade(Refused(hazard=b"get /x"), seen(ask())) is Grade.DANGEROUS
    assert grade(Refused(hazard=b"get /x", harm=Grade.LAX), seen(ask())) is Grade.LAX


def test_a_refused_body_may_have_begun_but_not_ended() -> None:
    half = post("Content-Length: 9", body=b"half")
    whole = post("Content-Length: 4", body=b"half")

    assert grade(Refused(is_begun=True), seen(half, client=NO, end="fin")) is Grade.RIGHT
    assert grade(Refused(is_begun=True), seen(whole, client=b"", end="fin")) is Grade.DANGEROUS


@pytest.mark.parametrize(
    ("client", "end", "expected"),
    [
        (say("502 Bad Gateway", "Content-Length: 0"), "open", Grade.RIGHT),
        (say("503 No", "Content-Length: 0"), "open", Grade.SAFE),
        (b"", "fin", Grade.SAFE),
        (b"", "open", Grade.WRONG),
        (OK, "open", Grade.LAX),
        (OK + OK, "open", Grade.DANGEROUS),
        (say(body=b"Evil: 1"), "fin", Grade.DANGEROUS),
        (say("200 OK", "X : y", body=b"hi"), "fin", Grade.DANGEROUS),
        (say("200 OK", "Content-Length: 9", body=b"hi"), "fin", Grade.SAFE),
        (say("200 OK", "Content-Length: 9", body=b"hi"), "open", Grade.WRONG),
    ],
)
def test_an_unusable_answer_must_not_pass(client: bytes, end: str, expected: Grade) -> None:
    assert grade(Unusable(never=b"evil"), seen(ask(), client=client, end=end)) is expected


@pytest.mark.parametrize(
    ("client", "end", "expected"),
    [
        (say("200 OK", "Content-Length: 9", body=b"half"), "fin", Grade.RIGHT),
        (say("200 OK", "Content-Length: 9", body=b"half"), "open", Grade.WRONG),
        (say("200 OK", "Content-Length: 4", body=b"half"), "fin", Grade.DANGEROUS),
        (say("200 OK", "Transfer-Encoding: chunked", body=b"4\r\nhalf\r\n"), "fin", Grade.RIGHT),
        (
            say("200 OK", "Transfer-Encoding: chunked", body=b"4\r\nhalf\r\n0\r\n\r\n"),
            "fin",
            Grade.DANGEROUS,
        ),
        (say(body=b"half"), "fin", Grade.DANGEROUS),
        (say(body=b"half"), "reset", Grade.RIGHT),
        (b"", "fin", Grade.RIGHT),
        (b"", "open", Grade.WRONG),
    ],
)
def test_half_an_answer_must_not_look_whole(client: bytes, end: str, expected: Grade) -> None:
    assert grade(Cut(), seen(ask(), client=client, end=end)) is expected


def test_a_store_must_learn_that_the_client_left() -> None:
    assert grade(Cancelled(), seen(ask(), store="fin")) is Grade.RIGHT
    assert grade(Cancelled(), seen(ask(), store="open")) is Grade.WRONG
    assert grade(Cancelled(), seen()) is Grade.SAFE


def test_the_best_of_several_outcomes_counts() -> None:
    wants = AnyOf((Refused(), Forwarded()))

    assert grade(wants, seen(ask())) is Grade.RIGHT
    assert grade(wants, seen(client=NO, end="fin")) is Grade.RIGHT
    assert grade(wants, seen(client=b"")) is Grade.WRONG


@pytest.mark.parametrize(
    "stream",
    [
        b"GET /x HTTP/1.1\nHost: a\n\n",
        b"GET /x HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        ask("GET  /x HTTP/1.1"),
        ask("GET /x HTTP/2.0"),
        ask("GET /x HTTP/1.1", "X-A: b\r\n c"),
        ask("GET /x HTTP/1.1", "X-A: \0"),
        post("Content-Length: 5", "Content-Length: 5", body=b"hello"),
        post("Content-Length: +5", body=b"hello"),
        post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body=b"0x1\r\na\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body=b"1\na\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body=b"0\r\nX-A : b\r\n\r\n"),
    ],
)
def test_the_strict_reader_takes_nothing_ambiguous(stream: bytes) -> None:
    with pytest.raises(NotCleanError):
        read_requests(stream)


def test_the_strict_reader_counts_messages_and_knows_their_ends() -> None:
    requests = read_requests(ask() + post("Content-Length: 2", body=b"hi") + ask()[:9])
    answers = read_answers(say("200 OK", "Content-Length: 9") + OK, is_head=True)

    assert [message.body for message in requests.messages] == [b"", b"hi"]
    assert requests.rest == ask()[:9]
    assert [message.body for message in answers.messages] == [b"", b"ok"]
    assert not read_requests(post("Content-Length: 3", body=b"hi")).messages[0].is_whole


def test_a_peer_that_does_better_is_named() -> None:
    case = Case("A case", "Some", (), Forwarded())
    results = {
        "banyan": {"A case": Verdict(Grade.LAX, "so")},
        "nginx": {"A case": Verdict(Grade.SAFE, "")},
        "envoy": {"A case": Verdict(Grade.RIGHT, "")},
    }

    assert [(ours.reason, names) for _, ours, names in table.weaker([case], results)] == [
        ("so", "envoy")
    ]
    assert "better than ours (lax, so): envoy: Some: A case" in list(table.report([case], results))
    assert "| A case | lax | safe | right |" in table.page([case], results)
