"""A small archive for the tests of this room."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    name = "swath_tests_small_archive"
    if name not in sys.modules:
        path = Path(__file__).parents[2] / "unit/archive/small_archive.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """What the small archive holds and how it is made."""
    return _load()


@pytest.fixture(scope="session")
def small_archive(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive that no test may write to."""
    root = tmp_path_factory.mktemp("small") / "archive"
    assert small.build(root).ok
    return root


@pytest.fixture
def service(small: ModuleType, small_archive: Path, tmp_path: Path) -> Iterator[str]:
    """Address of a running archive service over the small archive; the token `reader` may read."""
    with small.serving(small_archive, tmp_path / "data") as url:
        yield url
