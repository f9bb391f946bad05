"""Scenarios and tolerances as people write them: each fault names its member."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from swath.contract.comparison import Comparison, Difference, Tolerance, Verdict, worst
from swath.contract.fields import ContractError
from swath.contract.scenarios import Scenario

GOOD: dict[str, Any] = {
    "title": "A season",
    "parameters": {"n": 3},
    "outputs": {"double": {"reference": "references/a/double.json", "sha256": "0" * 64, "tolerance": {"rtol": 0.001}}},
    "needs": ["sentinel-2-l2a"],
}
REFUSED: dict[str, Any] = {"title": "Too small", "parameters": {"n": -1}, "refused": {"code": "invalid"}}


@pytest.mark.parametrize("document", [GOOD, REFUSED])
def test_a_scenario_survives_being_written_and_read(document: dict[str, Any]) -> None:
    scenario = Scenario.from_dict("season", document)
    assert Scenario.from_dict("season", json.loads(json.dumps(scenario.as_dict()))) == scenario


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            document = document[parent]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "member"),
    [
        (_set("title", ""), "scenario season.title"),
        (_set("titel", "x"), "unknown member 'titel'"),
        (_set("parameters", [1]), "scenario season.parameters"),
        (_set("outputs", {}), "either 'outputs' or 'refused'"),
        (_set("refused", {"code": "invalid"}), "either 'outputs' or 'refused'"),
        (_set("outputs.double.sha256", "0" * 63), "scenario season.outputs.double.sha256"),
        (_set("outputs.double.sha256", "G" * 64), "scenario season.outputs.double.sha256"),
        (_set("outputs.double.reference", "../secret"), "scenario season.outputs.double.reference"),
        (_set("outputs.double.reference", "/etc/passwd"), "scenario season.outputs.double.reference"),
        (_set("outputs.double.reference", ""), "scenario season.outputs.double.reference"),
        (_set("outputs.double.tolerance", {"rtol": -1}), "scenario season.outputs.double.tolerance.rtol"),
        (_set("outputs.double.tolerance", {"rtol": float("nan")}), "scenario season.outputs.double.tolerance.rtol"),
        (_set("outputs.double.tolerance", {"share": 1.1}), "scenario season.outputs.double.tolerance.share"),
        (_set("outputs.double.tolerance", {"ignore": [1]}), "scenario season.outputs.double.tolerance.ignore"),
        (_set("outputs.double.tolerance", {"ignore": ["x" * 301]}), "scenario season.outputs.double.tolerance.ignore"),
        (_set("outputs.double.tolerance", {"tol": 1}), "unknown member 'tol'"),
        (_set("needs", [""]), "scenario.needs"),
    ],
)
def test_each_fault_names_its_member(change: Callable[[dict[str, Any]], None], member: str) -> None:
    document = copy.deepcopy(GOOD)
    change(document)
    with pytest.raises(ContractError) as fault:
        Scenario.from_dict("season", document)
    assert member in str(fault.value)


@pytest.mark.parametrize("name", ["", "Season", "a/b", "../a", "a" * 64])
def test_a_name_is_a_slug(name: str) -> None:
    with pytest.raises(ContractError, match="name"):
        Scenario.from_dict(name, GOOD)


def test_a_refusal_is_one_of_two() -> None:
    with pytest.raises(ContractError, match=r"scenario season\.refused\.code"):
        Scenario.from_dict("season", {**REFUSED, "refused": {"code": "nothing"}})


def test_the_worst_verdict_counts() -> None:
    made = {
        "a": Comparison(verdict=Verdict.IDENTICAL, kind="json", message="the same"),
        "b": Comparison(
            verdict=Verdict.DIFFERS,
            kind="raster",
            message="3 pixels",
            compared=9,
            differing=3,
            largest=0.5,
            differences=(Difference(where="row 1", expected="1", found="2", distance=1.0),),
        ),
    }
    assert worst(made) is Verdict.DIFFERS
    assert worst({}) is Verdict.INCOMPARABLE
    assert Comparison.from_dict(json.loads(json.dumps(made["b"].as_dict()))) == made["b"]
    assert Tolerance.from_dict(Tolerance(rtol=1e-3, ignore=("$.a",)).as_dict()) == Tolerance(rtol=1e-3, ignore=("$.a",))
