"""What the comparer takes from the environment."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CompareSettings(BaseSettings):
    """Variables with the prefix BANYAN_.

    Attributes:
        var: where files go that nobody named (BANYAN_VAR).
        evidence_database: async SQLAlchemy URL of the evidence; a SQLite file in `var` by
            default (BANYAN_EVIDENCE_DATABASE).
        redaction_key: key of the proxy's redaction when it does not lie in the spool
            (BANYAN_REDACTION_KEY).
        actor: who the journal of a group names; the login name by default (BANYAN_ACTOR).
        sealing_key: key of sealed credentials when it does not lie in the spool
            (BANYAN_SEALING_KEY).
        log_level: least grave lines that are logged (BANYAN_LOG_LEVEL).
        shadow_timeout_s: how long the other side may take for one answer.
        shadow_concurrency: questions to one side at a time.
        shadow_rate: questions a second to one side.
        shadow_max_age_s: exchanges older than this are lost as stale.
        shadow_body_limit: bytes of the other side's answer that are read.
        bus: URL of a NATS server that frames travel over; without one they stay in the
            spool (BANYAN_BUS).
        bus_credentials: a NATS credentials file (BANYAN_BUS_CREDENTIALS).
        bus_stream: name of the stream (BANYAN_BUS_STREAM).
        bus_max_bytes: frames that may wait on the bus, in bytes.
        bus_max_age_s: how long a frame may wait there.
        bus_ack_wait_s: how long a comparer that is silent keeps what it took.
        bus_replicas: servers of the cluster that hold each frame.
        evidence_retention_days: how long examples, recorded pairs and journals are kept.
        redaction_old_keys: earlier redaction keys, apart by commas; only a purge asks for them.
        shadow_nice: how far the comparer stands back for other processes, 0 to 19.
        legacy_database: URL of the legacy store's database, for reconciliation
            (BANYAN_LEGACY_DATABASE).
        core_database: URL of the core's; SQLite in `var` by default (BANYAN_CORE_DATABASE).
        reconcile_share: of the time that a continuous pass works, 0 to 1.
        repair_limit: money that a repair may move without an approval, e.g. "50.00 EUR",
            several with commas between; nothing by default.
        proxy_compiled: what the comparer shares with the proxy runs compiled where there is
            a build (BANYAN_PROXY_COMPILED).
    """

    model_config = SettingsConfigDict(env_prefix="BANYAN_", extra="ignore")

    var: Path = Path("var")
    evidence_database: str = ""
    redaction_key: SecretStr | None = Field(None, min_length=16)
    actor: str = ""
    sealing_key: SecretStr | None = Field(None, min_length=16)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    shadow_timeout_s: float = Field(5.0, gt=0, le=300)
    shadow_concurrency: int = Field(16, ge=1, le=1_000)
    shadow_rate: float = Field(500.0, gt=0)
    shadow_max_age_s: float = Field(900.0, gt=0)
    shadow_body_limit: int = Field(1024 * 1024, ge=1_024)
    evidence_retention_days: float = Field(30.0, gt=0, le=3_650)
    redaction_old_keys: SecretStr | None = None
    shadow_nice: int = Field(10, ge=0, le=19)
    proxy_compiled: bool = True
    legacy_database: str = ""
    core_database: str = ""
    reconcile_share: float = Field(0.05, gt=0, le=1)
    repair_limit: str = ""

    bus: str = ""
    bus_credentials: Path | None = None
    bus_stream: str = Field("BANYAN", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    bus_max_bytes: int = Field(1024**3, ge=1024 * 1024)
    bus_max_age_s: float = Field(86_400.0, ge=1, le=14 * 86_400)
    bus_ack_wait_s: float = Field(30.0, ge=1, le=600)
    bus_replicas: int = Field(1, ge=1, le=5)

    def actor_name(self) -> str:
        """Who the journal of a group names."""
        if self.actor:
            return self.actor
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a container's user without a name
            return f"uid-{os.getuid()}"

    def core_url(self) -> str:
        """The core's database, the default filled in."""
        return self.core_database or f"sqlite+aiosqlite:///{self.var / 'core.sqlite3'}"

    def evidence_url(self) -> str:
        """The evidence's URL, the default filled in."""
        if self.evidence_database:
            return self.evidence_database
        return f"sqlite+aiosqlite:///{self.var / 'evidence.sqlite3'}"


def secret_from_environment(name: str) -> str | None:
    """A variable that a routing file names; None when it is not set or empty."""
    return os.environ.get(name) or None
