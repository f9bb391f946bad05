"""What nobody may ask for, and what no dossier may hold: a clear error each, and nothing half-recorded."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from swath_marketplace.domain.errors import NothingToBenchmark, VersionYanked
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import World, notebook, service, user
from swath_service.errors import Forbidden, Invalid, NotFound

ADA, BOB = user("ada"), user("bob")
PATH = "ada/double@1.0.0"
SIX = b'{"value": 6}'


@pytest.fixture(autouse=True)
def _published(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.0.0")


def files() -> dict[str, bytes]:
    """A dossier that may be put."""
    return {
        "scenarios/three.json": json.dumps({"title": "Three", "parameters": {"n": 3}, **_outputs()}).encode(),
        "references/three/double.json": SIX,
    }


def nothing_is_recorded(world: World) -> bool:
    version = world.registry.version(ADA, PATH)
    store = RoundStore(world.made.database)
    return not store.open() and store.latest(version.algorithm_id, version.digest) is None


def test_what_may_be_put_is_benchmarked(world: World) -> None:
    world.made.context.dossiers.put(ADA, PATH, files())
    assert len(RoundStore(world.made.database).open()) == 1


def _outputs(**changed: Any) -> dict[str, Any]:
    good = {"reference": "references/three/double.json", "sha256": hashlib.sha256(SIX).hexdigest()}
    return {"outputs": {"double": {**good, **changed}}}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"outputs": {"double": {"reference": "references/three/double.json", "sha256": "1"}}}, "scenarios/three.json"),
        ({"outputs": {"triple": {}}}, "scenarios/three.json"),
        (_outputs(reference="../secret.json"), "scenarios/three.json"),
        (_outputs(reference="/etc/passwd"), "scenarios/three.json"),
        (_outputs(reference="references/gone.json"), "scenarios/three.outputs.double.reference"),
        (_outputs(sha256="0" * 64), "scenarios/three.outputs.double.sha256"),
        (_outputs(sha256=0), "scenarios/three.json"),
        ({"parameters": {"n": "many"}}, "scenarios/three.parameters.n"),
        ({"parameters": {"m": 3}}, "scenarios/three.parameters"),
        ({"refused": {"code": "never"}, "outputs": {}}, "scenarios/three.json"),
        ({"needs": [""]}, "scenarios/three.json"),
        ({"title": ""}, "scenarios/three.json"),
        ({"more": 1}, "scenarios/three.json"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_finding_and_nothing_is_recorded(
    world: World, changed: dict[str, Any], field: str
) -> None:
    sent = files()
    sent["scenarios/three.json"] = json.dumps({**json.loads(sent["scenarios/three.json"]), **changed}).encode()
    with pytest.raises(Invalid) as told:
        world.made.context.dossiers.put(ADA, PATH, sent)
    assert any(str(finding["field"]).startswith(field) for finding in told.value.findings), told.value.findings
    assert nothing_is_recorded(world)


@pytest.mark.parametrize(
    "tolerance",
    [{"rtol": -1}, {"rtol": "x"}, {"atol": float("nan")}, {"share": 1.5}, {"nearly": 1}, {"ignore": "$.x"}],
)
def test_a_bad_tolerance_is_refused(world: World, tolerance: dict[str, Any]) -> None:
    sent = files()
    data = json.loads(sent["scenarios/three.json"])
    data["outputs"]["double"]["tolerance"] = tolerance
    sent["scenarios/three.json"] = json.dumps(data).encode()
    with pytest.raises(Invalid):
        world.made.context.dossiers.put(ADA, PATH, sent)
    assert nothing_is_recorded(world)


@pytest.mark.parametrize(
    ("actor", "path", "error", "code"),
    [
        (BOB, PATH, Forbidden, "not-the-owner"),
        (service(), PATH, Forbidden, "not-the-owner"),
        (user("ada", scopes=["custom:swath:read"]), PATH, Forbidden, "missing-scope"),
        (ADA, "ada/double@^1", Invalid, "not-a-version"),
        (ADA, "ada/double@nonsense", Invalid, "not-a-version"),
        (ADA, "ada/double@9.9.9", NotFound, "no-such-version"),
        (ADA, "ada/other@1.0.0", NotFound, "no-such-algorithm"),
        (ADA, "ada/bare@1.0.0", NothingToBenchmark, "no-scenarios"),
        (ADA, "ada/gone@1.0.0", VersionYanked, "version-yanked"),
    ],
)
def test_what_nobody_may_ask_for(world: World, actor: Any, path: str, error: type[Exception], code: str) -> None:
    for name in ("bare", "gone"):
        world.registry.publish(ADA, notebook(name=name), version="1.0.0")
    world.registry.yank(ADA, "ada/gone@1.0.0", reason="a mistake")
    with pytest.raises(error) as told:
        world.made.context.rounds.ask(actor, path)
    assert getattr(told.value, "code", "") == code
    assert nothing_is_recorded(world)
