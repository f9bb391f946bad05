"""Walks through what runs read and made, over each database."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.lineage import Direction, Lineage, Make, NodeKind, Use, makes_of, uses_of
from swath_marketplace.domain.lineage_graph import downstream, upstream
from swath_marketplace.domain.runs import OutputFile, Run, RunStatus, SettlementKind, Stage
from swath_marketplace.store import lineage, tables
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.lineage import LineageStore
from swath_marketplace.store.run_rows import values_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

#: ``ended("r1", reads=[...], makes={...}, at=3)``
Ended = Callable[..., Run]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def scene(item: str, asset: str = "B04", **more: Any) -> dict[str, Any]:
    """An input as a run's record has it."""
    path = f"collections/s2/{item}/{asset}.tif"
    told = {"collection": "s2", "item": item, "asset": asset, "sha256": sha(f"{item}/{asset}"), "path": path}
    return {**told, "observed": "served", **more}


def result(text: str, **more: Any) -> dict[str, Any]:
    """An input that is what a run made, after it was ingested."""
    return scene(f"item-{text}", "data", sha256=sha(text), **more)


@pytest.fixture
def ended(database: Database) -> Ended:
    made = AlgorithmVersion(
        algorithm_id="",
        owner="ada",
        name="double",
        version="1.0.0",
        digest="sha256:1",
        notebook_sha256="0" * 64,
        interface={"parameters": [], "outputs": []},
        metadata={"title": "Doubles"},
        environment="eo",
        environment_lock_sha256="1" * 64,
        resources=Resources(),
        published_at=NOW,
    )

    def decide(algorithm_id: str, _: object) -> AlgorithmVersion:
        return AlgorithmVersion(
            **{name: getattr(made, name) for name in made.__slots__ if name != "algorithm_id"},
            algorithm_id=algorithm_id,
        )

    version, _ = AlgorithmStore(database).publish(owner="ada", name="double", at=NOW, decide=decide)

    def add(
        run_id: str,
        *,
        reads: Sequence[Mapping[str, Any]] = (),
        makes: Mapping[str, str] | None = None,
        at: float,
        caller: str = "bob",
    ) -> Run:
        """A run that began `at` minutes after noon and took half a minute."""
        began = NOW + timedelta(minutes=at)
        outputs = {"out": run_id} if makes is None else makes
        run = Run(
            id=run_id,
            algorithm_id=version.algorithm_id,
            owner="ada",
            name="double",
            version="1.0.0",
            digest="sha256:1",
            caller=caller,
            parameters={"n": 1},
            resources=Resources(),
            quote_millicredits=1,
            cost_millicredits=1,
            created_at=began,
            started_at=began,
            ended_at=began + timedelta(seconds=30),
            stage=Stage.TERMINAL,
            outcome=RunStatus.FINISHED,
            settlement=SettlementKind.CAPTURED,
            inputs=tuple(reads),
            outputs=tuple(
                OutputFile(name=name, media_type="image/tiff", bytes=1, sha256=sha(text))
                for name, text in outputs.items()
            ),
        )
        asked = {
            name: getattr(run, name)
            for name in ("id", "algorithm_id", "owner", "name", "version", "digest", "caller", "parameters")
        }
        asked |= {"resources": {}, "created_at": began, "desired": "finished", "request_sha256": "s"}
        with database.write() as connection:
            connection.execute(tables.runs.insert().values({**values_of(run), **asked}))
            lineage.record(connection, run)
        return run

    return add


@pytest.fixture
def store(database: Database) -> LineageStore:
    return LineageStore(database)


def up(store: LineageStore, run_id: str, *, who: str = "bob", depth: int = 1000, most: int = 1000) -> Lineage:
    trail = store.up([run_id])
    return upstream(trail, roots=[run_id], sees=lambda facts: facts.caller == who, depth=depth, most=most)


def down(store: LineageStore, run_id: str, *, who: str = "bob") -> Lineage:
    trail = store.down([run_id])
    return downstream(trail, roots=[run_id], sees=lambda facts: facts.caller == who, depth=1000, most=1000)


def edges(found: Lineage) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in found.edges}


def test_a_result_comes_through_runs_from_scenes(store: LineageStore, ended: Ended) -> None:
    ended("a", reads=[scene("S1", "B04"), scene("S1", "B08")], at=0)
    ended("b", reads=[result("a"), scene("S2")], at=1)
    found = up(store, "b")
    assert edges(found) == {("run:a", "run:b"), ("scene:s2/S1", "run:a"), ("scene:s2/S2", "run:b")}
    assert (found.root, found.direction, found.cut_off) == ("run:b", Direction.UP, False)
    between = next(edge for edge in found.edges if edge.source == "run:a")
    assert (between.files[0].output, between.files[0].asset, between.files[0].sha256) == ("out", "data", sha("a"))
    scenes = next(edge for edge in found.edges if edge.source == "scene:s2/S1")
    assert [one.asset for one in scenes.files] == ["B04", "B08"]
    assert {node.id: node.depth for node in found.nodes}["scene:s2/S1"] == 2


def test_down_finds_what_was_made_of_a_result(store: LineageStore, ended: Ended) -> None:
    ended("a", at=0)
    ended("b", reads=[result("a")], at=1)
    ended("c", reads=[result("a"), scene("S1")], at=1)
    ended("d", reads=[result("b"), result("c")], at=2)
    found = down(store, "a")
    wanted = {("run:a", "run:b"), ("run:a", "run:c"), ("run:b", "run:d"), ("run:c", "run:d")}
    assert (edges(found), found.hidden_runs) == (wanted, 0)


def test_the_first_to_make_bytes_is_where_they_come_from(store: LineageStore, ended: Ended) -> None:
    ended("first", reads=[scene("S1")], makes={"out": "same"}, at=0)
    ended("again", reads=[scene("S1")], makes={"out": "same"}, at=1)
    ended("late", reads=[result("same")], at=2)
    assert ("run:first", "run:late") in edges(up(store, "late"))
    assert "run:again" not in {node.id for node in up(store, "late").nodes}
    # Who asks about the second one all the same wants to know what became of its bytes.
    assert edges(down(store, "again")) == {("run:again", "run:late")}


def test_a_run_that_copies_a_scene_is_not_where_it_comes_from(store: LineageStore, ended: Ended) -> None:
    ended("copy", reads=[scene("S1")], makes={"out": "S1/B04"}, at=0)
    ended("late", reads=[scene("S1")], at=1)
    assert edges(up(store, "late")) == {("scene:s2/S1", "run:late")}
    assert edges(up(store, "copy")) == {("scene:s2/S1", "run:copy")}


def test_bytes_read_before_they_were_made_come_from_elsewhere(store: LineageStore, ended: Ended) -> None:
    ended("reader", reads=[result("a")], at=0)
    ended("a", at=1)
    assert edges(up(store, "reader")) == {("scene:s2/item-a", "run:reader")}


def test_a_circle_is_walked_once(store: LineageStore, ended: Ended, database: Database) -> None:
    ended("a", reads=[result("b")], at=0)
    ended("b", reads=[result("a")], at=1)
    # A clock that was set back: each began after the other had ended.
    with database.write() as connection:
        table = lineage.uses
        connection.execute(table.update().values(used_at=NOW + timedelta(hours=1)))
    found = up(store, "a")
    assert edges(found) == {("run:a", "run:b"), ("run:b", "run:a")}
    assert edges(down(store, "a")) == edges(found)


def test_two_outputs_may_be_one_file(store: LineageStore, ended: Ended) -> None:
    ended("a", makes={"one": "same", "two": "same"}, at=0)
    ended("b", reads=[result("same")], at=1)
    (edge,) = up(store, "b").edges
    assert [one.output for one in edge.files] == ["one"]


def test_an_input_without_a_hash_is_a_source(store: LineageStore, ended: Ended) -> None:
    ended("a", reads=[{"path": "loose/x.tif"}, {"path": "loose/x.tif"}, scene("S1", sha256="")], at=0)
    found = up(store, "a")
    assert {(node.kind, node.title) for node in found.nodes[1:]} == {
        (NodeKind.FILE, "loose/x.tif"),
        (NodeKind.SCENE, "s2/S1"),
    }
    assert len(found.edges) == 2


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_depth_is_bounded_and_says_so(store: LineageStore, ended: Ended, depth: int) -> None:
    for step in range(6):
        ended(f"r{step}", reads=[result(f"r{step - 1}")] if step else [], at=step)
    found = up(store, "r5", depth=depth)
    assert [node.id for node in found.nodes] == [f"run:r{5 - far}" for far in range(depth + 1)]
    assert [node.cut for node in found.nodes] == [False] * depth + [True]
    assert found.cut_off


def test_nodes_are_bounded_and_say_so(store: LineageStore, ended: Ended) -> None:
    ended("a", reads=[scene(f"S{number}") for number in range(20)], at=0)
    found = up(store, "a", most=10)
    assert (len(found.nodes), found.cut_off, found.nodes[0].cut) == (10, True, True)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_walk_ends_after_so_many_runs(store: LineageStore, ended: Ended, way: str) -> None:
    for step in range(8):
        ended(f"r{step}", reads=[result(f"r{step - 1}")] if step else [], at=step)
    trail = store.up(["r7"], most=3) if way == "up" else store.down(["r0"], most=3)
    assert trail.cut_off
    assert list(trail.runs) == (["r7", "r6", "r5"] if way == "up" else ["r0", "r1", "r2"])
    if way == "up":
        found = upstream(trail, roots=["r7"], sees=lambda _: True, depth=100, most=100)
        assert [node.id for node in found.nodes if node.cut] == ["run:r5"]


def test_others_runs_are_told_without_names(store: LineageStore, ended: Ended) -> None:
    ended("a", reads=[scene("S1")], at=0, caller="eve")
    ended("b", reads=[result("a")], at=1)
    other = next(node for node in up(store, "b").nodes if node.kind is NodeKind.RUN and node.depth)
    assert (other.id, other.run, other.algorithm, other.version) == ("other:1", None, "ada/double", "1.0.0")
    assert ("scene:s2/S1", "other:1") in edges(up(store, "b"))


def test_a_claim_opens_nobody_elses_run(store: LineageStore, ended: Ended) -> None:
    ended("a", reads=[scene("S1")], at=0, caller="eve")
    ended("b", reads=[result("a", observed="reported")], at=1)
    found = up(store, "b")
    assert edges(found) == {("other:1", "run:b")}
    assert next(node for node in found.nodes if node.id == "other:1").cut


def test_down_others_are_shown_between_own_runs_and_else_counted(store: LineageStore, ended: Ended) -> None:
    ended("a", at=0)
    ended("eves", reads=[result("a")], at=1, caller="eve")
    ended("mine", reads=[result("eves")], at=2)
    for number in range(3):
        ended(f"more{number}", reads=[result("a")], at=3, caller="eve")
    found = down(store, "a")
    assert edges(found) == {("run:a", "other:1"), ("other:1", "run:mine")}
    assert found.hidden_runs == 3


def test_who_made_and_who_read(store: LineageStore, ended: Ended) -> None:
    ended("a", makes={"out": "same"}, at=1)
    ended("b", makes={"out": "same"}, at=0, caller="eve")
    ended("c", reads=[result("same")], at=2)
    assert [(make.run_id, caller) for make, caller in store.makers(sha("same"))] == [("b", "eve"), ("a", "bob")]
    assert [(make.run_id, caller) for make, caller in store.makers(sha("same"), ahead="bob", limit=1)] == [("a", "bob")]
    ended("d", reads=[result("same")], at=1.5, caller="eve")
    assert [use.run_id for use, _ in store.users(sha("same"))] == ["d", "c"]
    assert [use.run_id for use, _ in store.users(sha("same"), ahead="bob", limit=1)] == ["c"]


def test_the_migration_fills_the_tables_as_a_run_that_ends_does(database: Database, ended: Ended) -> None:
    runs = [
        ended("a", reads=[scene("S1"), scene("S1"), scene("S1", "B08")], makes={"one": "x", "two": "x"}, at=0),
        ended("b", reads=[{"href": "/archive/loose.tif"}, result("x", observed="reported")], makes={}, at=1),
    ]
    migration = importlib.import_module("swath_marketplace.store.migrations.versions.lineage")
    with database.read() as connection:
        found = {row.id: (migration._uses(row), migration._makes(row)) for row in migration._ended(connection)}
    for run in runs:
        uses, makes = found[run.id]
        assert [Use(**one) for one in uses] == list(uses_of(run))
        assert [Make(**one) for one in makes] == list(makes_of(run))
