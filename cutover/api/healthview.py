"""Health figures as pages show them: a value for each side, a definition, a window."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.api.figures import count, counted, lasting, milliseconds, percent_of_ppm
from cutover.core.health import LEAST_ANSWERS, QUANTILES, Between, Share, SideHealth, health
from proxy.routing import Domain, Side

TOO_FEW = "not enough data yet"


@dataclass(frozen=True, slots=True)
class HealthValue:
    """A value of one side. `known` is False for one that there is not enough of."""

    text: str
    known: bool
    ppm: int | None = None


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One figure of both sides, and what it means."""

    name: str
    legacy: HealthValue
    core: HealthValue
    meaning: str


@dataclass(frozen=True, slots=True)
class HealthView:
    """The figures of a domain.

    Attributes:
        window: of the time that they are true of, half a sentence.
        rows: empty while the proxy never told what it counted.
    """

    window: str
    rows: tuple[HealthRow, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same on a line each, for the report."""
        return tuple(
            f"{row.name}: legacy {row.legacy.text}, core {row.core.text}." for row in self.rows
        )


def health_view(
    domain: Domain, between: Between | None, order_routes: frozenset[str]
) -> HealthView:
    """Decide what is told of a domain's health."""
    if between is None:
        return HealthView("The proxy has not told yet what it counted.")
    places_orders = any(route.name in order_routes for route in domain.routes)
    found = health(between, domain.name, places_orders=places_orders)
    legacy, core = found[Side.LEGACY], found[Side.CORE]
    rows = [
        HealthRow(
            "Answered without an error",
            _share(legacy.answered, "answer"),
            _share(core.answered, "answer"),
            "Requests that the side answered with a status below 500. What legacy answered in"
            " the core's place counts as the core's error.",
        )
    ]
    if legacy.completed is not None and core.completed is not None:
        rows.append(
            HealthRow(
                "Orders completed",
                _share(legacy.completed, "attempt"),
                _share(core.completed, "attempt"),
                "Of the requests that place an order, those answered with a status below 400."
                " A declined card is among the others: compare the sides.",
            )
        )
        rows += [_times(legacy, core, number) for number in range(len(QUANTILES))]
    return HealthView(_window(between), tuple(rows))


def _window(between: Between) -> str:
    if between.elapsed_s is None:
        return "Since the proxy began to count."
    return f"Of the last {lasting(between.elapsed_s)}."


def _share(found: Share, noun: str) -> HealthValue:
    if found.ppm is None:
        return HealthValue(f"{TOO_FEW} ({count(found.of)} of {LEAST_ANSWERS} {noun}s)", False)
    return HealthValue(f"{percent_of_ppm(found.ppm)} of {counted(found.of, noun)}", True, found.ppm)


def _times(legacy: SideHealth, core: SideHealth, number: int) -> HealthRow:
    ppm, least = QUANTILES[number]
    return HealthRow(
        f"{ppm // 10_000} % of orders within",
        _time(legacy, number),
        _time(core, number),
        "From the last byte of the request that places an order to its answer's last; the bound"
        f" of a bucket, so rather more than less. Told from {least} attempts on.",
    )


def _time(side: SideHealth, number: int) -> HealthValue:
    bound_us = side.times_us[number]
    if bound_us is not None:
        return HealthValue(milliseconds(bound_us / 1_000), True)
    least = QUANTILES[number][1]
    of = side.completed.of if side.completed else 0
    if of < least:
        return HealthValue(f"{TOO_FEW} ({count(of)} of {least} attempts)", False)
    return HealthValue("longer than any bucket", True)
