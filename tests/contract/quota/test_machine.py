"""The state machine of `machine.py`, a few examples on each store; many more by ``make machine``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_NAME = "swath_tests_machine"
_SPEC = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("machine.py"))
assert _SPEC
assert _SPEC.loader
machine = importlib.util.module_from_spec(_SPEC)
sys.modules[_NAME] = machine
_SPEC.loader.exec_module(machine)
#: The same examples at every run: a test that fails now and then tells nobody anything.
SEED = 20_260_129


def test_service_and_model_agree_in_memory() -> None:
    examples, steps = machine.run(machine.memory, examples=120, seed_=SEED)
    assert examples >= 120
    assert steps >= 1_000


def test_service_and_model_agree_on_sqlite(tmp_path: Path) -> None:
    examples, _ = machine.run(machine.sqlite_stores(tmp_path), examples=15, seed_=SEED)
    assert examples >= 15
    assert sorted(found.name for found in tmp_path.glob("*.sqlite")) == ["template.sqlite"]


def test_service_and_model_agree_on_postgresql(postgres_database: str) -> None:
    examples, _ = machine.run(machine.postgresql_stores(postgres_database), examples=15, seed_=SEED)
    assert examples >= 15


def test_a_model_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the machine can fail. Here the model never lets anything lapse."""
    monkeypatch.setattr(sys.modules["swath_tests_model"].GrantBox, "over", lambda self, now: False)
    with pytest.raises((AssertionError, ExceptionGroup)) as caught:
        machine.run(machine.memory, examples=300, seed_=SEED)
    # Hypothesis groups them where it finds several.
    found = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else (caught.value,)
    assert all(isinstance(one, AssertionError) for one in found)
