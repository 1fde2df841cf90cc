"""`banyan drift` and `banyan repair`: what differs, and taking it across anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shadow_compare.cli import AsJson, Database, DomainName, _fail, _print_json, _settings
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import DriftState
from shadow_compare.reconcile_cli import Core, Legacy, domains_of, places_of, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from shadow_compare.core.drift_plan import RepairPlan
    from shadow_compare.core.drift_record import Drift, DriftSample
    from shadow_compare.edge.reconcile_opening import Places
    from shadow_compare.service.repairing import Repaired, RepairWish
    from shadow_compare.storage.reconcile_books import SqlReconcileBooks

DriftName = Annotated[str, typer.Argument(metavar="ID", help="The difference, or its beginning.")]


def list_drift(
    domain: DomainName = None,
    drift: Annotated[
        DriftClass | None, typer.Option("--class", help="Only this class.", case_sensitive=False)
    ] = None,
    state: Annotated[DriftState, typer.Option(help="Only in this state.")] = DriftState.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="Differences to list.")] = 100_000,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what differs between both stores, the dearest first.

    Example: banyan drift orders --class VALUE --json
    """
    from rich.console import Console

    from shadow_compare.edge.reconcile_report import drift_json, print_drifts

    async def read() -> Sequence[Drift]:
        async with _books(database) as books:
            return await books.drifts(domain, drift=drift, state=state, limit=limit)

    found = run(read())
    if as_json:
        _print_json([drift_json(one) for one in found])
    else:
        print_drifts(Console(highlight=False), found)


def show(drift_id: DriftName, database: Database = None, as_json: AsJson = False) -> None:
    """Open one difference: its fields on both sides, personal data hidden.

    Example: banyan drift show d3f2a
    """
    from rich.console import Console

    from shadow_compare.edge.reconcile_report import drift_json, print_drift

    async def read() -> tuple[Drift, Sequence[DriftSample]] | None:
        async with _books(database) as books:
            return await books.drift(drift_id)

    found = run(read())
    if found is None:
        _fail(f"no difference, or more than one, begins with {drift_id}; see banyan drift")
    if not as_json:
        print_drift(Console(highlight=False), *found)
        return
    held = [{"path": one.path, "owner": one.owner, "other": one.other} for one in found[1]]
    _print_json(drift_json(found[0]) | {"samples": held})


def accept(
    drift_id: DriftName,
    reason: Annotated[str, typer.Option(help="Why it may stay.")],
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let a difference be, while it is the same: another class or other fields open it again.

    Example: banyan drift accept d3f2a --reason "a test order, to be deleted in May"
    """
    from shadow_compare.edge.reconcile_report import drift_json

    if not reason.strip():
        _fail("--reason says why it may stay")

    async def move() -> Drift:
        async with _books(database) as books:
            return await books.accept(drift_id, _settings().actor_name(), reason)

    found = run(move())
    if as_json:
        _print_json(drift_json(found))
    else:
        typer.echo(f"{found.id}: {found.state} by {found.said_by}")


def repair(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose differences.")],
    apply: Annotated[
        bool, typer.Option("--apply/--plan", help="Do it. Without it only the plan is shown.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--id", help="Only these differences; may be repeated.")
    ] = None,
    approve_up_to: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help='Money that may be moved, e.g. "1000.00 EUR". Default:'
            " BANYAN_REPAIR_LIMIT, or nothing.",
        ),
    ] = None,
    cause: Annotated[
        str, typer.Option(help="What made so many differences; a storm asks for it.")
    ] = "",
    rate: Annotated[float, typer.Option(min=0.1, help="Aggregates a second.")] = 200.0,
    legacy: Legacy = None,
    core: Core = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take what differs across anew, from the owner, through the applier, and look again.

    Shows the plan and changes nothing until --apply. Exit status: 0 done, or nothing stands
    against the plan; 1 something does, or something is still different.

    Example: banyan repair orders --apply --approve-up-to "1000.00 EUR"
    """
    import secrets

    from shadow_compare.core.drift_plan import Allowed
    from shadow_compare.service.repairing import RepairWish

    limit = _settings().repair_limit if approve_up_to is None else approve_up_to
    wish = RepairWish(
        f"r{secrets.token_hex(6)}",
        _settings().actor_name(),
        Allowed(_amounts(limit), cause),
        frozenset(only) if only else None,
        rate,
    )
    work = _repair(places_of(legacy, core, database), domain, wish, wants_apply=apply)
    plan, done = run(work)
    _tell(plan, done, as_json=as_json)
    if plan.obstacles or (done is not None and done.left):
        raise typer.Exit(1)


async def _repair(
    places: Places, domain: str, wish: RepairWish, *, wants_apply: bool
) -> tuple[RepairPlan, Repaired | None]:
    from dataclasses import replace

    from shadow_compare.edge.reconcile_opening import open_reconciliation
    from shadow_compare.service.repairing import Repairer

    async with open_reconciliation(places) as opened:
        domains_of(opened, domain)
        repairer = Repairer(opened.looker(domain), opened.books)
        if wish.ids is not None:
            found = [await opened.books.drift(one) for one in sorted(wish.ids)]
            wish = replace(wish, ids=frozenset(one[0].id for one in found if one is not None))
        plan = await repairer.plan(wish)
        if not wants_apply or plan.obstacles:
            return plan, None
        return plan, await repairer.apply(wish)


def _tell(plan: RepairPlan, done: Repaired | None, *, as_json: bool) -> None:
    from rich.console import Console

    from shadow_compare.edge.reconcile_report import plan_json, print_plan

    if as_json:
        did = None if done is None else {"repaired": done.repaired, "left": list(done.left)}
        _print_json(plan_json(plan) | {"done": did})
        return
    print_plan(Console(highlight=False), plan)
    if done is not None:
        typer.echo(f"{done.repaired:,} repaired, {len(done.left):,} still differ")


def _amounts(text: str) -> Mapping[str, int]:
    from shadow_compare.core.drift_money import amounts

    try:
        return amounts(text)
    except ValueError as exc:
        _fail(f"--approve-up-to: {exc}")


def _books(database: str | None) -> AbstractAsyncContextManager[SqlReconcileBooks]:
    from shadow_compare.app import open_reconcile_books

    return open_reconcile_books(database or _settings().evidence_url())
