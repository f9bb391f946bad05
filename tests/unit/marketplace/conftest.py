"""A marketplace without sockets, sandboxes or a quota service."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.database import Database
from swath_marketplace.testing import World, make_world, write_environment


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the migrations make it; copied, which is quicker than migrating for each test."""
    path = tmp_path_factory.mktemp("migrated") / "marketplace.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture
def data(tmp_path: Path, migrated: Path) -> Path:
    write_environment(tmp_path, python=sys.executable)
    (tmp_path / "marketplace").mkdir(mode=0o700)
    shutil.copy(migrated, tmp_path / "marketplace")
    return tmp_path


@pytest.fixture
def world(data: Path) -> World:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    return make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
