"""Hashing made cheap: what it costs is a constant, and the tests ask about everything else."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from swath_hub import users

_QUOTA = "swath_tests_lab_quota"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_N", 2**10)


@pytest.fixture(scope="session")
def lab_quota() -> ModuleType:
    """The module with `LabQuotaDouble`."""
    if _QUOTA not in sys.modules:
        spec = importlib.util.spec_from_file_location(_QUOTA, Path(__file__).with_name("lab_quota.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[_QUOTA] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[_QUOTA]
