"""A marketplace without sockets, sandboxes or a quota service."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import World, make_world, write_environment


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_environment(tmp_path, python=sys.executable)
    return tmp_path


@pytest.fixture
def world(data: Path) -> World:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    return make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
