"""What the core reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PaymentSettings(BaseSettings):
    """Settings of payments, from BANYAN_* variables.

    Attributes:
        payment_gateways: codes in the order in which they are tried, separated by commas: of
            manual, stripe and square.
        payment_attempts: most attempts of one payment, over all gateways.
        payment_budget_s: for so long after a payment began another attempt may begin.
        payment_timeout_s: how long one call of a gateway may take.
        payment_look_s: an attempt without an answer is looked up after so long.
        payment_quiet_s: what a gateway's books do not have after so long is not coming.
        payment_confirm_s: how long a shopper has to confirm a payment at the gateway.
        payment_return_url: where the gateway sends them then.
        gateway_failures: calls in a row without an answer after which a gateway is not asked.
        gateway_open_s: for how long.
        stripe_secret_key, stripe_webhook_secret: as Stripe's dashboard gives them.
        stripe_url: where Stripe is.
        square_access_token, square_location, square_webhook_key: as Square's console has them.
        square_webhook_url: the address that Square posts to, exactly as it stands there.
        square_url: where Square is.
    """

    model_config = SettingsConfigDict(env_prefix="BANYAN_", populate_by_name=True, extra="ignore")

    payment_gateways: str = "manual"
    payment_attempts: int = Field(default=3, ge=1, le=10)
    payment_budget_s: float = Field(default=20.0, ge=0, le=120)
    payment_timeout_s: float = Field(default=10.0, gt=0, le=60)
    payment_look_s: float = Field(default=15.0, gt=0)
    payment_quiet_s: float = Field(default=60.0, gt=0)
    payment_confirm_s: float = Field(default=3600.0, gt=0)
    payment_return_url: str = ""
    gateway_failures: int = Field(default=5, ge=1)
    gateway_open_s: float = Field(default=30.0, gt=0)
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_url: str = "https://api.stripe.com"
    square_access_token: SecretStr = SecretStr("")
    square_location: str = ""
    square_webhook_key: SecretStr = SecretStr("")
    square_webhook_url: str = ""
    square_url: str = "https://connect.squareup.com"


class CoreSettings(PaymentSettings):
    """Settings of the core, from BANYAN_* variables.

    Attributes:
        var: folder of the embedded databases (BANYAN_VAR).
        core_database: async SQLAlchemy URL (BANYAN_CORE_DATABASE); empty means SQLite in `var`.
        busy_timeout_s: how long a SQLite writer waits for another one.
        pool_size: open connections per process.
        core_modules: the modules to start, by name, separated by commas; empty means all.
        core_auth: what a request without a token may do (BANYAN_CORE_AUTH). "open": read the
            catalogue and stock, and count stock, on a port that only the shop reaches.
            "required": read what is public. "off": everything; for tests alone.
        core_bus: URLs of a NATS with JetStream (BANYAN_CORE_BUS), separated by commas; empty
            means that events are not published.
        core_bus_credentials: file for it, as `nsc` writes them; empty means none.
        core_bus_stream: name of the stream.
        core_webhook_networks: private networks that webhooks may be sent to, e.g.
            "10.1.0.0/16, 127.0.0.0/8"; empty means none, and https alone.
        core_webhook_deadline_s: how long an endpoint may take to answer.
        core_rate_limit: requests a minute that a client may make of a process; 0 means any.
        core_rate_burst: requests that it may make at once after a rest.
        core_events_days: how long events are kept for readers and replays.
        core_issuer: URL under which clients reach this core; stands in every token.
        core_audience: whom tokens are for; all cores that share a database have the same.
        core_key_passphrase: encrypts the keys that sign tokens, in the database.
        core_admin_secret: of the client "admin", which is there while this is set.
        order_number_first, order_number_last: the range that order numbers are drawn from; no
            other system draws from it. Raised, it goes on there.
        order_token_days: how long the secret of a guest opens their order.
    """

    var: Path = Path("var")
    core_database: str = Field(
        default="", validation_alias=AliasChoices("BANYAN_CORE_DATABASE", "core_database")
    )
    busy_timeout_s: float = Field(default=20.0, gt=0)
    pool_size: int = Field(default=8, ge=1, le=200)
    core_modules: str = ""
    core_auth: Literal["open", "required", "off"] = "open"
    core_bus: str = ""
    core_bus_credentials: str = ""
    core_bus_stream: str = Field(default="BANYAN_EVENTS", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    core_webhook_networks: str = ""
    core_webhook_deadline_s: float = Field(default=15.0, gt=0, le=45)
    core_rate_limit: int = Field(default=0, ge=0, le=1_000_000)
    core_rate_burst: int = Field(default=100, ge=1, le=1_000_000)
    core_events_days: int = Field(default=30, ge=1, le=3650)
    core_issuer: str = Field(default="http://127.0.0.1:8082", pattern=r"^https?://[^\s/]+$")
    core_audience: str = Field(default="banyan-core", min_length=1, max_length=200)
    core_key_passphrase: SecretStr = SecretStr("")
    core_admin_secret: SecretStr | None = Field(default=None, min_length=32)
    order_number_first: int = Field(default=700_000_000, ge=1, le=10**15)
    order_number_last: int = Field(default=799_999_999, ge=1, le=10**15)
    order_token_days: int = Field(default=90, ge=1, le=3650)

    @property
    def database(self) -> str:
        """The URL in use."""
        return self.core_database or f"sqlite+aiosqlite:///{self.var / 'core.sqlite3'}"
