"""The embedded PostgreSQL: shared by its users, stopped by the last one, whole after any crash."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from leadvibe.store.database import connect
from tests.store.users import home_of, kill_server, postmaster, remove, user_of


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "a home" / "it's data"
    yield directory
    remove(directory)


def ask(url: str, *statements: str) -> object:
    """Runs the statements; the value of the last one."""

    async def run() -> object:
        connection = await connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        return runner.run(run())


def write(url: str, number: int) -> None:
    ask(url, "CREATE TABLE IF NOT EXISTS t (n int)", f"INSERT INTO t VALUES ({number}) RETURNING n")


def read(url: str) -> object:
    return ask(url, "SELECT array_agg(n ORDER BY n) FROM t")


def test_users_share_one_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(user_of(data_dir)) for _ in range(2))  # both start at once
        assert first.url == second.url
        server = postmaster(data_dir)
        write(first.url, 1)
        assert first.leave() == 0
        assert postmaster(data_dir) == server
        assert read(second.url) == [1]
        assert second.leave() == 0
        assert postmaster(data_dir) is None


def test_what_was_written_is_there_for_the_next_user(data_dir: Path) -> None:
    for number in (1, 2):
        with user_of(data_dir) as user:
            write(user.url, number)
            assert read(user.url) == list(range(1, number + 1))


def test_a_killed_user_leaves_the_server_to_the_next_one(data_dir: Path) -> None:
    with user_of(data_dir) as killed:
        write(killed.url, 1)
        killed.kill()
    server = postmaster(data_dir)
    assert server is not None
    with user_of(data_dir) as following:
        assert read(following.url) == [1]
        assert postmaster(data_dir) == server
        assert following.leave() == 0
    assert postmaster(data_dir) is None


def test_a_killed_user_does_not_keep_the_last_one_from_stopping_the_server(data_dir: Path) -> None:
    with user_of(data_dir) as killed, user_of(data_dir) as last:
        assert killed.url == last.url
        killed.kill()
        assert read_one(last.url) == 1
        assert last.leave() == 0
        assert postmaster(data_dir) is None


def read_one(url: str) -> object:
    return ask(url, "SELECT 1")


def test_a_killed_server_comes_back_with_its_data(data_dir: Path) -> None:
    with user_of(data_dir) as before:
        write(before.url, 1)
        kill_server(data_dir)
        with user_of(data_dir) as after:
            assert read(after.url) == [1]
            write(after.url, 2)
            # It serves the user from before, too.
            assert read(before.url) == [1, 2]
            assert after.leave() == 0
        assert postmaster(data_dir) is not None
        assert before.leave() == 0
    assert postmaster(data_dir) is None


def test_server_and_user_killed_at_once_leave_the_data_whole(data_dir: Path) -> None:
    with user_of(data_dir) as user:
        write(user.url, 1)
        kill_server(data_dir)
        user.kill()
    with user_of(data_dir) as user:
        assert read(user.url) == [1]


def test_a_cluster_whose_making_was_interrupted_is_made_anew(data_dir: Path) -> None:
    with user_of(data_dir) as user:
        assert read_one(user.url) == 1
    cluster = home_of(data_dir) / "postgres"
    (cluster / "PG_VERSION").unlink()
    cluster.rename(cluster.with_name("new"))
    with user_of(data_dir) as user:
        assert read_one(user.url) == 1


def test_the_folders_above_keep_their_modes_and_the_data_is_the_users_alone(data_dir: Path) -> None:
    outer = data_dir.parent
    outer.mkdir()
    outer.chmod(0o711)
    above = {path: path.stat().st_mode for path in data_dir.parents}
    with user_of(data_dir) as user:
        assert read_one(user.url) == 1
    assert {path: path.stat().st_mode for path in above} == above
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(home_of(data_dir).stat().st_mode) == 0o700
    assert stat.S_IMODE((home_of(data_dir) / "postgres").stat().st_mode) == 0o700


def test_a_data_directory_that_is_there_keeps_its_mode_and_files(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o750)
    (data_dir / "notes.txt").write_text("mine")
    with user_of(data_dir) as user:
        assert read_one(user.url) == 1
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o750
    assert (data_dir / "notes.txt").read_text() == "mine"


def test_two_data_directories_have_two_servers(data_dir: Path, tmp_path: Path) -> None:
    other_dir = tmp_path / ("long " * 20)  # longer than the address of a socket may be
    with user_of(data_dir) as one, user_of(other_dir) as other:
        assert one.url != other.url
        write(one.url, 1)
        write(other.url, 2)
        assert (read(one.url), read(other.url)) == ([1], [2])
    remove(other_dir)


@pytest.mark.skipif(os.getuid() != 0, reason="Only root starts the server as somebody else.")
def test_roots_server_runs_as_an_account_without_rights(data_dir: Path) -> None:
    with user_of(data_dir) as user:
        assert read_one(user.url) == 1
        server = postmaster(data_dir)
        assert server is not None
        assert server.username() == "nobody"
        assert set(server.gids()[:3]) != {0}
