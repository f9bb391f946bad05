"""The marketplace as processes, with the sandbox and the runner, in the environment that the tests run in."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swath_marketplace.testing import given_up, write_environment


def _load(name: str) -> ModuleType:
    """A module beside this file: pytest's importlib mode puts no folder of tests on ``sys.path``."""
    spec = importlib.util.spec_from_file_location(f"swath_marketplace_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _data(path: Path) -> Path:
    write_environment(path, python=sys.executable)
    (path / "archive").mkdir()
    return path


def _allowed() -> dict[str, str]:
    return {f"SWATH_ALLOW_{allow.name}": "1" for allow in given_up()}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Services that a module's tests share and leave alone."""
    with _load("stack").Stack(_data(tmp_path_factory.mktemp("swath")), environment=_allowed()) as stack:
        yield stack


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Any]:
    """Services of the test's own, to be killed."""
    with _load("stack").Stack(_data(tmp_path), environment=_allowed()) as stack:
        yield stack


@pytest.fixture
def short_grace_stack(tmp_path: Path) -> Iterator[Any]:
    """Services of the test's own that give a run two seconds to save what it has."""
    environment = {**_allowed(), "SWATH_MARKETPLACE_CHECKPOINT_GRACE_SECONDS": "2"}
    with _load("stack").Stack(_data(tmp_path), environment=environment) as stack:
        yield stack
