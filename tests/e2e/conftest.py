"""One running copy of Swath for the session, and people at it with a browser and without."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    """A module beside this file, the same for all folders of tests that load it."""
    known = f"swath_tests_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


@pytest.fixture(scope="session")
def load() -> Any:
    """Gives a module beside this file."""
    return _load


@pytest.fixture(scope="session")
def house(request: pytest.FixtureRequest) -> Any:
    """Makes copies of Swath, with an archive and a kernel environment."""
    return _load("running").house(request.session)


@pytest.fixture(scope="session")
def copy(house: Any) -> Any:
    """The running copy."""
    return house.running()


@pytest.fixture(scope="session")
def until() -> Any:
    """Polls until something is so."""
    return _load("running").until


@pytest.fixture(scope="session")
def processes() -> Any:
    """Processes that name a data folder."""
    return _load("running").processes


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser. It ends with the module: its event loop would be in the way of tests that are coroutines."""
    with _load("browsing").chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def visitor(chromium: Any, copy: Any) -> Any:
    """Lets somebody new in, who knows nothing but the address."""
    return lambda: _load("browsing").Visitor.enter(chromium, copy.url)


@pytest.fixture(scope="session")
def person_module() -> Any:
    """The demo's person."""
    return _load("running").person
