"""The session's running copy of Swath, the same that the end-to-end tests use, and who follows the pages on it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swath_hub.start import INITIAL_ADMIN

HERE = Path(__file__).parent


def load(name: str, path: Path) -> ModuleType:
    """A module from its file, the same for every folder of tests that loads it."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def copy(request: pytest.FixtureRequest) -> Any:
    """The running copy."""
    running = load("swath_tests_running", HERE.parent / "e2e" / "running.py")
    return running.house(request.session).running()


@pytest.fixture(scope="session")
def variables(copy: Any) -> Any:
    """Name of a person -> the environment in which that person works, signed in."""
    known: dict[str, dict[str, str]] = {}

    def of(name: str) -> dict[str, str]:
        if name not in known:
            running = sys.modules["swath_tests_running"]
            if name == "operator":
                secret = (copy.data / "secrets" / "initial-password").read_text().split()[-1]
                person = running.person.Person(copy.url, INITIAL_ADMIN, secret)
            else:
                person = copy.person(name)
            known[name] = {"SWATH_URL": copy.url, "SWATH_TOKEN": person.token("docs")}
            if name == "operator":
                known[name]["SWATH_DATA"] = str(copy.data)
        return known[name]

    return of


@pytest.fixture
def desk(tmp_path: Path, copy: Any, variables: Any) -> Any:
    """Makes the place where a person follows a page; every one is closed with the test."""
    examples = load("swath_tests_examples", HERE / "examples.py")
    made: list[Any] = []

    def of(person: str) -> Any:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        machine = {"TMPDIR": os.environ.get("TMPDIR", "/tmp")}
        made.append(examples.Desk(folder, variables={**machine, **variables(person)}, url=copy.url))
        return made[-1]

    yield of
    for one in made:
        one.close()
