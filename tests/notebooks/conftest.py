"""The session's running copy of Swath, the same that the end-to-end tests use, and a user's JupyterLab on it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _running() -> ModuleType:
    known, path = "swath_tests_running", Path(__file__).parents[1] / "e2e" / "running.py"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


@pytest.fixture(scope="session")
def copy(request: pytest.FixtureRequest) -> Any:
    """The running copy."""
    return _running().house(request.session).running()


@pytest.fixture(scope="session")
def execute(copy: Any) -> Iterator[Any]:
    """Runs code in a new kernel of Ada's JupyterLab; what it prints."""
    ada = copy.person("ada")
    token = ada.token("notebooks")
    ada.spawn(token, on_progress=lambda _: None)
    yield lambda code: ada.execute(token, code, timeout_seconds=240)
    ada.stop(token)
