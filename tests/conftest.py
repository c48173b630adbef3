"""A real PostgreSQL for the session, and for each test a fresh, migrated database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from argon2 import PasswordHasher
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings

from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.ids import new_id
from leadvibe.live.hub import Hub
from leadvibe.pipeline.audit_trail import AuditTrail
from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.pipeline.rate_limit import RateLimiter
from leadvibe.resolvers.authentication import Authenticator, Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
from leadvibe.resolvers.context import Context, Services
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.database import Database, connect
from leadvibe.store.embedded import embedded_postgres
from leadvibe.store.migrate import migrate
from tests.serve_process import cluster_of, home_of, remove_cluster

# Tests run on busy machines, where no time tells of the code. A test whose examples share a fixture makes each its own
# world in it.
settings.register_profile(
    "leadvibe", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("leadvibe")

# Where files are memory. A database has some 600 of them, and a disk takes 0.1 to 0.4 s to make them.
_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 2**30

# What starts processes takes longest, and goes first: at the end there are small files to share.
_LONG = ("tests/operation", "tests/clients", "tests/test_", "tests/pipeline", "tests/rest_compat/test_random")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


async def _run(url: str, statement: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the embedded PostgreSQL that all test processes share."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "server"


@pytest.fixture(scope="session")
def server_url(server_folder: Path) -> Iterator[str]:
    """A PostgreSQL server: the one of LEADVIBE_TEST_DATABASE_URL, else the embedded one."""
    if url := os.environ.get("LEADVIBE_TEST_DATABASE_URL"):
        yield url
        return
    with embedded_postgres(server_folder) as url:
        yield url
    home = home_of(server_folder)
    if home is not None and not (home / "postgres" / "postmaster.pid").exists():  # this was the last user
        remove_cluster(server_folder)


def _have_memory(server_folder: Path) -> bool:
    """Whether the server is the embedded one, and this machine has a large enough folder of memory."""
    return server_folder.exists() and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES


@pytest.fixture(scope="session")
async def placed(server_url: str, server_folder: Path) -> AsyncIterator[str]:
    """Where databases are made, and how: in memory, if that is possible."""
    if not _have_memory(server_folder):
        yield ""
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="leadvibe-test-") as folder:
        owner = cluster_of(server_folder).stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        name = new_id("memory")
        await _run(server_url, f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        yield f"TABLESPACE {name} STRATEGY FILE_COPY"
        await _run(server_url, f"DROP TABLESPACE {name}")


@asynccontextmanager
async def new_database(server_url: str, kind: str, options: str = "") -> AsyncIterator[str]:
    """The URL of a database that is made with these options, and dropped in the end. Its name begins with its kind."""
    name = new_id(kind)
    await _run(server_url, f"CREATE DATABASE {name} {options}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path="/" + name))
    finally:
        await _run(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def template(server_url: str, placed: str) -> AsyncIterator[str]:
    """The options that make a copy of a migrated database."""
    async with new_database(server_url, "template", placed) as url:
        await migrate(url)
        yield f"TEMPLATE {urlsplit(url).path[1:]} {placed}"


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    async with new_database(server_url, "test", template) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, pool_size=4)
    yield database
    await database.close()


class QuickAuthenticator(Authenticator):
    """Hashes at the lowest cost that argon2 knows: the organisations of some thousand tests are made with it."""

    async def hash(self, password: str) -> str:
        return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


@pytest.fixture
async def authenticator(database: Database) -> Authenticator:
    return QuickAuthenticator(database, await Tokens.from_settings(Settings(), database))


@pytest.fixture
async def services(database: Database, authenticator: Authenticator) -> AsyncIterator[Services]:
    """The services of an API process, without the process."""
    buffer, hub = IngestBuffer(database, 1_000), Hub(database, "memory://")
    await buffer.start()
    await hub.start()
    vault = Vault([Fernet.generate_key().decode()])
    trail = AuditTrail(database)
    trail.start()
    services = Services(
        Settings(), database, authenticator, buffer, hub, vault, trail, RateLimiter(database, Settings())
    )
    yield services
    await services.background.stop()
    await hub.stop()
    await buffer.stop()
    await trail.stop()


@pytest.fixture
async def acme(authenticator: Authenticator) -> Bootstrapped:
    """A fresh organisation with its owner and a credential."""
    return await bootstrap(authenticator, "Acme", "ada@acme.example", "correct horse")


@pytest.fixture
async def rival(authenticator: Authenticator) -> Bootstrapped:
    """A second organisation, which must never see the first one's rows."""
    return await bootstrap(authenticator, "Rival", "rob@rival.example", "battery staple")


@pytest.fixture
def owner(services: Services, acme: Bootstrapped) -> Context:
    """A request of Acme's owner."""
    return Context(services, Credentials(f"Bearer {acme.token}"))
