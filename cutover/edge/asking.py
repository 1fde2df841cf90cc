"""Ask another system by HTTP whether a step may be taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import aiohttp

from cutover.core.notice_shapes import is_secret, signed_headers
from cutover.core.outside_gates import Said
from cutover.core.strata import Verdict
from cutover.ports.outside import StepAsked
from proxy.routing import WebhookGate

_MOST_BYTES = 65_536
_MOST_SENTENCES, _MOST_CHARACTERS = 5, 300
_SHAPE = '{"verdict": "pass", "reason": "..."} with pass, fail or inconclusive'


Secret = Callable[[str], str | None]


async def ask_webhook(gate: WebhookGate, step: StepAsked, secret: Secret) -> Said:
    """What the system behind a gate says of a step. Never raises.

    It gets a POST with the step as JSON, signed where the gate names a secret. Only a 200
    with a verdict counts: an error, a redirect, silence and anything unreadable are
    inconclusive, each saying what came. Without the secret nobody is asked: whoever checks
    signatures would be right to refuse.

    `secret` gives the value of a variable, None when it is not set.
    """
    body = json.dumps(question(step), separators=(",", ":")).encode()
    headers = _headers(gate, step, body, secret)
    if isinstance(headers, str):
        return Said(Verdict.INCONCLUSIVE, (f"{gate.url} was not asked: {headers}",))
    timeout = aiohttp.ClientTimeout(total=gate.timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(gate.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            told = await answer.content.read(_MOST_BYTES + 1)
            while len(told) <= _MOST_BYTES and (more := await answer.content.read(_MOST_BYTES)):
                told += more
            status = answer.status
    except TimeoutError:
        return _silent(gate, f"no answer within {gate.timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        return _silent(gate, str(exc) or type(exc).__name__)
    if status != 200:
        return _silent(gate, f"it answered with status {status}")
    if len(told) > _MOST_BYTES:
        return _silent(gate, f"its answer is longer than {_MOST_BYTES:,} bytes")
    return read_answer(gate, told)


def question(step: StepAsked) -> dict[str, Any]:
    """What another system is told of a step."""
    return {
        "type": "banyan.step",
        "domain": step.domain,
        "from": {"stage": str(step.before.stage), "core_share": step.before.core_share_bp / 10_000},
        "to": {"stage": str(step.after.stage), "core_share": step.after.core_share_bp / 10_000},
        "actor": step.actor,
        "desired_revision": step.desired,
        "at": step.at.isoformat(timespec="seconds"),
    }


def read_answer(gate: WebhookGate, body: bytes) -> Said:
    """A verdict from the bytes that another system answered."""
    try:
        told = json.loads(body)
        verdict = Verdict(told["verdict"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _silent(gate, f"its answer is not {_SHAPE}")
    reason = told.get("reason", "")
    reasons = reason if isinstance(reason, list) else [reason]
    sentences = [_line(one) for one in reasons[:_MOST_SENTENCES] if isinstance(one, str) and one]
    return Said(verdict, tuple(sentences) or (f"{gate.url} says {verdict} and no reason",))


def _silent(gate: WebhookGate, what: str) -> Said:
    return Said(Verdict.INCONCLUSIVE, (f"{gate.url} did not say: {what}",))


def _headers(
    gate: WebhookGate, step: StepAsked, body: bytes, secret: Secret
) -> Mapping[str, str] | str:
    """What goes with a question, or why it cannot be signed."""
    if gate.secret_env is None:
        return {"content-type": "application/json", "user-agent": "banyan"}
    key = secret(gate.secret_env)
    if key is None:
        return f"{gate.secret_env}, whose secret signs the question, is not set here"
    if not is_secret(key):
        return f"{gate.secret_env} holds no secret; it begins with whsec_, base64 behind it"
    return signed_headers(_id(body, step), key, step.at, body)


def _id(body: bytes, step: StepAsked) -> str:
    """The same for the same question; another for the next plan's."""
    return f"step-{sha256(step.at.isoformat().encode() + body).hexdigest()[:24]}"


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_CHARACTERS]
