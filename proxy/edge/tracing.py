"""OpenTelemetry spans of exchanges, exported behind the shopper's back.

Needs the extra `otel`. What the SDK does by environment variables (OTEL_SERVICE_NAME,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_ENDPOINT …) is left to it.
"""

from __future__ import annotations

import importlib.util
import random
from typing import TYPE_CHECKING

from proxy.core.shapes import without_shapes
from proxy.core.trace_context import TraceParent, find_parent, with_parent
from proxy.edge.observer import ExchangeFacts, Trace
from proxy.errors import ProxyError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind


class TracingError(ProxyError):
    """Tracing was asked for and cannot be had."""


def check_tracing() -> None:
    """Raises TracingError when the extra is not installed."""
    for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise TracingError(
                "BANYAN_PROXY_OTEL=1 needs OpenTelemetry: pip install 'banyan-migration[otel]'"
            )


class Tracing:
    """Draws ids on the event loop; makes and sends spans in the thread behind it."""

    def __init__(self) -> None:
        # Loaded only when asked for: 20 MB and 0.2 s.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        provider = TracerProvider(shutdown_on_exit=False)
        self._sampler = provider.sampler
        resource = provider.resource
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "banyan-proxy"}))
        self._resource = resource
        self._exporter = OTLPSpanExporter()
        self._random = random.SystemRandom()

    def began(self, lines: bytes) -> Trace | None:
        """The exchange's place in its trace; None leaves the request's lines alone."""
        from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415

        parent = find_parent(lines)
        trace_id = parent.trace_id if parent else self._random.getrandbits(128) or 1
        context = None if parent is None else _context(parent)
        drawn = self._sampler.should_sample(context, trace_id, "request")
        is_sampled = drawn.decision is Decision.RECORD_AND_SAMPLE
        if parent is not None and not is_sampled:
            return None
        span = TraceParent(trace_id, self._random.getrandbits(64) or 1, is_sampled)
        call = TraceParent(trace_id, self._random.getrandbits(64) or 1, is_sampled)
        return Trace(
            lines=with_parent(lines, call, continues=parent is not None),
            span=span,
            parent_span_id=parent.span_id if parent else 0,
            call_span_id=call.span_id if is_sampled else 0,
        )

    def take(self, batch: list[ExchangeFacts]) -> str | None:
        """Export a batch. Runs in the thread, and may wait for the collector."""
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

        spans = [span for facts in batch if facts.trace for span in self._spans(facts, facts.trace)]
        done = self._exporter.export(spans)
        return None if done is SpanExportResult.SUCCESS else "export_failed"

    def close(self) -> None:
        """Give up what is being sent again and again to a collector that is gone."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _spans(self, facts: ExchangeFacts, trace: Trace) -> list[ReadableSpan]:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        route = facts.decision.route if facts.decision is not None else ""
        name = f"{facts.method} {route}".strip() or "refused"
        began, ended = facts.began_ns, facts.began_ns + facts.elapsed_us * 1_000
        spans = [
            self._span(name, facts, SpanKind.SERVER, (trace.span.span_id, trace.parent_span_id),
                       (began, ended))
        ]  # fmt: skip
        if facts.upstream_us >= 0:
            ids = (trace.call_span_id, trace.span.span_id)
            at = (began + facts.held_us * 1_000, ended)
            spans.append(self._span(facts.method, facts, SpanKind.CLIENT, ids, at))
        return spans

    def _span(
        self,
        name: str,
        facts: ExchangeFacts,
        kind: SpanKind,
        ids: tuple[int, int],
        at_ns: tuple[int, int],
    ) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415

        trace_id = facts.trace.span.trace_id if facts.trace else 0
        span_id, parent_id = ids
        is_error = facts.status >= 500 or facts.ended not in ("answered", "client_gone")
        bound = 400 if kind is SpanKind.CLIENT else 500
        is_error = is_error or facts.status >= bound
        return ReadableSpan(
            name=name,
            context=_span_context(trace_id, span_id),
            parent=_span_context(trace_id, parent_id) if parent_id else None,
            resource=self._resource,
            attributes=_attributes(facts),
            kind=kind,
            status=Status(StatusCode.ERROR if is_error else StatusCode.UNSET),
            start_time=at_ns[0],
            end_time=at_ns[1],
            instrumentation_scope=InstrumentationScope("banyan-proxy"),
        )


def _attributes(facts: ExchangeFacts) -> dict[str, str | int | bool]:
    decision = facts.decision
    attributes: dict[str, str | int | bool] = {
        "request_id": without_shapes(facts.request_id.encode()).decode(),
        "retry": facts.is_retried,
        "fallback": facts.is_fallback,
        "ended": facts.ended,
        "http.request.method": facts.method,
        "url.path": without_shapes(facts.target.partition(b"?")[0]).decode(
            "ascii", "backslashreplace"
        ),
    }
    if decision is not None:
        attributes["route"] = decision.route
        attributes["side"] = str(decision.side)
        attributes["stage"] = str(decision.stage)
        if decision.domain is not None:
            attributes["domain"] = decision.domain
        if decision.bucket is not None:
            attributes["bucket"] = decision.bucket
    if facts.status:
        attributes["http.response.status_code"] = facts.status
    if facts.held_us:
        attributes["held_ms"] = facts.held_us // 1_000
    return attributes


def _context(parent: TraceParent) -> Context:
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context  # noqa: PLC0415  # noqa: PLC0415

    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    seen = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(seen))


def _span_context(trace_id: int, span_id: int) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    return SpanContext(
        trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
