"""The scenarios try the parameters that they name: without one of them the outputs would be others."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swath.contract.scenarios import Scenario

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
references = sys.modules["swath_tests_algorithms_references"]
pytestmark = pytest.mark.integration

#: What chooses the data matters anyway, and the independent paths would take long over all of them.
DATA = {"collection", "collections", "sensor_scores", "spatial_extent", "parcels", "zones"}
#: The level-1C sample has one date.
ONE_DATE = {"cloud-mask": {"temporal_extent"}, "water-index": {"temporal_extent"}}
SLUGS = (
    "bap-composite",
    "burned-area-dnbr",
    "cloud-mask",
    "ndvi-timeseries",
    "water-index",
    "whittaker-smoothing",
    "zonal-statistics",
)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_parameter_of_a_scenario_matters(slug: str, raw: Any, tmp_path: Path) -> None:
    """Left at its default it would move an output beyond the tolerance, in one scenario at least."""
    idle = {name for one in scenarios.runnable(slug) for name in one.parameters} - DATA - ONE_DATE.get(slug, set())
    for scenario in scenarios.runnable(slug):
        for name in sorted(idle & set(scenario.parameters)):
            given = {one: value for one, value in scenario.parameters.items() if one != name}
            if moved(slug, replace(scenario, parameters=given), raw=raw, folder=tmp_path):
                idle.discard(name)
    assert idle == set()


def moved(slug: str, scenario: Scenario, *, raw: Any, folder: Path) -> bool:
    """Whether the outputs of a scenario are beyond the tolerance from the references, or there are none."""
    try:
        outputs = references.independent(slug).references(scenario, raw)
    except (ValueError, KeyError):
        return True
    for name, expected in scenario.outputs.items():
        reference = scenarios.ALGORITHMS / slug / expected.reference
        file = folder / f"{name}{reference.suffix}"
        references.write(outputs[name], file)
        if scenarios.compare(reference, file, expected):
            return True
    return False
