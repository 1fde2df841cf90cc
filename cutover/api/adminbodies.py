"""What requests of the admin API say, and what its answers look like."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from proxy.routing import Stage

#: One line of plain text: it stands in the ledger for good, and in people's terminals.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
NAME = r"^[a-z][a-z0-9_-]{0,62}$"
DIGITS = r"^[1-9][0-9]{0,8}$"
HEAD = r"^[0-9a-f]{12,64}$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_LINE)]
Actor = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=8_000_000)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    actor: Actor | None = Field(
        default=None, description="who does it; only where the room knows no people"
    )


class PlanWish(_Said):
    """A desired state to plan: a routing file, or a plan file that was kept elsewhere."""

    routing_yaml: Text | None = None
    plan_file: Text | None = Field(
        default=None, description="what `banyan plan --out` wrote, instead of routing_yaml"
    )
    file: Line = Field(default="routing.yaml", description="what messages call it")
    init: bool = Field(default=False, description="take the stages of a first file as they are")


class ApplyWish(_Said):
    """Put a plan in force."""

    reason: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class RollbackWish(_Said):
    """Take a domain back."""

    reason: Line
    to: Literal["legacy", "shadow"] | None = None


class ApprovalWish(_Said):
    """Say yes to a domain's next stage, or take it back."""

    to: Annotated[Stage, Field(strict=False)]
    reason: Line
    withdrawn: bool = False


class UndoWish(_Said):
    """Plan to take a revision back."""

    and_later: bool = False


class Problem(BaseModel):
    """Why it was not done (RFC 9457); `docs/reference/admin-api.md` lists the codes."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool


class Position(BaseModel):
    """A stage with its share, in basis points, and whether its writes stay with legacy."""

    stage: Stage
    core_share_bp: int
    writes_stay: bool


class Revision(BaseModel):
    """An entry of the ledger without its table."""

    n: int
    at: str
    actor: str
    kind: str
    reason: str
    changes: list[str]
    table: str
    hash: str


class WholeRevision(Revision):
    """An entry of the ledger with all that it holds."""

    evidence: list[dict[str, Any]]
    table_sha256: str
    routing_yaml: str
    found: dict[str, Any] | None
    prev_hash: str


class Revisions(BaseModel):
    """Revisions, newest first; `problems` names those in between that cannot be read."""

    revisions: list[Revision]
    problems: list[str]
    is_empty: bool
    next_cursor: str | None


class Domain(BaseModel):
    """A domain as it is in force."""

    name: str
    owner: str
    stage: Stage
    core_share_bp: int
    writes_stay: bool
    routes: list[str]


class Domains(BaseModel):
    """Domains in force, by name."""

    domains: list[Domain]
    next_cursor: str | None


class InForce(BaseModel):
    """What is in force; `etag` is what If-Match of an application says."""

    revision: int | None
    table: str | None
    etag: str
    notes: list[str]


class Difference(BaseModel):
    """What differs between two tables."""

    a: int
    b: int | None
    names: list[str]
    is_same_file: bool
    differences: list[str]


class Verification(BaseModel):
    """Whether the ledger is whole."""

    is_whole: bool
    revisions: int
    head: str | None
    noted: int | None
    problems: list[dict[str, str]]
    notes: list[str]


class PlanShown(BaseModel):
    """What a plan changes, as `banyan plan --json` says it."""

    in_force: str | None
    desired: str
    is_empty: bool
    is_refused: bool
    details: list[str]
    changes: list[dict[str, Any]]


class Plan(PlanShown):
    """A plan that is kept for seven days; `is_in_force` when there is nothing to apply."""

    id: str
    name: str
    etag: str
    file: str
    made_by: str
    made_at: str
    is_in_force: bool
    undoes: list[int] | None
    notes: list[str]
    against: list[str]


class Proxy(BaseModel):
    """What the proxy made of a table."""

    ack: Literal["taken", "not_taken", "away"]
    sentence: str
    elapsed_s: float


class Applied(BaseModel):
    """What an application did; nothing when there was nothing to change."""

    is_applied: bool
    plan: PlanShown
    revision: Revision | None
    proxy: Proxy | None
    notes: list[str]
    against: list[str]


class RolledBack(BaseModel):
    """What a rollback did."""

    domain: str
    before: Position
    after: Position
    is_change: bool
    table: str
    revision: Revision | None
    warnings: list[str]
    proxy: Proxy
