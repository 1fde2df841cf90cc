"""Ask another system by HTTP whether a step may be taken."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from cutover.core.outside_gates import Said
from cutover.core.strata import Verdict
from cutover.ports.outside import StepAsked
from proxy.routing import WebhookGate

_MOST_BYTES = 65_536
_MOST_SENTENCES, _MOST_CHARACTERS = 5, 300
_SHAPE = '{"verdict": "pass", "reason": "..."} with pass, fail or inconclusive'


async def ask_webhook(gate: WebhookGate, step: StepAsked) -> Said:
    """What the system behind a gate says of a step. Never raises.

    It gets a POST with the step as JSON. Only a 200 with a verdict counts: an error, a
    redirect, silence and anything unreadable are inconclusive, each saying what came.
    """
    timeout = aiohttp.ClientTimeout(total=gate.timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(gate.url, json=question(step), allow_redirects=False) as answer,
        ):
            body = await answer.content.read(_MOST_BYTES + 1)
            while len(body) <= _MOST_BYTES and (more := await answer.content.read(_MOST_BYTES)):
                body += more
            status = answer.status
    except TimeoutError:
        return _silent(gate, f"no answer within {gate.timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        return _silent(gate, str(exc) or type(exc).__name__)
    if status != 200:
        return _silent(gate, f"it answered with status {status}")
    if len(body) > _MOST_BYTES:
        return _silent(gate, f"its answer is longer than {_MOST_BYTES:,} bytes")
    return read_answer(gate, body)


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


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_CHARACTERS]
