"""Publishing: immutable, idempotent, numbered by the interface's change, owned by its author."""

from __future__ import annotations

import copy
import sys
import threading
from pathlib import Path

import pytest
from swath_marketplace.domain.errors import BumpTooSmall, VersionExists, VersionYanked
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.artifacts import ArtifactDamaged
from swath_marketplace.testing import World, notebook, operator, service, user, write_environment
from swath_service.errors import Forbidden, Invalid, NotFound

ADA, BOB = user("ada"), user("bob")
TYPED = "# How many\nn: int = 3\n# New\nm: int = 1"
BROKEN = "# How many\nn: str = 'three'"


def test_the_same_content_is_the_same_version(world: World) -> None:
    first = world.registry.publish(ADA, notebook())
    again = world.registry.publish(ADA, copy.deepcopy(notebook()))
    assert (first.created, again.created) == (True, False)
    assert (first.version.version, first.version.digest) == (again.version.version, again.version.digest)
    assert first.version.version == "1.0.0"
    assert first.version.digest.startswith("sha256:")


def test_the_order_of_members_makes_no_other_version(world: World) -> None:
    first = notebook()
    turned = dict(reversed(list(first.items())))
    assert world.registry.publish(ADA, first).version.digest == world.registry.publish(ADA, turned).version.digest


@pytest.mark.parametrize(
    ("parameters", "version"),
    [("# Number of them\nn: int = 3", "1.0.1"), (TYPED, "1.1.0"), (BROKEN, "2.0.0")],
    ids=["words", "more", "broken"],
)
def test_without_a_number_it_gets_the_least_that_the_change_allows(world: World, parameters: str, version: str) -> None:
    world.registry.publish(ADA, notebook())
    made = world.registry.publish(ADA, notebook(parameters=parameters))
    assert (made.version.version, made.created) == (version, True)


def test_a_lesser_step_is_refused_with_what_breaks(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.2.0")
    with pytest.raises(BumpTooSmall) as refused:
        world.registry.publish(ADA, notebook(parameters=BROKEN), version="1.3.0")
    assert refused.value.extra == {"least_version": "2.0.0", "previous_version": "1.2.0"}
    assert [finding["field"] for finding in refused.value.findings] == ["parameters.n"]
    assert world.registry.publish(ADA, notebook(parameters=BROKEN), version="2.0.0").created


def test_a_taken_number_names_the_difference_and_the_next_number(world: World) -> None:
    world.registry.publish(ADA, notebook(version="1.0.0"))
    with pytest.raises(VersionExists) as refused:
        world.registry.publish(ADA, notebook(version="1.0.0", parameters=TYPED))
    assert refused.value.extra["least_version"] == "1.1.0"
    fields = [finding["field"] for finding in refused.value.findings]
    assert "notebook" in fields
    assert "parameters.m" in fields


def test_another_lock_is_another_version(world: World, data: Path) -> None:
    first = world.registry.publish(ADA, notebook()).version
    write_environment(data, python=sys.executable, lock="newer lock")
    second = world.registry.publish(ADA, notebook()).version
    assert (second.version, second.digest != first.digest) == ("1.0.1", True)
    write_environment(data, python=sys.executable, lock="newest lock")
    with pytest.raises(VersionExists) as refused:
        world.registry.publish(ADA, notebook(), version="1.0.0")
    assert [finding["field"] for finding in refused.value.findings] == ["environment"]


def test_every_finding_is_told_at_once(world: World) -> None:
    wrong = notebook("x = (", parameters="n = 3\nm: Widget = 1", environment="moon", resources={"cpus": 50})
    with pytest.raises(Invalid) as refused:
        world.registry.publish(ADA, wrong)
    codes = {finding["code"] for finding in refused.value.findings}
    assert len(codes) >= 4, codes
    assert {"syntax-error", "unknown-environment"} <= codes
    assert all(finding["message"] and finding["mend"] for finding in refused.value.findings)
    assert world.registry.search(ADA, limit=10)[1] == 0, "nothing of it is stored"


@pytest.mark.parametrize(
    ("resources", "code"),
    [
        ({"cpus": 50}, "resources-too-large"),
        ({"memory_mb": 100_000}, "resources-too-large"),
        ({"dask": True}, "dask-not-available"),
    ],
)
def test_what_this_machine_cannot_give_is_refused(world: World, resources: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        world.registry.publish(ADA, notebook(resources=resources))
    assert code in {finding["code"] for finding in refused.value.findings}


@pytest.mark.parametrize("value", ["1", "1.0", "v1.0.0", "1.0.0+build", "x", "01.0.0"])
def test_a_number_that_is_none_is_refused(world: World, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        world.registry.publish(ADA, notebook(), version=value)
    assert refused.value.code == "bad-version"
    assert world.registry.search(ADA, limit=10)[1] == 0


def deep(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [[], "text", 3, None, deep(5000), {"cells": float("nan")}, {"cells": "\ud800"}],
    ids=["list", "text", "number", "null", "deep", "nan", "surrogate"],
)
def test_what_is_no_notebook_is_told_so(world: World, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        world.registry.publish(ADA, value)
    assert refused.value.code == "not-a-notebook"


@pytest.mark.parametrize("value", [{}, {"cells": []}, {"nbformat": 4, "cells": [{"cell_type": "code"}]}, deep(50)])
def test_an_invalid_notebook_gives_findings(world: World, value: object) -> None:
    checked = world.registry.validate(ADA, value)
    assert not checked.ok
    assert checked.findings


def test_an_algorithm_belongs_to_who_published_it(world: World) -> None:
    world.registry.publish(ADA, notebook())
    mine = world.registry.publish(BOB, notebook(parameters=TYPED)).version
    assert (mine.owner, mine.version) == ("bob", "1.0.0")
    assert [version.version for version in world.registry.get(ADA, "ada/double").versions] == ["1.0.0"]


def test_a_service_publishes_nothing(world: World) -> None:
    with pytest.raises(Forbidden):
        world.registry.publish(service("ada"), notebook())


@pytest.mark.parametrize("scope", ["custom:swath:read", "custom:swath:execute"])
def test_publishing_needs_its_scope(world: World, scope: str) -> None:
    with pytest.raises(Forbidden) as refused:
        world.registry.publish(user("ada", scopes=[scope]), notebook())
    assert refused.value.code == "missing-scope"


def test_ranges_find_the_highest_version_and_pass_yanked_ones_over(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.0.0")
    world.registry.publish(ADA, notebook(parameters=TYPED), version="1.1.0")
    world.registry.publish(ADA, notebook(parameters=BROKEN), version="2.0.0")
    found = {
        text: world.registry.version(BOB, f"ada/double@{text}").version for text in ("^1", "~1.0", "latest", ">=1,<2")
    }
    assert found == {"^1": "1.1.0", "~1.0": "1.0.0", "latest": "2.0.0", ">=1,<2": "1.1.0"}
    world.registry.yank(ADA, "ada/double@1.1.0", reason="wrong numbers")
    assert world.registry.runnable(BOB, "ada/double@^1").version == "1.0.0"
    assert world.registry.version(BOB, "ada/double@1.1.0").yank_reason == "wrong numbers"
    with pytest.raises(VersionYanked, match="wrong numbers"):
        world.registry.runnable(BOB, "ada/double@1.1.0")
    with pytest.raises(VersionYanked):
        world.registry.publish(ADA, notebook(parameters=TYPED))


def test_a_yanked_version_is_no_measure_for_the_next(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.0.0")
    world.registry.publish(ADA, notebook(parameters=TYPED), version="1.1.0")
    world.registry.yank(ADA, "ada/double@1.1.0", reason="a mistake")
    back = world.registry.publish(ADA, notebook("import swath\nswath.emit('double', {'value': n + n})")).version
    assert back.version == "1.1.1"


def test_the_first_reason_of_a_yank_stands(world: World) -> None:
    world.registry.publish(ADA, notebook())
    world.registry.yank(ADA, "ada/double@1.0.0", reason="first")
    assert world.registry.yank(operator(), "ada/double@1.0.0", reason="second").yank_reason == "first"


@pytest.mark.parametrize("actor", [BOB, service("ada")], ids=["another", "a service of that name"])
def test_only_author_and_operators_yank(world: World, actor: object) -> None:
    world.registry.publish(ADA, notebook())
    with pytest.raises(Forbidden):
        world.registry.yank(actor, "ada/double@1.0.0", reason="because")


def test_a_yank_names_one_version(world: World) -> None:
    world.registry.publish(ADA, notebook())
    with pytest.raises(Invalid):
        world.registry.yank(ADA, "ada/double@^1", reason="because")


@pytest.mark.parametrize(
    "path", ["ada", "ada/", "/double", "ada/Double", "ada/double@!!", "a b/double", "../x/double", "ada/double@^"]
)
def test_a_name_that_is_none_is_told_so(world: World, path: str) -> None:
    world.registry.publish(ADA, notebook())
    with pytest.raises(Invalid):
        world.registry.version(ADA, path)


@pytest.mark.parametrize("path", ["ada/triple", "eve/double", "ada/double@^7", "ada/double@9.9.9"])
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    world.registry.publish(ADA, notebook())
    with pytest.raises(NotFound):
        world.registry.version(ADA, path)


def test_search_finds_words_in_whatever_case_and_takes_wildcards_as_they_are(world: World) -> None:
    world.registry.publish(ADA, notebook(name="ndvi-series", title="Vegetation 100% sure", keywords=["NDVI", "Crops"]))
    world.registry.publish(BOB, notebook(name="water", title="Water index"))

    def found(text: str, **more: str) -> list[str]:
        return [algorithm.name for algorithm in world.registry.search(ADA, text=text, limit=10, **more)[0]]

    assert found("crops VEGETATION") == ["ndvi-series"]
    assert found("100%") == ["ndvi-series"]
    assert found("%") == ["ndvi-series"]
    assert found("_") == []
    assert found("") == ["water", "ndvi-series"]
    assert found("", owner="bob") == ["water"]
    assert found("crops water") == []
    (first,), _ = world.registry.search(ADA, limit=1)
    page, total = world.registry.search(ADA, limit=1, after=(first.updated_at, first.id))
    assert ([algorithm.name for algorithm in page], total) == (["ndvi-series"], 2)


def test_an_algorithm_with_nothing_to_offer_is_not_listed(world: World) -> None:
    world.registry.publish(ADA, notebook())
    world.registry.yank(ADA, "ada/double@1.0.0", reason="a mistake")
    assert world.registry.search(BOB, limit=10)[1] == 0
    assert world.registry.get(BOB, "ada/double").latest is None


def test_a_race_of_publishers_leaves_one_version_of_each_number(world: World) -> None:
    books = [notebook(f"import swath\nswath.emit('double', {{'value': {i}}})") for i in range(8)]
    made: list[str] = []
    start = threading.Barrier(8)

    def publish(book: dict[str, object]) -> None:
        start.wait()
        made.append(world.registry.publish(ADA, book).version.version)

    threads = [threading.Thread(target=publish, args=(book,)) for book in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"1.0.{i}" for i in range(8)]


def test_a_damaged_notebook_is_noticed(world: World, data: Path) -> None:
    version = world.registry.publish(ADA, notebook()).version
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={}))
    address = version.notebook_sha256
    path = data / "marketplace" / "artifacts" / "sha256" / address[:2] / address
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ArtifactDamaged):
        world.registry.notebook(ADA, "ada/double")
    with pytest.raises(ArtifactDamaged):
        world.registry.package_of(run)
