"""The committed reference outputs are what a second, plain computation makes of the archive's files."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swath.contract.parameters import check_parameters
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


@pytest.mark.parametrize("slug", [slug for slug in references.PATHS if slug != "echo"])
def test_every_parameter_of_a_scenario_matters(slug: str, raw: Any, tmp_path: Path) -> None:
    """Left at its default it would move an output beyond the tolerance: the scenarios try it, not only name it."""
    defaults, _ = check_parameters(scenarios.interface_of(slug), {})
    # What chooses the data matters anyway, and other data take long.
    idle = set(defaults) - {"collection", "collections", "sensor_scores", "spatial_extent", "parcels"}
    for scenario in scenarios.runnable(slug):
        for name in sorted(idle & set(scenario.parameters)):
            given = {one: value for one, value in scenario.parameters.items() if one != name}
            if moved(slug, replace(scenario, parameters=given), raw=raw, folder=tmp_path):
                idle.discard(name)
    # Without the richer archive some have no scenario that can be run.
    tried = {name for one in scenarios.runnable(slug) for name in one.parameters}
    assert idle & tried == set()


def moved(slug: str, scenario: Scenario, *, raw: Any, folder: Path) -> bool:
    """Whether the outputs of a scenario are beyond the tolerance from the references, or there are none."""
    try:
        outputs = references.computed(slug, scenario, raw=raw)
    except (ValueError, KeyError):
        return True
    planes = references.load("planes")
    for name, expected in scenario.outputs.items():
        file = folder / f"{name}{planes.suffix(outputs[name])}"
        planes.write(outputs[name], file)
        if scenarios.compare(scenarios.ALGORITHMS / slug / expected.reference, file, expected):
            return True
    return False
