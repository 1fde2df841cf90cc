"""Read what a domain risks, and which rules there are about its data."""

from __future__ import annotations

import re

from proxy.routing.gating import (
    BOUND,
    Checkpoint,
    Compliance,
    DataClass,
    Level,
    Risk,
    RiskState,
)
from proxy.routing.model import Domain, Side, Stage, Store
from proxy.routing.nodes import Node
from proxy.routing.values import Reader, listed, shown

_REGION = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_RISK_KEYS = ("id", "what", "likelihood", "impact", "owner", "state", "mitigation", "review")


def parse_region(reader: Reader, key: str, node: Node) -> str | None:
    """A region's name, e.g. ca-central."""
    text = reader.text(node, key)
    if text is not None and not _REGION.fullmatch(text):
        what = f"{shown(text)} is no name of a region."
        reader.note(node.line, key, what, "Use a-z, 0-9 and -, like ca-central.")
        return None
    return text


def parse_risks(reader: Reader, key: str, node: Node | None) -> tuple[Risk, ...]:
    """Read `risks`."""
    found: list[Risk] = []
    for index, item in enumerate(() if node is None else reader.items(node, key)):
        risk = _risk(reader, f"{key}[{index}]", item)
        if risk is None:
            continue
        if risk.id in {other.id for other in found}:
            what = f"There are two risks {shown(risk.id)}."
            reader.note(item.line, f"{key}[{index}].id", what, "Give each an id of its own.")
        found.append(risk)
    return tuple(found)


def _risk(reader: Reader, key: str, node: Node) -> Risk | None:
    fields = reader.fields(node, key, _RISK_KEYS)
    if fields is None:
        return None
    for name, fix in (
        ("id", "Write id: R1."),
        ("what", "Say what could go wrong."),
        ("likelihood", f"Write {listed(Level)}."),
        ("impact", f"Write {listed(Level)}."),
        ("owner", "Name who looks after it."),
    ):
        if name not in fields:
            reader.missing(node.line, key, name, fix)
    risk_id, what, owner, mitigation = (
        reader.text(fields[one], f"{key}.{one}") if one in fields else ""
        for one in ("id", "what", "owner", "mitigation")
    )
    likelihood, impact = (
        reader.choice(fields[one], f"{key}.{one}", Level) if one in fields else None
        for one in ("likelihood", "impact")
    )
    state: RiskState | None = RiskState.OPEN
    if "state" in fields:
        state = reader.choice(fields["state"], f"{key}.state", RiskState)
    review = reader.day(fields["review"], f"{key}.review") if "review" in fields else None
    if state in (RiskState.MITIGATED, RiskState.ACCEPTED) and not mitigation:
        fix = "Say what was done about it, or why it is accepted."
        reader.missing(fields["state"].line, key, "mitigation", fix)
    if not (risk_id and what and owner and likelihood and impact and state) or mitigation is None:
        return None
    return Risk(risk_id, what, likelihood, impact, owner, state, mitigation, review)


def parse_compliance(reader: Reader, key: str, node: Node | None) -> Compliance | None:
    """Read `compliance`."""
    fields = None
    if node is not None:
        fields = reader.fields(node, key, ("data_class", "regions", "checkpoints"))
    if node is None or fields is None:
        return None
    if "data_class" not in fields:
        reader.missing(node.line, key, "data_class", f"Write {listed(DataClass)}.")
        return None
    data_class = reader.choice(fields["data_class"], f"{key}.data_class", DataClass)
    regions = reader.each(fields.get("regions"), f"{key}.regions", parse_region)
    checkpoints = reader.each(fields.get("checkpoints"), f"{key}.checkpoints", _checkpoint)
    if data_class in BOUND and not regions:
        what = f"Nothing says where {data_class} data may be."
        reader.note(node.line, f"{key}.regions", what, "Write regions: [ca-central].")
    if data_class is None:
        return None
    return Compliance(data_class, regions, checkpoints)


def _checkpoint(reader: Reader, key: str, node: Node) -> Checkpoint | None:
    fields = reader.fields(node, key, ("what", "done", "by", "reference"))
    if fields is None:
        return None
    if "what" not in fields:
        fix = "Say what has to be done, e.g. privacy impact assessment."
        reader.missing(node.line, key, "what", fix)
    what, by, reference = (
        reader.text(fields[one], f"{key}.{one}") if one in fields else ""
        for one in ("what", "by", "reference")
    )
    done = reader.day(fields["done"], f"{key}.done") if "done" in fields else None
    if done is not None and not by:
        reader.missing(fields["done"].line, key, "by", "Name who says that it is done.")
    if not what or by is None or reference is None:
        return None
    return Checkpoint(what, done, by, reference)


def report_residency(
    reader: Reader, stores: dict[Side, Store], domains: tuple[tuple[Domain, int], ...]
) -> None:
    """Note domains whose data would go to a store outside its regions.

    Legacy has the data in every stage. The core gets it from shadow on: it is asked what
    shoppers ask.
    """
    for domain, line in domains:
        rules = domain.compliance
        if rules is None or not rules.regions:
            continue
        key = f"domains.{domain.name}.compliance.regions"
        sides = (Side.LEGACY,) if domain.stage is Stage.LEGACY else (Side.LEGACY, Side.CORE)
        for side in sides:
            store = stores.get(side)
            if store is None or store.region in rules.regions:
                continue
            where = f"stands in {store.region}" if store.region else "does not say where it stands"
            allowed = " or ".join(rules.regions)
            reader.note(
                line,
                key,
                f"In stage {domain.stage} {rules.data_class} data of {domain.name} goes to"
                f" {side}, which {where}, and it may only be in {allowed}.",
                f"Write stores.{side}.region, or leave the domain in a stage that stays there.",
            )
