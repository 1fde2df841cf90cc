"""Write the head that goes to a store."""

from __future__ import annotations

from proxy.core.head import Request


def store_head(
    request: Request, prefix: bytes, authority: bytes, request_id: bytes, asker: bytes
) -> bytes:
    """The head that goes to a store.

    Fields keep their order, case and repetitions; what concerns one connection only, and
    what a client may not say, is left out; what the proxy says comes last, after that
    removal, so that no Connection field can name it.

    Args:
        request: as read by `read_request`.
        prefix: path of the store's URL, without a slash at its end.
        authority: the store's own, for the HTTP/1.0 client that names no host.
        request_id: sent when the request has no usable one of its own.
        asker: who asks, of `asker_lines`.
    """
    start = request.start
    if prefix and request.target != b"*":
        start = b"%b %b%b HTTP/1.1\r\n" % (request.method.encode("ascii"), prefix, request.target)
    if (
        request.host is not None
        and request.request_id is None
        and request.minor
        and not request.kept_forwarded
        and not request.forwarded_for
        and not request.is_chunked
        and not request.upgrade
        and not request.wants_trailers
    ):
        return b"%b%b%bX-Forwarded-Host: %b\r\nX-Request-ID: %b\r\nVia: 1.1 banyan\r\n\r\n" % (
            start, request.lines, asker, request.host, request_id,
        )  # fmt: skip
    parts = [start]
    if request.host is None:
        parts += (b"Host: ", authority, b"\r\n")
    parts.append(request.lines)
    if request.is_chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if request.upgrade:
        parts += (b"Connection: Upgrade\r\nUpgrade: ", request.upgrade, b"\r\n")
    elif request.wants_trailers:
        parts.append(b"Connection: TE\r\nTE: trailers\r\n")
    parts.append(_with_chain(request, asker))
    if request.host is not None and "x-forwarded-host" not in request.kept_forwarded:
        parts += (b"X-Forwarded-Host: ", request.host, b"\r\n")
    if request.request_id is None:
        parts += (b"X-Request-ID: ", request_id, b"\r\n")
    parts.append(b"Via: 1.1 banyan\r\n\r\n" if request.minor else b"Via: 1.0 banyan\r\n\r\n")
    return b"".join(parts)


def asker_lines(peer: bytes, scheme: bytes) -> bytes:
    """What stores are told of a client's connection: the same for all its requests."""
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n" % (peer, scheme)


def _with_chain(request: Request, asker: bytes) -> bytes:
    """The asker's lines behind what a trusted peer said."""
    if request.forwarded_for:
        asker = asker.replace(b": ", b": %b, " % request.forwarded_for, 1)
    if "x-forwarded-proto" in request.kept_forwarded:
        asker = asker[: asker.index(b"\r\n") + 2]
    return asker


def retarget(request: Request, path: str) -> None:
    """Send the request on under another spelling of its path; the query stays."""
    target = path.encode("latin-1")
    if request.query:
        target += b"?" + request.query.encode("latin-1")
    request.target = target
    request.start = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), target)


def drop_cookies(request: Request, names: tuple[str, ...]) -> None:
    """Take cookies of ours out of what is passed on; a Cookie field left empty goes whole."""
    lines = []
    for raw in request.lines.split(b"\r\n")[:-1]:
        name, _, value = raw.partition(b":")
        if name.lower() != b"cookie":
            lines.append(raw)
            continue
        kept = [
            part.strip()
            for part in value.split(b";")
            if part.partition(b"=")[0].strip().decode("latin-1") not in names
        ]
        if kept:
            lines.append(name + b": " + b"; ".join(kept))
    request.lines = b"\r\n".join(lines) + b"\r\n" if lines else b""
