"""Every setting of the server, in one list. Argument beats ``OUTLAY_*`` beats the default."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from outlay_collector.access.people.roles import is_safe, parse_roles
from outlay_collector.alerts.webhooks.addresses import Network, networks
from outlay_collector.pricing.currencies.codes import currency as known_currency


def default_home() -> Path:
    """The platform's user data folder; ``/var/lib/outlay`` for root, who has no business in a home."""
    import os

    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/outlay")
    try:
        return Path(platformdirs.user_data_dir("outlay", appauthor=False))
    except RuntimeError:  # a user without a home, as in containers; whoever needs the folder asks for --home
        return Path("~/outlay")


class Settings(BaseSettings):
    """Defaults suit a laptop. ``Settings()`` reads the environment; nothing else in the server does."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_", extra="ignore")

    database_url: str | None = Field(default=None, description="Any Postgres >= 15. Unset: the embedded one in `home`.")
    read_database_url: str | None = Field(default=None, description="A replica for the dashboard's reads.")
    home: Path = Field(default_factory=default_home, description="Data of the embedded Postgres, owner key, logs.")

    host: str = Field(default="127.0.0.1", description="Address to listen on; anything public needs keys.")
    port: int = Field(default=4318, ge=0, le=65535, description="HTTP: OTLP, API, health and docs.")
    grpc_port: int = Field(default=4317, ge=0, le=65535, description="OTLP over gRPC.")
    acceptors: int = Field(default=0, ge=0, le=64, description="Collector processes; 0 means one per core.")

    time_zone: str = Field(default="UTC", description="IANA zone of the instance: days of rollups and of months.")
    currency: str = Field(
        default="USD", description="ISO 4217, of the instance: what all costs are summed in. Set before the first cost."
    )
    price_feed: bool = Field(
        default=False, description="Import genai-prices' live feed once a day; needs the internet."
    )
    price_feed_url: str | None = Field(default=None, description="Another address of that feed, such as a mirror's.")
    retention: timedelta = Field(default=timedelta(days=400), description="Spans older than this are dropped.")
    future_tolerance: timedelta = Field(default=timedelta(minutes=10), description="Spans further ahead are refused.")
    content: str = Field(default="none", pattern="^(none|masked|full)$", description="Prompts and completions kept.")

    oidc_issuer: str = Field(default="", description="Whose ID tokens the API takes from people, as its own URL.")
    oidc_audience: str = Field(default="", description="For whom such a token must be: the client id of the dashboard.")
    oidc_roles: str = Field(
        default="", description="GROUP=read|finance|admin, or GROUP=read:PROJECT, joined by commas; * is everybody."
    )
    oidc_claim: str = Field(default="groups", description="The claim that holds a person's groups.")
    cors_origins: str = Field(
        default="", description="Web origins, joined by commas, whose scripts may send telemetry; none by default."
    )
    max_body_bytes: int = Field(default=20 * 2**20, description="Of one request, after decompression.")
    max_compressed_bytes: int = Field(default=8 * 2**20, description="Of one request, as sent.")
    max_bytes_in_flight: int = Field(default=64 * 2**20, description="Per process; over it senders get 503.")
    max_connections: int = Field(
        default=4096, ge=1, description="HTTP, per process; over it the connection that is idle for longest is closed."
    )
    head_timeout: timedelta = Field(default=timedelta(seconds=15), description="Longest a request's head may take.")
    body_timeout: timedelta = Field(default=timedelta(seconds=30), description="Longest that a body may take to come.")

    ingest_connections: int = Field(default=2, ge=1, le=32, description="Connections that write spans, per process.")
    read_connections: int = Field(default=4, ge=1, le=64, description="Connections that answer reads, per process.")
    ingest_timeout: timedelta = Field(default=timedelta(seconds=8), description="Longest a commit may take.")
    read_timeout: timedelta = Field(default=timedelta(seconds=30), description="Longest a read may take.")

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, code: str) -> str:
        return known_currency(code)

    webhook_allow_cidrs: str = Field(
        default="",
        description="Private networks that webhooks may call, such as 10.0.0.0/8,127.0.0.1/32; default none.",
    )
    weekly_report: str | None = Field(
        default=None,
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="When on Mondays, by the instance's clock (as 09:00), last week's report goes to the webhooks.",
    )
    dashboard_url: str = Field(default="http://127.0.0.1:8501", description="What links in messages begin with.")
    smtp_url: str | None = Field(
        default=None, description="Mail server: smtp://user:password@host:587 (STARTTLS) or smtps://…:465."
    )
    smtp_from: str = Field(default="outlay@localhost", description="Whom e-mail comes from.")
    unusual_floor: Decimal = Field(
        default=Decimal(5),
        ge=0,
        description="Least money, in the instance's currency, that unusual spend must be to be told.",
    )
    heartbeat_url: str | None = Field(
        default=None,
        description="Called every minute while settlement, budgets and delivery keep up; a dead man's switch.",
    )

    openai_admin_key: SecretStr | None = Field(
        default=None, description="Of the organisation: its bill is pulled with it."
    )
    openai_billing_url: str = Field(default="https://api.openai.com", description="Where OpenAI's bill is asked for.")
    anthropic_admin_key: SecretStr | None = Field(default=None, description="Likewise of Anthropic.")
    anthropic_billing_url: str = Field(default="https://api.anthropic.com", description="Where Anthropic's is.")
    bill_pull_days: int = Field(default=7, ge=1, le=366, description="Days that each pull of a bill asks for again.")

    @field_validator("webhook_allow_cidrs")
    @classmethod
    def _known_networks(cls, text: str) -> str:
        try:
            networks(text)
        except ValueError as error:
            raise ValueError(f"{error}; use networks such as 10.0.0.0/8,fd00::/8") from error
        return text

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no IANA time zone; use one such as Asia/Seoul or UTC") from error
        return name

    @cached_property
    def webhook_networks(self) -> tuple[Network, ...]:
        return networks(self.webhook_allow_cidrs)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        for origin in filter(None, (part.strip() for part in text.split(","))):
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or "*" in origin:
                raise ValueError(f"{origin!r} is no origin; use one such as https://app.example.com, and not *")
        return text

    @model_validator(mode="after")
    def _complete_login(self) -> Settings:
        if self.oidc_issuer and not (self.oidc_audience and self.oidc_roles):
            raise ValueError("OUTLAY_OIDC_ISSUER needs OUTLAY_OIDC_AUDIENCE and OUTLAY_OIDC_ROLES beside it")
        if self.oidc_issuer and not is_safe(self.oidc_issuer):
            raise ValueError(f"OUTLAY_OIDC_ISSUER={self.oidc_issuer!r} is not https")
        parse_roles(self.oidc_roles)
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
