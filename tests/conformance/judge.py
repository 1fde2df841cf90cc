"""Judge a recording by what a case wants. Pure: no sockets, no clock."""

from __future__ import annotations

from typing import assert_never

from tests.conformance.case import (
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
    Unusable,
    Verdict,
)
from tests.conformance.strict import Message, NotCleanError, Stream, read_answers, read_requests

RIGHT = Verdict(Grade.RIGHT, "")


def judge(case: Case, recording: Recording) -> Verdict:
    """Grade what came of a case."""
    return _judge(case.wants, case, recording)


def _judge(wants: Expectation, case: Case, recording: Recording) -> Verdict:  # noqa: PLR0911 - a return for each outcome
    match wants:
        case AnyOf():
            options = [_judge(option, case, recording) for option in wants.options]
            return min(options, key=lambda verdict: verdict.grade)
        case Forwarded():
            return _forwarded(wants, case, recording)
        case Refused():
            return _refused(wants, case, recording)
        case Unusable():
            return _unusable(wants, case, recording)
        case Cut():
            return _cut(wants, case, recording)
        case Cancelled():
            return _cancelled(recording)
        case Answered():
            return _answered(wants, case, recording)
        case _:
            assert_never(wants)


def _finals(stream: Stream) -> list[Message]:
    return [message for message in stream.messages if message.status >= 200]


def _answers(case: Case, recording: Recording) -> Stream | Verdict:
    """What the client got; a verdict when that cannot be read in one way only."""
    try:
        return read_answers(recording.client, is_head=case.is_head)
    except NotCleanError as exc:
        return Verdict(Grade.DANGEROUS, f"the client got no clean stream: {exc}")


def _seen(recording: Recording, *, is_tunnel: bool = False) -> list[Stream] | NotCleanError:
    sides = [side.data for side in recording.stores if side.data]
    try:
        return [read_requests(data, is_tunnel=is_tunnel) for data in sides]
    except NotCleanError as exc:
        return exc


def _forwarded(wants: Forwarded, case: Case, recording: Recording) -> Verdict:  # noqa: PLR0911 - a return for each outcome
    seen = _seen(recording, is_tunnel=wants.tunnel is not None)
    if isinstance(seen, NotCleanError):
        return Verdict(Grade.DANGEROUS, f"the store saw no clean stream: {seen}")
    answers = _answers(case, recording)
    if isinstance(answers, Verdict):
        return answers
    finals = _finals(answers)
    requests = [message for stream in seen for message in stream.messages]
    if not requests and finals and 400 <= finals[0].status < 600:
        grade = Grade.SAFE if wants.is_optional else Grade.WRONG
        return Verdict(grade, f"refused with {finals[0].status}")
    if not requests:
        is_mute = recording.end != "open"
        grade = Grade.SAFE if wants.is_optional and is_mute else Grade.WRONG
        return Verdict(grade, f"not forwarded, no answer, connection {recording.end}")
    problem = _seen_problem(wants, seen, requests)
    if problem:
        return Verdict(wants.harm, problem)
    problem = _got_problem(wants.got, answers, finals, recording)
    if problem:
        return Verdict(wants.got_harm, problem)
    if recording.stalls:
        return Verdict(wants.stall_harm, f"held back: {', '.join(recording.stalls)}")
    return RIGHT


def _seen_problem(wants: Forwarded, seen: list[Stream], requests: list[Message]) -> str:  # noqa: PLR0911 - a return for each outcome
    lines = tuple(message.line.decode("latin-1") for message in requests)
    if wants.lines and lines != wants.lines:
        return f"the store saw {', '.join(lines)}"
    if not wants.lines and len(requests) != wants.count:
        return f"the store saw {len(requests)} requests"
    first = requests[0]
    if not first.is_whole:
        return "the store saw a request that never ended"
    if wants.body is not None and first.body != wants.body:
        return f"the store read another body: {first.body[:40]!r}"
    if wants.tunnel is not None and seen[0].rest != wants.tunnel:
        return f"the tunnel brought the store {seen[0].rest[:40]!r}"
    if wants.block and wants.block not in first.head:
        return f"the head does not hold {wants.block[:60]!r} as it was sent"
    return _lines_problem(first, wants.has, wants.lacks, "the store")


def _lines_problem(
    message: Message, has: tuple[bytes, ...], lacks: tuple[bytes, ...], who: str
) -> str:
    lines = message.head[:-4].split(b"\r\n")[1:]
    known = {_folded(line) for line in lines}
    for line in has:
        if _folded(line) not in known:
            return f"{who} did not see `{line.decode('latin-1')[:60]}`"
    for name in lacks:
        found = next((line for line in lines if line.lower().startswith(name)), None)
        if found is not None:
            return f"{who} saw `{found.decode('latin-1')[:60]}`"
    return ""


def _folded(line: bytes) -> tuple[bytes, bytes]:
    """Name in small letters, and value: a peer may write names in its own way."""
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")


def _got_problem(got: Got, answers: Stream, finals: list[Message], recording: Recording) -> str:
    statuses = tuple(message.status for message in finals)
    if statuses != got.statuses:
        return f"the client got {statuses or 'nothing'}"
    interim = tuple(m.status for m in answers.messages if m.status < 200 and m.status != 101)
    if got.interim is not None and interim != got.interim:
        return f"interim answers: {interim or 'none'}"
    if got.end and (recording.end != "open") is not (got.end == "closed"):
        return f"the connection was left {recording.end}"
    if got.tunnel is not None:
        if not answers.is_tunnel:
            return "no 101"
        return "" if answers.rest == got.tunnel else f"the tunnel brought {answers.rest[:40]!r}"
    return _message_problem(got, finals[0], recording) if finals else ""


def _message_problem(got: Got, first: Message, recording: Recording) -> str:
    if got.body is not None and first.body != got.body:
        return f"the client read another body: {first.body[:40]!r}"
    if not first.is_whole or (first.framed == "close" and recording.end != "fin"):
        return f"the answer never ended ({first.framed}, {recording.end})"
    if got.framed and first.framed != got.framed:
        return f"the answer was framed by {first.framed}"
    if got.trailer is not None and first.trailer != got.trailer:
        return f"the trailer was {first.trailer!r}"
    return _lines_problem(first, got.has, got.lacks, "the client")


def _refused(wants: Refused, case: Case, recording: Recording) -> Verdict:  # noqa: PLR0911 - a return for each outcome
    seen = _seen(recording)
    if isinstance(seen, NotCleanError):
        return Verdict(wants.harm, f"the store saw no clean stream: {seen}")
    raw = b"".join(side.data for side in recording.stores).lower()
    if wants.hazard and wants.hazard in raw:
        return Verdict(wants.harm, f"the store saw `{wants.hazard.decode('latin-1')[:40]}`")
    answers = _answers(case, recording)
    if isinstance(answers, Verdict):
        return Verdict(wants.harm, answers.reason)
    finals = _finals(answers)
    requests = [message for stream in seen for message in stream.messages]
    whole = [message for message in requests if message.is_whole]
    good = [message for message in finals if message.status < 400]
    if len(whole) > max(len(finals), wants.before):
        return Verdict(
            wants.harm, f"the store saw {len(whole)} requests, the client {len(finals)} answers"
        )
    if len(whole) > wants.before:
        return Verdict(wants.mended, f"forwarded, {len(whole)} clean requests")
    if len(good) > wants.before:
        return Verdict(Grade.WRONG, f"answered {good[-1].status} without a whole request")
    if raw and not wants.is_begun and not wants.before:
        return Verdict(Grade.LAX, "the store saw a beginning of it")
    return _refusal(wants, finals[wants.before :], recording)


def _refusal(wants: Refused, finals: list[Message], recording: Recording) -> Verdict:
    if not finals:
        if recording.end == "open":
            return Verdict(Grade.WRONG, "neither answered nor closed")
        return Verdict(Grade.SAFE, "closed without a word")
    status = finals[0].status
    if recording.end == "open":
        return Verdict(Grade.LAX, f"{status}, but the connection goes on")
    if status not in wants.statuses:
        return Verdict(Grade.SAFE, f"refused with {status}")
    return RIGHT


def _unusable(wants: Unusable, case: Case, recording: Recording) -> Verdict:  # noqa: PLR0911 - a return for each outcome
    if wants.never and wants.never in recording.client.lower():
        return Verdict(wants.harm, f"the client saw `{wants.never.decode('latin-1')[:40]}`")
    answers = _answers(case, recording)
    if isinstance(answers, Verdict):
        return Verdict(wants.harm, answers.reason)
    finals = _finals(answers)
    if not finals:
        if recording.end == "open":
            return Verdict(Grade.WRONG, "neither answered nor closed")
        return Verdict(Grade.SAFE, "closed without a word")
    if finals[0].status in wants.statuses:
        return RIGHT
    if finals[0].status >= 500:
        return Verdict(Grade.SAFE, f"answered {finals[0].status}")
    if _is_cut(finals[0], recording):
        return Verdict(Grade.SAFE, "the answer was cut off")
    if not finals[0].is_whole:
        return Verdict(Grade.WRONG, "the answer never ended")
    if len(finals) > case.answers:
        return Verdict(Grade.DANGEROUS, "the client got an answer too many")
    return Verdict(wants.passed, f"passed on as {finals[0].status}")


def _is_cut(message: Message, recording: Recording) -> bool:
    if message.framed == "close":
        return recording.end == "reset"
    return not message.is_whole and recording.end != "open"


def _cut(wants: Cut, case: Case, recording: Recording) -> Verdict:  # noqa: PLR0911 - a return for each outcome
    answers = _answers(case, recording)
    if isinstance(answers, Verdict):
        return answers
    finals = _finals(answers)
    if not finals and recording.end != "open":
        return RIGHT
    if not finals:
        return Verdict(Grade.WRONG, "left open")
    if finals[0].status in (502, 503, 504) or _is_cut(finals[0], recording):
        return RIGHT
    if finals[0].framed == "close" and recording.end == "fin":
        return Verdict(wants.passed, "half an answer looks whole")
    if finals[0].is_whole:
        return Verdict(wants.passed, f"passed as a whole answer ({finals[0].framed})")
    return Verdict(Grade.WRONG, "left open in the middle of an answer")


def _answered(wants: Answered, case: Case, recording: Recording) -> Verdict:
    answers = _answers(case, recording)
    if isinstance(answers, Verdict):
        return answers
    problem = _got_problem(wants.got, answers, _finals(answers), recording)
    return Verdict(Grade.WRONG, problem) if problem else RIGHT


def _cancelled(recording: Recording) -> Verdict:
    if not any(side.data for side in recording.stores):
        return Verdict(Grade.SAFE, "the store never heard of it")
    if recording.stalls or all(side.end == "open" for side in recording.stores):
        return Verdict(Grade.WRONG, "the store's work went on")
    return RIGHT
