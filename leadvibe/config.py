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
    stream_auth: Literal["optional", "required"] = Field(
        "optional", description="`required` closes the anonymous form of GET /stream."
    )
    log_level: str = Field("info", description="Level of the server's log.")
