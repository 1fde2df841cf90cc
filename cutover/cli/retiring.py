"""`banyan retire`: proves that nobody needs a legacy slice, archives it, and signs that."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.app.retiring import Wish
    from cutover.core.retirement import Finding

REFUSED = 3

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def run(
    domain: Annotated[str, typer.Argument(help="What retires: catalog, customers, orders.")],
    days: Annotated[int, typer.Option(min=1, help="For how long nobody may have used it.")],
    archive: Annotated[Path, typer.Option(help="A new folder for rows and certificate.")],
    key: Annotated[Path, typer.Option(help="The key that signs; made on first use.")],
    accept_unshown: Annotated[
        str, typer.Option(help="Why what nothing can tell may stand; the certificate has it.")
    ] = "",
    actor: Annotated[str | None, typer.Option(help="Who the certificate names.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _Json = False,
) -> None:
    """Prove that a domain's legacy slice is not used, archive it, and sign a certificate.

    Exit codes: 0 done; 1 failed; 3 refused, nothing was written.

    Example: banyan retire orders --days 30 --archive /srv/orders --key retire.pem
    """
    import asyncio

    from cutover.app.retiring import Wish

    name = actor or load_settings().actor
    wish = Wish(domain, days, archive, key, name, accept_unshown)
    raise typer.Exit(asyncio.run(_run(wish, yes=yes, as_json=as_json)))


def sample(as_json: _Json = False) -> None:
    """Look once, as the control room does every minute, e.g. from a timer.

    Example: banyan retire sample
    """
    import asyncio

    from cutover.app.retiring import open_retirement

    async def look() -> int:
        async with open_retirement(load_settings()) as sampler:
            return await sampler.sample()

    many = asyncio.run(look())
    if as_json:
        typer.echo(json.dumps({"sampled": many}))
    else:
        typer.echo(f"{many} domains that the core owns were looked at")


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a retirement.")],
    public: Annotated[
        str, typer.Option(help="The public key that must have signed, as retire printed it.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """Check a retirement's signature, and each file against it. Exit code 1: something is wrong.

    Example: banyan retire verify /srv/orders
    """
    from cutover.storage.certificate import verify as check

    told, problems = check(folder, public)
    if as_json:
        typer.echo(json.dumps({"certificate": told, "problems": problems}))
    elif problems:
        for problem in problems:
            typer.echo(f"  - {problem}")
    else:
        files = told["files"]
        typer.echo(f"{told['domain']}: signed by {told['key']}; {len(files)} files are as signed")
        if not public:
            typer.echo("Anybody can sign: compare the key, or name it with --public.")
    raise typer.Exit(1 if problems else 0)


async def _run(wish: Wish, *, yes: bool, as_json: bool) -> int:
    from cutover.app.retiring import check_known, open_retirement, retire
    from cutover.core.retirement import judge, stands_against

    settings = load_settings()
    async with open_retirement(settings) as sampler:
        check_known(sampler, wish.domain)
        case = await sampler.case(wish.domain, wish.days)
        found = judge(case)
        against = stands_against(found, wish.accepted)
        _say(found, against, as_json=as_json)
        if against or not (yes or _agreed(wish)):
            return REFUSED
        digest = await retire(settings, sampler, wish, case, found)
    if as_json:
        typer.echo(json.dumps({"certificate": digest, "folder": str(wish.folder)}))
    else:
        typer.echo(f"Signed: {wish.folder / 'certificate.json'}, sha256 {digest}")
        typer.echo(f"banyan retire verify {wish.folder} checks it; then its tables may go.")
    return 0


def _agreed(wish: Wish) -> bool:
    if not sys.stdin.isatty():
        typer.echo("nobody is there to say yes; say --yes to go on without asking", err=True)
        return False
    return typer.confirm(
        f"There is no way back: once the legacy's tables of {wish.domain} are deleted, only the"
        " archive has them. Go on?"
    )


def _say(found: Sequence[Finding], against: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(one) for one in found], "against": against}))
        return
    for one in found:
        typer.echo(f"  {one.state:<9} {one.name}: {one.told}")
    if against:
        typer.echo("Refused. What is not shown needs --accept-unshown REASON.")
