"""`banyan hooks`, `banyan notify`: who is told what becomes of domains."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.core.notice import EventKind
from cutover.core.notice_shapes import Shape
from cutover.errors import CutoverError
from cutover.settings import load_settings

if TYPE_CHECKING:
    from cutover.core.hook import Hook, Progress
    from cutover.ports.notices import PostAnswer

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="The hook, as banyan hooks list names it.")]


def add(
    url: Annotated[str, typer.Argument(help="Where notices are posted to.")],
    shape: Annotated[
        Shape, typer.Option(help="json: Standard Webhooks, signed. slack: for Slack's webhooks.")
    ] = Shape.JSON,
    event: Annotated[
        list[EventKind] | None, typer.Option(help="Only this kind; may be repeated. Default: all.")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="Only this domain; may be repeated. Default: all.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow http to another machine.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Tell a place what becomes of domains from now on. Prints its secret, this once.

    The control room sends while it runs, and so does banyan notify.

    Example: banyan hooks add https://ops.example/banyan --event rollback
    """
    from cutover import app
    from cutover.app.notifying import hooks_file
    from cutover.core.hook import url_problem
    from cutover.storage.hooks_file import Wanted

    problem = url_problem(url, insecure=insecure)
    if problem:
        raise CutoverError(f"nothing can be sent there: {problem}")
    settings = load_settings()
    books = app.books(settings)
    newest = next(iter(books.ledger.backwards()), None)
    hook = hooks_file(settings).add(
        Wanted(
            url=url,
            shape=shape,
            events=tuple(dict.fromkeys(map(str, event or ()))),
            domains=tuple(dict.fromkeys(domain or ())),
            after=0 if newest is None else newest[0],
            at=books.now(),
        )
    )
    if as_json:
        typer.echo(json.dumps({**_value(hook, None), "secret": hook.secret}, ensure_ascii=False))
        return
    typer.echo(f"Hook {hook.id} is told from revision {hook.after + 1} on.")
    typer.echo(f"Secret: {hook.secret}")
    typer.echo(f"Try it: banyan hooks test {hook.id}")


def list_hooks(as_json: _Json = False) -> None:
    """List who is told, and how that goes. Secrets and paths of URLs are not shown.

    Example: banyan hooks list
    """
    from cutover.app.notifying import hooks_file, notices_file

    settings = load_settings()
    hooks, known = hooks_file(settings).all(), notices_file(settings).read()
    if as_json:
        found = [_value(one, known.get(one.id)) for one in hooks]
        typer.echo(json.dumps({"hooks": found}, ensure_ascii=False))
        return
    for one in hooks:
        what = ", ".join(one.events) or "all"
        where = f" of {', '.join(one.domains)}" if one.domains else ""
        typer.echo(f"{one.id}  {one.shape}  {one.place}  {what}{where}: {_how(known.get(one.id))}")
    if not hooks:
        typer.echo("Nobody is told: banyan hooks add URL.")


def remove(name: _Id) -> None:
    """Tell a place nothing any more, also not what it still waits for.

    Example: banyan hooks remove h1a2b3c4d
    """
    from cutover.app.notifying import hooks_file

    gone = hooks_file(load_settings()).remove(name)
    typer.echo(f"Hook {gone.id} ({gone.place}) is told nothing any more.")


def try_out(name: _Id, as_json: _Json = False) -> None:
    """Send a test now, and say what came back. Exits with 1 when it was not taken.

    Example: banyan hooks test h1a2b3c4d
    """
    import asyncio

    from cutover import app
    from cutover.app.notifying import hooks_file

    settings = load_settings()
    hook = hooks_file(settings).get(name)
    answer = asyncio.run(_tried(hook, app.books(settings).now, settings.room_url))
    if as_json:
        told = {"hook": hook.id, "status": answer.status, "problem": answer.problem or None}
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif answer.problem:
        typer.echo(f"banyan: {hook.place} did not take it: {answer.problem}", err=True)
    else:
        typer.echo(f"{hook.place} took it: {answer.status}.")
    if answer.problem:
        raise typer.Exit(1)


def deliveries(
    name: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One hook. Default: all.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show the latest tries of each hook, newest last: the last 20 are kept.

    Example: banyan hooks deliveries
    """
    from cutover.app.notifying import hooks_file, notices_file
    from cutover.core.hook import Progress
    from cutover.storage.notices_file import progress_value

    settings = load_settings()
    file = hooks_file(settings)
    hooks = file.all() if name is None else (file.get(name),)
    known = notices_file(settings).read()
    if as_json:
        found = {
            one.id: progress_value(known.get(one.id, Progress(one.after)))["recent"]
            for one in hooks
        }
        typer.echo(json.dumps({"deliveries": found}, ensure_ascii=False))
        return
    lines = [
        f"{tried.at:%Y-%m-%d %H:%M:%S}  {one.id}  {tried.outcome:<9}  {tried.event}"
        + (f"  {tried.problem}" if tried.problem else "")
        for one in hooks
        if one.id in known
        for tried in known[one.id].recent
    ]
    typer.echo("\n".join(lines) or "Nothing was sent yet.")


def notify() -> None:
    """Tell hooks what the ledger says, until Ctrl-C. The control room does the same.

    Any number may run: one of them sends, and another takes over when it ends.

    Example: banyan notify
    """
    import asyncio

    from cutover.app.notifying import notify as telling

    settings = load_settings()
    try:
        asyncio.run(telling(settings, settings.room_url))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _tried(hook: Hook, now: Any, room_url: str) -> PostAnswer:
    from cutover.core.notice import trial_event
    from cutover.core.notice_shapes import body_of, headers_of
    from cutover.edge.post import open_post

    event = trial_event(hook.id, now(), room_url)
    body = body_of(event, hook.shape)
    async with open_post() as post:
        return await post(hook.url, headers_of(event, hook.secret, now(), body), body)


def _how(progress: Progress | None) -> str:
    if progress is None or not progress.recent:
        return "nothing was sent yet"
    last = progress.recent[-1]
    if progress.waiting_since is not None:
        since = f"{progress.waiting_since:%Y-%m-%d %H:%M}"
        return f"waits since {since} UTC, {progress.tries} tries in vain: {last.problem}"
    return f"{last.outcome.replace('_', ' ')}, {last.at:%Y-%m-%d %H:%M} UTC"


def _value(hook: Hook, progress: Progress | None) -> dict[str, Any]:
    from cutover.storage.notices_file import progress_value

    told = None if progress is None else progress_value(progress)
    return {
        "id": hook.id,
        "place": hook.place,
        "shape": str(hook.shape),
        "events": list(hook.events),
        "domains": list(hook.domains),
        "after": hook.after,
        "added_at": hook.added_at.isoformat(timespec="seconds"),
        "done_up_to": None if told is None else told["n"],
        "waiting_since": None if told is None else told["waiting_since"],
        "counts": {} if told is None else told["counts"],
    }
