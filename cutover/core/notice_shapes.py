"""What goes over the wire for an event: headers, and a body in the shape that a hook asks for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from cutover.core.notice import Event

SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix, no secret
SECRET_BYTES = 32
#: With a mark of no width behind the @, it calls nobody.
_CALLS = re.compile(r"@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)


class Shape(StrEnum):
    """json: Standard Webhooks, signed. slack: what Slack's incoming webhooks take."""

    JSON = "json"
    SLACK = "slack"


def make_secret(random_bytes: bytes) -> str:
    """A secret as Standard Webhooks writes it; of 24 to 64 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def is_secret(text: str) -> bool:
    """Whether a text can sign."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:  # no base64, or letters that no base64 has
        return False
    return text.startswith(SECRET_PREFIX) and 24 <= len(key) <= 64


def body_of(event: Event, shape: Shape) -> bytes:
    """The body, the same each time that it is sent; a few kilobytes at most."""
    told = _slack(event) if shape is Shape.SLACK else _json(event)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(event: Event, secret: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of Standard Webhooks, for one try at `at`. The secret is one that signs."""
    return signed_headers(event.id, secret, at, body)


def signed_headers(name: str, secret: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of Standard Webhooks for a message of that id, sent at `at`."""
    seconds = int(at.timestamp())
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{name}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "banyan",
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }


def _json(event: Event) -> dict[str, Any]:
    at = event.at.isoformat(timespec="milliseconds")
    data = asdict(event)
    data["revision"] = data.pop("n")
    for key in ("kind", "at"):
        del data[key]
    return {"type": event.kind, "timestamp": at, "data": data}


def _slack(event: Event) -> dict[str, Any]:
    said = [f"*{_slack_text(event.sentence)}*"]
    if event.reason:
        said.append(f"Why: {_slack_text(event.reason)}")
    by = f"by {_slack_text(event.actor)}, {event.at:%Y-%m-%d %H:%M} UTC"
    if event.n:
        by += f", revision {event.n}"
    if event.link:
        by += f", <{event.link}|control room>"
    return {
        "text": _slack_text(event.sentence),
        "link_names": False,
        "blocks": [
            {"type": "section", "text": _mrkdwn("\n".join(said))},
            {"type": "context", "elements": [_mrkdwn(by)]},
        ],
    }


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: names of people and channels in somebody's reason are no calls.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack_text(text: str) -> str:
    """A text that Slack shows as it is: no links, no calls to here, channel or everyone."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\u200b", escaped)
