"""Decide where a request goes. Pure: safe to import from anywhere.

table = proxy.storage.tables.load_routing(Path("routing.yaml"))
decide(RequestHead("GET", "/api/products/7/", {"session-id": "x"}), table).side
"""

from proxy.routing.conditions import Conditions, GraphQLCondition, Place, ValueCondition
from proxy.routing.decide import bucket, decide
from proxy.routing.decision import (
    Decision,
    Refusal,
    RequestHead,
    Unmirrored,
    Why,
    explanation,
)
from proxy.routing.graphql import (
    GraphQLOperation,
    GraphQLProblem,
    OperationType,
    Unread,
    read_operation,
)
from proxy.routing.jsonpath import JsonPathError, JsonStep, StepKind, parse_json_path
from proxy.routing.kill import Kill, KillError, parse_kill
from proxy.routing.model import (
    BASIS_POINTS,
    PPM,
    Accept,
    AmbiguousPaths,
    Breaker,
    ComparePolicy,
    CompareRule,
    Domain,
    HealthCheck,
    KeyKind,
    ParityGate,
    Pilot,
    PinPolicy,
    Route,
    ShadowPolicy,
    ShopperKey,
    Side,
    Stage,
    Store,
    StoreTimeouts,
    StoreTls,
    Writes,
)
from proxy.routing.nodes import ListNode, MapNode, Node, Scalar, ScalarKind
from proxy.routing.parse import parse
from proxy.routing.paths import canonical_path, parse_template
from proxy.routing.plans import UNMATCHED
from proxy.routing.table import SHADOW_HEADER, GraphQLLimits, RoutingTable, killed
from proxy.routing.terms import ANY_HOST, Ignore, Minor, RuleTerms, Same
from proxy.routing.ticket import (
    COOKIE_NAMES,
    Pin,
    Ticket,
    expired_cookie,
    read_ticket,
    ticket_cookie,
)

__all__ = [
    "ANY_HOST",
    "BASIS_POINTS",
    "COOKIE_NAMES",
    "PPM",
    "SHADOW_HEADER",
    "UNMATCHED",
    "Accept",
    "AmbiguousPaths",
    "Breaker",
    "ComparePolicy",
    "CompareRule",
    "Conditions",
    "Decision",
    "Domain",
    "GraphQLCondition",
    "GraphQLLimits",
    "GraphQLOperation",
    "GraphQLProblem",
    "HealthCheck",
    "Ignore",
    "JsonPathError",
    "JsonStep",
    "KeyKind",
    "Kill",
    "KillError",
    "ListNode",
    "MapNode",
    "Minor",
    "Node",
    "OperationType",
    "ParityGate",
    "Pilot",
    "Pin",
    "PinPolicy",
    "Place",
    "Refusal",
    "RequestHead",
    "Route",
    "RoutingTable",
    "RuleTerms",
    "Same",
    "Scalar",
    "ScalarKind",
    "ShadowPolicy",
    "ShopperKey",
    "Side",
    "Stage",
    "StepKind",
    "Store",
    "StoreTimeouts",
    "StoreTls",
    "Ticket",
    "Unmirrored",
    "Unread",
    "ValueCondition",
    "Why",
    "Writes",
    "bucket",
    "canonical_path",
    "decide",
    "expired_cookie",
    "explanation",
    "killed",
    "parse",
    "parse_json_path",
    "parse_kill",
    "parse_template",
    "read_operation",
    "read_ticket",
    "ticket_cookie",
]
