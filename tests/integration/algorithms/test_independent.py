"""The committed reference outputs are what a second, plain computation makes of the archive's files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from swath.contract.scenarios import Scenario

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
spec = importlib.util.spec_from_file_location("write_references", Path(__file__).with_name("write_references.py"))
assert spec is not None
assert spec.loader is not None
references = importlib.util.module_from_spec(spec)
spec.loader.exec_module(references)
pytestmark = pytest.mark.integration

CASES = [(slug, one) for slug in references.PATHS for one in scenarios.runnable(slug)]


@pytest.mark.parametrize(("slug", "scenario"), CASES, ids=[f"{slug}-{one.name}" for slug, one in CASES])
def test_the_references_are_what_numpy_makes_of_the_files(slug: str, scenario: Scenario, raw: Any) -> None:
    outputs = references.computed(slug, scenario, raw=raw)
    folder = scenarios.ALGORITHMS / slug
    planes = references.load("planes")
    told = {
        name: list(planes.differences(outputs[name], folder / expected.reference))
        for name, expected in scenario.outputs.items()
    }
    assert {name: differences for name, differences in told.items() if differences} == {}
