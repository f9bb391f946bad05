"""One filled archive and one run of each scenario, shared by all tests of a session."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SWATH = Path(sys.executable).with_name("swath")


def load(name: str) -> ModuleType:
    """A module beside this file: pytest's importlib mode puts no folder of tests on ``sys.path``."""
    full = f"swath_tests_algorithms_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


scenarios = load("scenarios")
references = load("references")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``swath archive init`` makes: the registries' samples, and the real series where their folder is there."""
    place = tmp_path_factory.mktemp("algorithms")
    fetched = Path(os.environ.get("SWATH_DATA") or ROOT / ".swath" / "data") / "cache"
    if fetched.is_dir():
        # Fetched before: linked, so that nothing is fetched again.
        shutil.copytree(fetched, place / "cache", copy_function=_link)
    found = scenarios.sources()
    given = {name: value for name, value in os.environ.items() if name not in ("SWATH_ARCHIVE_SOURCES", "SWATH_DATA")}
    command = [str(SWATH), "archive", "init", "--path", str(place / "archive"), "--json"]
    command += ["--from", str(found)] if found else []
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "archive"


@pytest.fixture(scope="session")
def raw(archive: Path) -> Any:
    """The archive's files as they lie on the disk, for the independent paths."""
    return load("raw").Raw(archive)


@pytest.fixture(scope="session")
def call(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Any], Any]:
    """Run a scenario by the real runner, each once a session."""
    done: dict[tuple[str, str], Any] = {}

    def run(slug: str, scenario: Any) -> Any:
        key = (slug, scenario.name)
        if key not in done:
            done[key] = scenarios.run(slug, scenario, folder=tmp_path_factory.mktemp("run"), archive=archive)
        return done[key]

    return run
