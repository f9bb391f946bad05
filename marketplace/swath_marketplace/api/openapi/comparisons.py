"""Doors of comparisons."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from swath.contract.comparison import Verdict

from swath_marketplace.api.openapi.door import Door, Word


class Difference(Word):
    """One place where two results differ."""

    where: str
    expected: str
    found: str
    distance: float | None


class Tolerance(Word):
    """How far apart results may be."""

    rtol: float
    atol: float
    share: float
    distance: float
    ignore: list[str]


class Sides(Word):
    """What the picture of both sides and their difference shows."""

    band: str
    unit: str
    low: float | None
    high: float | None
    span: float | None
    mean: float | None
    raised: int
    lowered: int


class Compared(Word):
    """What the comparison of one output found."""

    verdict: Verdict
    kind: str
    message: str
    compared: int
    differing: int
    largest: float | None
    differences: list[Difference]
    picture: str | None
    sides: Sides | None = None
    tolerance: Tolerance | None = None


class RunComparison(Word):
    """A run held against another, output by output."""

    run: str
    with_: str = Field(alias="with")
    verdict: Verdict
    scenario: str | None
    comparisons: dict[str, Compared]
    links: dict[str, str]


class ScenarioComparison(Word):
    """The outputs of a scenario of two versions."""

    verdict: Verdict | None
    message: str
    comparisons: dict[str, Compared]


class VersionComparison(Word):
    """A version held against another."""

    algorithm: str
    version: str
    with_: str = Field(alias="with")
    interface: dict[str, Any]
    same_notebook: bool
    same_environment: bool
    scenarios: dict[str, ScenarioComparison]


DOORS = {
    "GET runs/{run_id}/comparison": Door(id="compare_runs", answer=RunComparison, refusals=(409,)),
    "GET runs/{run_id}/comparison/pictures/{output}": Door(
        id="get_comparison_picture", answer="image/png", refusals=(409,)
    ),
    "GET algorithms/{owner}/{name}/versions/{version}/comparison": Door(
        id="compare_versions", answer=VersionComparison, refusals=(409,)
    ),
}
