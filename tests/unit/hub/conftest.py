"""Hashing made cheap: what it costs is a constant, and the tests ask about everything else."""

from __future__ import annotations

import pytest
from swath_hub import users


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_N", 2**10)
