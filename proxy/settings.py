"""What the environment says. Only this module reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from proxy.core.entrance import Entrance
from proxy.core.hold import HoldLimits
from proxy.core.limits import CaptureLimits, Limits, Timeouts
from proxy.core.proxy_protocol import ProxyMode

_LIMITS, _TIMEOUTS, _CAPTURE, _HOLD = Limits(), Timeouts(), CaptureLimits(), HoldLimits()


class ProxySettings(BaseSettings):
    """Variables BANYAN_PROXY_*, and four that the whole house shares: BANYAN_VAR,
    BANYAN_REDACTION_KEY, BANYAN_SEALING_KEY, BANYAN_LOG_LEVEL. docs/reference/proxy.md
    explains each.
    """

    model_config = SettingsConfigDict(env_prefix="BANYAN_PROXY_", extra="ignore")

    var: Path = Field(Path("var"), validation_alias=AliasChoices("BANYAN_VAR"))
    redaction_key: str | None = Field(
        None, validation_alias=AliasChoices("BANYAN_REDACTION_KEY"), min_length=16
    )
    sealing_key: str | None = Field(
        None, validation_alias=AliasChoices("BANYAN_SEALING_KEY"), min_length=16
    )
    log_level: str = Field("WARNING", validation_alias=AliasChoices("BANYAN_LOG_LEVEL"))
    trusted_peers: str = ""
    compiled: bool = True
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    proxy_protocol: ProxyMode = ProxyMode.OFF
    kill_file: Path | None = Field(None)
    access_log: str = Field("")
    access_log_address: Literal["masked", "full", "none"] = Field("masked")
    otel: bool = Field(False)

    connect_timeout_s: float = Field(_TIMEOUTS.connect_s, gt=0)
    first_byte_timeout_s: float = Field(_TIMEOUTS.first_byte_s, gt=0)
    body_idle_timeout_s: float = Field(_TIMEOUTS.body_idle_s, gt=0)
    head_timeout_s: float = Field(_TIMEOUTS.head_s, gt=0)
    idle_timeout_s: float = Field(_TIMEOUTS.idle_s, gt=0)
    store_idle_timeout_s: float = Field(_TIMEOUTS.store_idle_s, gt=0)
    drain_timeout_s: float = Field(_TIMEOUTS.drain_s, ge=0)
    drain_idle_timeout_s: float = Field(_TIMEOUTS.drain_idle_s, ge=0)
    max_hold_s: float = Field(_HOLD.longest_s, gt=0, le=300)

    max_head_bytes: int = Field(_LIMITS.head_bytes, ge=1_024)
    max_target_bytes: int = Field(_LIMITS.target_bytes, ge=256)
    max_fields: int = Field(_LIMITS.fields, ge=8)
    max_body_bytes: int = Field(_LIMITS.body_bytes, ge=0)
    max_in_flight: int = Field(_LIMITS.in_flight, ge=1)
    max_clients: int = Field(_LIMITS.clients, ge=1)
    idle_connections_per_store: int = Field(_LIMITS.idle_per_store, ge=0)

    max_held_requests: int = Field(_HOLD.requests, ge=1)
    max_held_bytes: int = Field(_HOLD.waiting_bytes, ge=1)

    capture_queue_frames: int = Field(_CAPTURE.queue_frames, ge=1)
    capture_queue_bytes: int = Field(_CAPTURE.queue_bytes, ge=1)
    capture_body_bytes: int = Field(_CAPTURE.body_bytes, ge=0)
    spool_bytes: int = Field(_CAPTURE.spool_bytes, ge=0)
    segment_bytes: int = Field(_CAPTURE.segment_bytes, ge=1)

    def entrance(self) -> Entrance:
        """What connections to the listener have to show."""
        return Entrance(
            tls_certificate=_absolute(self.tls_certificate),
            tls_key=_absolute(self.tls_key),
            tls_client_ca=_absolute(self.tls_client_ca),
            proxy_protocol=self.proxy_protocol,
        )

    def limits(self) -> Limits:
        """Bounds of each worker."""
        return Limits(
            head_bytes=self.max_head_bytes,
            target_bytes=self.max_target_bytes,
            fields=self.max_fields,
            body_bytes=self.max_body_bytes,
            in_flight=self.max_in_flight,
            idle_per_store=self.idle_connections_per_store,
            clients=self.max_clients,
        )

    def timeouts(self) -> Timeouts:
        """Deadlines of each worker."""
        return Timeouts(
            connect_s=self.connect_timeout_s,
            first_byte_s=self.first_byte_timeout_s,
            body_idle_s=self.body_idle_timeout_s,
            head_s=self.head_timeout_s,
            idle_s=self.idle_timeout_s,
            store_idle_s=self.store_idle_timeout_s,
            drain_s=self.drain_timeout_s,
            drain_idle_s=self.drain_idle_timeout_s,
        )

    def hold(self) -> HoldLimits:
        """Bounds of holds."""
        return HoldLimits(
            requests=self.max_held_requests,
            waiting_bytes=self.max_held_bytes,
            longest_s=self.max_hold_s,
        )

    def capture(self) -> CaptureLimits:
        """Bounds of captures."""
        return CaptureLimits(
            queue_frames=self.capture_queue_frames,
            queue_bytes=self.capture_queue_bytes,
            body_bytes=self.capture_body_bytes,
            spool_bytes=self.spool_bytes,
            segment_bytes=self.segment_bytes,
        )


def _absolute(path: str) -> str | None:
    return str(Path(path).absolute()) if path else None
