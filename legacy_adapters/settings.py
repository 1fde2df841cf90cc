"""What the adapters read from their environment."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from new_core.domain.currency import CURRENCIES


class OscarSettings(BaseSettings):
    """What an oscar shop has in its settings file and not in its database.

    Attributes:
        media_url: MEDIA_URL of the shop (BANYAN_OSCAR_MEDIA_URL).
        time_zone: TIME_ZONE of the shop, in which its API shows times
            (BANYAN_OSCAR_TIME_ZONE).
        currency: OSCAR_DEFAULT_CURRENCY of the shop, in which baskets are
            (BANYAN_OSCAR_CURRENCY).
        secret_key: SECRET_KEY of the shop (BANYAN_OSCAR_SECRET_KEY), with which it names and
            signs sessions. Without it sessions are not carried between both stores.
    """

    model_config = SettingsConfigDict(env_prefix="BANYAN_OSCAR_", extra="ignore")

    media_url: str = "/media/"
    time_zone: str = "UTC"
    currency: str = "GBP"
    secret_key: SecretStr = SecretStr("")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"{name!r} is not a time zone, e.g. Europe/London") from exc
        return name

    @field_validator("currency")
    @classmethod
    def _money(cls, code: str) -> str:
        if code not in CURRENCIES:
            raise ValueError(f"{code!r} is not an ISO 4217 code, e.g. GBP")
        return code

    @field_validator("media_url")
    @classmethod
    def _ends_with_slash(cls, url: str) -> str:
        if not url.endswith("/"):
            raise ValueError(f"{url!r} must end with a slash")
        return url


class SyncSettings(BaseSettings):
    """Where the store is that is migrated away from.

    Attributes:
        legacy_database: its URL, of SQLite, PostgreSQL or MariaDB (BANYAN_LEGACY_DATABASE).
    """

    model_config = SettingsConfigDict(env_prefix="BANYAN_", extra="ignore")

    legacy_database: str = ""
