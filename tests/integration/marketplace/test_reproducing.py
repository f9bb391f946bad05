"""Real runs in the sandbox, reproduced: one of each kind, with the verdict and the cause it has to have."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swath_marketplace.testing import given_up

pytestmark = pytest.mark.integration

CHAOS = Path(__file__).parents[2] / "chaos"
#: Those that only tell the same as another are left to the script that does a hundred.
LEFT_OUT = {"arithmetic", "raster", "altered"}


def load(name: str) -> ModuleType:
    """A module of the scripts: pytest's importlib mode puts no folder of tests on ``sys.path``."""
    spec = importlib.util.spec_from_file_location(f"swath_chaos_{name}", CHAOS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each kind, run and reproduced once."""
    reproducing, plain = load("reproducing"), load("plain_swath")
    data = tmp_path_factory.mktemp("reproducing") / "data"
    data.mkdir()
    cases = reproducing.cases_of({kind.name: 1 for kind in reproducing.KINDS if kind.name not in LEFT_OUT})
    place = reproducing.Place(data)
    place.make(cases)
    allowed = {f"SWATH_ALLOW_{allow.name}": "1" for allow in given_up()}
    swath = plain.PlainSwath(
        data, python=place.python, editable=True, users=reproducing.USERS, slots_cpus=4, settings=allowed
    )
    try:
        for service in ("quota", "marketplace"):
            swath.start(service)
        for service in ("quota", "marketplace"):
            swath.wait_ready(service)
        reproducing.reproduce(cases, place, swath.client, seconds=600)
    finally:
        swath.close()
    return {case.kind.name: case for case in cases}


@pytest.mark.parametrize(
    "kind",
    [
        "scene", "seeded", "seed", "clock", "order", "noise", "replaced", "gone", "grown", "package", "broken",
        "yanked",
    ],
)  # fmt: skip
def test_the_verdict_is_right_and_names_its_cause(cases: dict[str, Any], kind: str) -> None:
    assert cases[kind].right, cases[kind].found


def test_what_differs_says_where(cases: dict[str, Any]) -> None:
    (difference,) = cases["seed"].found["comparisons"]["result"]["differences"]
    assert difference["where"] == "$.value"
    assert difference["expected"] != difference["found"]
