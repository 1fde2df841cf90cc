"""Routing tables for tests, built from values."""

from __future__ import annotations

from proxy.routing import (
    Domain,
    KeyKind,
    Pilot,
    RequestHead,
    Route,
    RoutingTable,
    ShadowPolicy,
    ShopperKey,
    Side,
    Stage,
    Store,
)

STORES = {
    Side.LEGACY: Store(Side.LEGACY, "http://127.0.0.1:1"),
    Side.CORE: Store(Side.CORE, "http://127.0.0.1:2/facade"),
}
SHOPPER = (
    ShopperKey(KeyKind.HEADER, "x-customer-id"),
    ShopperKey(KeyKind.COOKIE, "sessionid"),
)
STAFF = Pilot((("x-banyan-pilot", "internal"),))


def domain(
    name: str = "catalog",
    stage: Stage = Stage.CANARY,
    share: int = 0,
    *,
    paths: tuple[str, ...] = (),
    methods: tuple[str, ...] = ("GET",),
    pilots: tuple[Pilot, ...] = (STAFF,),
    shadow: ShadowPolicy | None = None,
) -> Domain:
    """A domain that owns `/NAME/{id}`, or the given paths."""
    routes = tuple(Route(name, path, methods) for path in paths or (f"/{name}/{{id}}",))
    return Domain(
        name=name,
        owner="someone",
        stage=stage,
        routes=routes,
        core_share_bp=share,
        pilots=pilots,
        shadow=shadow or ShadowPolicy(),
    )


def table(*domains: Domain, revision: str = "0123456789ab") -> RoutingTable:
    """A table of these domains."""
    return RoutingTable(domains, STORES, SHOPPER, revision)


def head(
    path: str = "/catalog/7",
    *,
    method: str = "GET",
    shopper: str | None = None,
    request_id: str = "r-1",
    **headers: str,
) -> RequestHead:
    """A request's head; `x_banyan_pilot="internal"` becomes the header of that name."""
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    if shopper is not None:
        found["x-customer-id"] = shopper
    return RequestHead(method, path, found, "", request_id)
