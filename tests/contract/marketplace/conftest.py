"""A marketplace over each kind of database, with a fake executor and a fake quota service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.database import Database
from swath_marketplace.testing import World, make_world, write_environment


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"
    url = request.getfixturevalue("postgres_database")
    assert isinstance(url, str)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The tables in it."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_environment(tmp_path, python=sys.executable)
    return tmp_path


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(data, database_url=database_url, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()
