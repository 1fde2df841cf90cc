"""`banyan routes check` and `banyan routes explain`: ask a routing file, change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from cutover.errors import CutoverError
from proxy.routing import RequestHead, Stage, decide, explanation, read_operation
from proxy.storage.tables import load_routing

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A routing file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def check(
    file: _File = Path("routing.yaml"),
    as_json: _Json = False,
) -> None:
    """Name everything that is wrong with a routing file: line, key, and what to write.

    Exits with 0 when the file can be applied, with 1 when it has problems.

    Example: banyan routes check routing.yaml
    """
    from dataclasses import asdict

    from proxy.errors import RoutingFileError

    try:
        table = load_routing(file)
    except RoutingFileError as exc:
        if as_json:
            problems = [asdict(problem) for problem in exc.problems]
            typer.echo(json.dumps({"ok": False, "problems": problems}, ensure_ascii=False))
        else:
            typer.echo("\n".join(map(str, exc.problems)), err=True)
        raise typer.Exit(1) from exc
    routes = sum(len(domain.routes) for domain in table.domains)
    if as_json:
        told = {"ok": True, "problems": [], "revision": table.revision}
        typer.echo(json.dumps({**told, "domains": len(table.domains), "routes": routes}))
        return
    stages = ", ".join(
        f"{count} in {stage}"
        for stage in Stage
        if (count := sum(domain.stage is stage for domain in table.domains))
    )
    typer.echo(
        f"{file}: good. {len(table.domains)} domains ({stages or 'none'}),"
        f" {routes} routes, revision {table.revision}."
    )


def explain(
    file: _File,
    method: Annotated[str, typer.Argument(help="GET, POST …")],
    target: Annotated[str, typer.Argument(help="Path with query, or a whole URL.")],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="May be repeated."),
    ] = None,
    body: Annotated[
        str | None, typer.Option("--body", help="A GraphQL request's body, as JSON.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Say what the proxy would do with a request, and why. Sends nothing.

    Example: banyan routes explain routing.yaml GET /api/products/7/ -H 'Session-Id: x'
    """
    table = load_routing(file)
    head = _head(method, target, header or [])
    if body is not None and table.look_ahead(head):
        kind = head.headers.get("content-type", "application/json")
        limit = table.graphql.max_tokens
        read = read_operation(head.method, kind, head.query, body.encode(), max_tokens=limit)
        head = replace(head, operation=read)
    told = explanation(decide(head, table))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for key, value in told.items():
        typer.echo(f"{key:>12}  {'-' if value is None else value}")


def _head(method: str, target: str, lines: list[str]) -> RequestHead:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise CutoverError(f"'{line}' is no header; write -H 'Session-Id: x'")
        # Joined as the proxy joins repeated fields.
        glue = "; " if name == "cookie" else ", "
        value = value.strip()
        headers[name] = f"{headers[name]}{glue}{value}" if name in headers else value
    path, _, query = target.partition("#")[0].partition("?")
    host = headers.get("host", "")
    if "://" in path:
        host, _, rest = path.split("://", 1)[1].partition("/")
        path = f"/{rest}"
    request_id = headers.get("x-request-id", "")
    return RequestHead(method.upper(), path, headers, query, request_id, host)
