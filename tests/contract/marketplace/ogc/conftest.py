"""One marketplace with an echo process, its reconciler at work, asked as OGC API - Processes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.hook_testing import LOOPBACK
from swath_marketplace.ogc_testing import echo_notebook, echoing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import PREFIX, World, make_world, write_environment


def _load(name: str) -> ModuleType:
    """A module beside this file: pytest's importlib mode puts no folder of tests on ``sys.path``."""
    spec = importlib.util.spec_from_file_location(f"swath_ogc_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def schemas() -> Any:
    """The standard's documents, as data."""
    return _load("schemas")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("ogc")
    write_environment(data, python=sys.executable)
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=echoing)
    made = make_world(data, executor=executor, slots_cpus=8, slots_memory_mb=16_384, runs_per_caller=8, **LOOPBACK)
    made.made.reconciler.start()
    yield made
    made.made.reconciler.stop()
    made.made.database.dispose()


@pytest.fixture(scope="module")
def ogc(world: World) -> Iterator[TestClient]:
    """Bob, at the door; ada has published an echo."""
    app = world.app()
    made = world.registry.publish(world.identity.actors["ada"], echo_notebook())
    assert made.created
    client = TestClient(app, base_url=f"http://test{PREFIX}ogc/", headers={"Authorization": "Bearer bob"})
    yield client
    client.close()
