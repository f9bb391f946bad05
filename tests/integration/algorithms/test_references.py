"""The committed references are what the independent paths compute, here and now."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from swath.contract.scenarios import Scenario

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
references = sys.modules["swath_tests_algorithms_references"]
pytestmark = pytest.mark.integration

SLUGS = tuple(
    slug for slug in scenarios.slugs() if Path(__file__).with_name(f"independent_{slug.replace('-', '_')}.py").is_file()
)
CASES = [(slug, scenario) for slug in SLUGS for scenario in scenarios.runnable(slug)]


@pytest.mark.parametrize(("slug", "scenario"), CASES, ids=[f"{slug}-{one.name}" for slug, one in CASES])
def test_a_reference_is_what_the_independent_path_gives(slug: str, scenario: Scenario, raw: Any) -> None:
    made = references.independent(slug).references(scenario, raw)
    for name, expected in scenario.outputs.items():
        path = scenarios.ALGORITHMS / slug / expected.reference
        assert sha256(path.read_bytes()).hexdigest() == expected.sha256
        assert references.differs(made[name], path) is None, name
