from __future__ import annotations

from pathlib import Path

import pytest

from leadvibe.config import Settings
from leadvibe.store.database import Database
from tests.pipeline.delivery.outboxes import RETRY
from tests.pipeline.units import new_unit
from tests.scoring.streams import config, ruleset


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Fast retries, to receivers on this machine."""
    return Settings(
        data_dir=tmp_path, allow_private_webhooks=True, delivery_retry_seconds=RETRY, delivery_timeout_seconds=1
    )


@pytest.fixture
async def unit(database: Database) -> str:
    return (await new_unit(database, config(ruleset("rs_a", view=1)))).unit_id


@pytest.fixture
async def other(database: Database) -> str:
    return (await new_unit(database, config(ruleset("rs_a", view=1)))).unit_id
