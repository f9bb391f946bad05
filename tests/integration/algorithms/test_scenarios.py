"""Every shipped algorithm: what its scenarios bring back is what their references say, and nothing is left untried."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from swath.contract.notebook import read_notebook
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import Scenario

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
pytestmark = pytest.mark.integration

SECTIONS = (
    "What it does",
    "Method",
    "Parameters",
    "Outputs",
    "Limits",
    "Validation",
    "Cost and scale",
    "References",
    "Licence",
    "Contact",
)


def each(*, refused: bool) -> Any:
    cases = [(slug, one) for slug in scenarios.slugs() for one in scenarios.runnable(slug, refused=refused)]
    return pytest.mark.parametrize(("slug", "scenario"), cases, ids=[f"{slug}-{one.name}" for slug, one in cases])


@each(refused=False)
def test_the_outputs_agree_with_the_references(slug: str, scenario: Scenario, call: Callable[..., Any]) -> None:
    assert scenarios.disagreements(slug, scenario, call(slug, scenario)) == []


@each(refused=True)
def test_a_wrong_call_is_refused_as_the_scenario_says(slug: str, scenario: Scenario, call: Callable[..., Any]) -> None:
    assert scenarios.refused_otherwise(scenario, call(slug, scenario)) is None


@pytest.mark.parametrize("slug", scenarios.slugs())
def test_it_is_publishable_without_a_remark(slug: str) -> None:
    reading = read_notebook((scenarios.ALGORITHMS / slug / "notebook.ipynb").read_bytes(), environments={"eo"})
    assert reading.findings == ()


@pytest.mark.parametrize("slug", scenarios.slugs())
def test_the_scenarios_exercise_every_parameter_and_every_output(slug: str) -> None:
    interface = scenarios.interface_of(slug)
    tried, compared = set(), set()
    for scenario in scenarios.scenarios_of(slug):
        if scenario.refused is None:
            assert check_parameters(interface, scenario.parameters)[1] == (), scenario.name
            tried |= set(scenario.parameters)
            compared |= set(scenario.outputs)
    assert {parameter.name for parameter in interface.parameters} - tried == set()
    pictures = {output.name for output in interface.outputs if output.media_type == "image/png"}
    assert {output.name for output in interface.outputs} - pictures - compared == set()


@pytest.mark.parametrize("slug", scenarios.slugs())
def test_something_is_refused_and_something_runs_everywhere(slug: str) -> None:
    there = scenarios.scenarios_of(slug)
    assert [one for one in there if one.refused is not None]
    assert [one for one in there if one.refused is None and set(one.needs) <= scenarios.ALWAYS]


@pytest.mark.parametrize("slug", scenarios.slugs())
def test_references_are_small_and_none_is_left_over(slug: str) -> None:
    folder = scenarios.ALGORITHMS / slug
    used = {one.reference for scenario in scenarios.scenarios_of(slug) for one in scenario.outputs.values()}
    files = {path.relative_to(folder).as_posix(): path for path in (folder / "references").rglob("*") if path.is_file()}
    assert set(files) == used
    assert sum(path.stat().st_size for path in files.values()) < 400_000


@pytest.mark.parametrize("slug", scenarios.slugs())
def test_the_card_says_what_a_caller_has_to_know(slug: str) -> None:
    folder = scenarios.ALGORITHMS / slug
    card = (folder / "README.md").read_text()
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)
    interface = scenarios.interface_of(slug)
    named = [one.name for one in (*interface.parameters, *interface.outputs)]
    assert [name for name in named if f"`{name}`" not in card] == []
    lifecycle = (folder / "LIFECYCLE.md").read_text()
    assert "## Support" in lifecycle
    assert "## Deprecation" in lifecycle
