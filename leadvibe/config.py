"""Settings, all from the environment (`LEADVIBE_*`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting with its default; the README lists them with their meaning."""

    model_config = SettingsConfigDict(env_prefix="LEADVIBE_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    data_dir: Path = Field(Path(".leadvibe"), description="Folder of the embedded database and its secrets.")
    database_url: str | None = Field(None, description="postgresql:// URL; without it PostgreSQL is embedded.")
    broadcast_url: str | None = Field(
        None,
        description="postgres:// or redis:// URL that carries live updates between processes; default: the database.",
    )
    api_processes: int = Field(1, ge=1, description="API processes that `serve` starts.")
    workers: int = Field(1, ge=1, description="Scoring worker processes that `serve` starts.")
    batch_size: int = Field(4000, ge=1, le=50_000, description="Most events a worker scores in a transaction.")
    ingest_buffer: int = Field(20_000, ge=1, description="Most events that wait for a commit in an API process.")
    jwt_algorithm: Literal["HS256", "RS256", "ES256"] = "HS256"
    jwt_secret: str | None = Field(None, description="HS256 secret; default: made once, kept in the database.")
    jwt_private_key: str | None = Field(None, description="PEM key that signs RS256/ES256 tokens.")
    jwt_public_key: str | None = Field(None, description="PEM key that verifies RS256/ES256 tokens.")
    jwt_ttl_seconds: int = Field(12 * 3600, ge=60, description="Life of a token that login issues.")
    cors_origins: str = Field("", description="Origins of web pages that may call the API, comma-separated; * for any.")
    allowed_hosts: str = Field(
        "*", description="Names that the server answers to, comma-separated; *.name for all of it."
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses whose X-Forwarded-For and -Proto are believed, comma-separated."
    )
    secret_keys: str | None = Field(
        None, description="Keys that seal stored secrets, newest first; default: one in the data directory."
    )
    public_url: str | None = Field(
        None, description="URL that browsers reach the server at; default: the request's, in e-mails host and port."
    )
    slack_api_url: str = Field("https://slack.com/api/", description="Slack's Web API.")
    graphql_max_depth: int = Field(15, ge=1, description="Most levels of objects in a GraphQL operation.")
    graphql_max_aliases: int = Field(50, ge=0, description="Most aliases in a GraphQL operation.")
    graphql_max_tokens: int = Field(10_000, ge=1, description="Most tokens in a GraphQL document.")
    graphql_max_cost: int = Field(50_000, ge=1, description="Most objects that a GraphQL operation may ask for.")
    graphql_max_subscriptions: int = Field(
        100, ge=1, description="Most operations that run at the same time on a WebSocket."
    )
    graphql_documents: Path | None = Field(
        None, description="JSON file with the GraphQL documents that clients may name by `documentId`."
    )
    graphql_documents_only: bool = Field(False, description="Execute no other GraphQL documents than those.")
    graphql_introspection: bool = Field(True, description="Whether clients may ask for the GraphQL schema.")
    stream_auth: Literal["optional", "required"] = Field(
        "optional", description="`required` closes the anonymous form of GET /stream."
    )
    log_level: str = Field("info", description="Level of the server's log.")
    log_format: Literal["console", "json"] = Field("console", description="How a line of the log is written.")
    access_log: bool = Field(True, description="A line in the log for each request.")
    delivery_retry_seconds: float = Field(
        60.0, gt=0, description="First wait after a failed delivery; the others are 5, 30, 120 and 720 times it."
    )
    delivery_timeout_seconds: float = Field(10.0, gt=0, le=300, description="How long a receiver may take to answer.")
    allow_private_webhooks: bool = Field(False, description="Deliver to private and loopback addresses as well.")
    smtp_host: str | None = Field(None, description="Mail server; without it no e-mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_username: str | None = Field(None, description="Name to log in with there.")
    smtp_password: str | None = Field(None, description="Password to log in with there.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted."
    )
    mail_from: str = Field("leadvibe@localhost", description="Sender of all e-mails.")
    audit_days: int = Field(90, ge=1, le=3650, description="Days that entries of the audit log are kept.")
    rate_limit_mode: Literal["off", "observe", "enforce"] = Field(
        "off", description="`observe` counts requests beyond the limit, `enforce` answers them with 429."
    )
    rate_limit_key: Literal["org", "ou", "client", "ip"] = Field(
        "org", description="Who shares a limit: an organization, a unit, a member or credential, an address."
    )
    rate_limit_rps: float = Field(100.0, ge=0.01, le=1e6, description="Requests a second that a limit gives back.")
    rate_limit_burst: int = Field(200, ge=1, le=10**6, description="Requests that a rested client may send at once.")
    stage: str = Field("production", description="Name of this deployment, shown by GET /me/rate-limit.")
    monthly_events: int | None = Field(
        None, ge=1, description="Events that an organization's plan allows in a calendar month; default: any number."
    )

    @property
    def own_url(self) -> str:
        """The URL of this server without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
