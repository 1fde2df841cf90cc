"""The room's cookies: for this host only, out of reach of scripts and of other pages' forms."""

from __future__ import annotations

from starlette.datastructures import Headers

SESSION = "banyan-room"
#: What must be remembered while somebody is at the issuer's.
AWAY = "banyan-room-away"


def cookie(headers: Headers, name: str, *, is_secure: bool) -> str:
    """A cookie's value; "" where there is none.

    Over https only the name counts that no plain page of this host can have set.
    """
    wanted = _named(name, is_secure=is_secure)
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == wanted:
            return value.strip().strip('"')
    return ""


def set_cookie(name: str, value: str, *, is_secure: bool, lasts_s: int | None = None) -> str:
    """The value of a Set-Cookie header; without `lasts_s` it ends with the browser."""
    parts = [f"{_named(name, is_secure=is_secure)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if is_secure:
        parts.append("Secure")
    if lasts_s is not None:
        parts.append(f"Max-Age={lasts_s}")
    return "; ".join(parts)


def drop_cookie(name: str, *, is_secure: bool) -> str:
    """The value of a Set-Cookie header that takes a cookie away."""
    return set_cookie(name, "", is_secure=is_secure, lasts_s=0)


def _named(name: str, *, is_secure: bool) -> str:
    return f"__Host-{name}" if is_secure else name
