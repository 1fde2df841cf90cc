"""`banyan report`: one file that a leader reads, prints and passes on."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cutover.api.reportview import Report
    from cutover.settings import CutoverSettings


def report(
    html: Annotated[
        Path | None, typer.Option(help="Write HTML there; default: reports/ in BANYAN_VAR.")
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option(help="Print a PDF there, with a Chromium of this machine.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(help="7d, 36h, 4w or a day; default: 7d, of one domain its whole way."),
    ] = "",
    domain: Annotated[str, typer.Option(help="Only this one.")] = "",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The table in force; default: applied.yaml in var."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; files only where they are named.")
    ] = False,
) -> None:
    """Say where every domain stands, what changed and what is next, on a page to pass on.

    A source that does not answer is named in it. BANYAN_CHROMIUM names what prints.

    Example: banyan report --since 7d --pdf monday.pdf
    """
    from cutover.api.rendering import Renderer
    from cutover.api.reporttwin import report_twin
    from cutover.core.window import NoSuchTime
    from cutover.edge.printing import find_printer, print_pdf
    from cutover.settings import load_settings

    settings = load_settings()
    printer = find_printer(settings.environment) if pdf is not None else None
    try:
        view = asyncio.run(_made(settings, config, since, domain))
    except NoSuchTime as exc:
        raise typer.BadParameter(str(exc), param_hint="--since") from exc
    page = Renderer().report_file(view)
    written = [html] if html is not None else []
    if html is None and pdf is None and not as_json:
        name = f"{domain}-" if domain else ""
        folder = settings.var / "reports"
        written = [folder / f"report-{name}{view.window.until:%Y-%m-%d}.html"]
    for target in written:
        _write(target, page)
    if pdf is not None and printer is not None:
        pdf.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="banyan-report-") as folder_name:
            source = Path(folder_name) / "report.html"
            source.write_text(page, encoding="utf-8")
            print_pdf(printer, source, pdf)
        written.append(pdf)
    for target in written:
        typer.echo(f"The report is in {target}", err=as_json)
    if as_json:
        typer.echo(json.dumps(report_twin(view), ensure_ascii=False, indent=2))


async def _made(settings: CutoverSettings, config: Path | None, since: str, domain: str) -> Report:
    from cutover.api.reportgather import make_report
    from cutover.api.sources import Places, clock_s, open_sources

    places = Places(
        config=config or settings.applied,
        database=settings.evidence_database,
        side_door=settings.side_door,
        revisions=settings.revisions,
        core=settings.core_database,
        order_routes=settings.order_routes,
    )
    async with open_sources(places) as sources:
        return await make_report(
            sources.gatherer, sources.data, clock_s, since=since, domain=domain
        )


def _write(target: Path, page: str) -> None:
    """Whole or not at all."""
    from cutover.storage.durable import write_draft

    target.parent.mkdir(parents=True, exist_ok=True)
    write_draft(target, page.encode()).replace(target)
