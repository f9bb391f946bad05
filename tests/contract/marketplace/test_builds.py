"""Builds of environments that nobody needs any more, and those that somebody does."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace import builds
from swath_marketplace.domain.builds import Build, removable
from swath_marketplace.domain.runs import Stage
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.testing import World, notebook, user

LOCKS = ("oldest", "older", "old", "newest")


def sha256(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest()


def make_build(data: Path, lock: str) -> Path:
    """A build, which becomes the current one."""
    place, link = data / "environments" / f"eo@{sha256(lock)[:12]}", data / "environments" / "eo"
    place.mkdir(parents=True, exist_ok=True)
    described = {"name": "eo", "lock_sha256": sha256(lock), "python": sys.executable, "editable": True}
    (place / "environment.json").write_text(json.dumps(described))
    at = 1_700_000_000 + LOCKS.index(lock)
    os.utime(place / "environment.json", (at, at))
    if link.is_dir() and not link.is_symlink():
        (link / "environment.json").unlink()
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(place.name)
    return place


def told(world: World, *, keep: int = 0) -> dict[str, Any]:
    found, _ = builds.look(world.settings, keep=keep)
    return {one["lock_sha256"]: one for one in found}


def can_go(world: World, *, keep: int = 0) -> list[str]:
    locks = {sha256(lock): lock for lock in LOCKS}
    return [locks[lock] for lock, one in told(world, keep=keep).items() if one["removable"]]


def test_what_versions_and_runs_stand_on_stays(world: World) -> None:
    ada, bob = user("ada"), user("bob")
    for lock in LOCKS:
        make_build(world.settings.data, lock)
        if lock == "older":
            world.registry.publish(ada, notebook())
    assert sorted(can_go(world)) == ["old", "oldest"]
    assert can_go(world, keep=1) == ["oldest"], "the newest of them stay"
    assert told(world)[sha256("older")]["versions"] == 1
    world.fake.hold_back = True
    run, _ = world.runs.create(bob, RunRequest(algorithm="ada/double", parameters={}))
    world.look_until(run.id, Stage.RUNNING)
    world.registry.yank(ada, "ada/double@1.0.0", reason="wrong")
    assert "older" not in can_go(world), "a run of it goes on"
    world.fake.let_end(run.id)
    world.look_until(run.id)
    assert sorted(can_go(world)) == ["old", "older", "oldest"]


def test_removal_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {lock: make_build(world.settings.data, lock) for lock in LOCKS}
    monkeypatch.setattr(builds, "Settings", lambda: world.settings)
    assert builds.main(["--keep", "1"]) == 0
    assert capsys.readouterr().out.count("can be removed") == 2
    assert all(place.is_dir() for place in places.values())
    assert builds.main(["--keep", "1", "--remove"]) == 0
    assert [lock for lock, place in places.items() if place.exists()] == ["old", "newest"]
    registry = EnvironmentRegistry(world.settings.data / "environments")
    assert registry.by_lock("eo", sha256("old"))
    assert registry.by_lock("eo", sha256("oldest")) is None


def test_what_a_sandbox_shows_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "mountinfo").write_text("36 35 98:0 /a /data/environments/eo@1 ro - ext3 /dev/root ro\n")
    folders = [Path("/data/environments/eo@1"), Path("/data/environments/eo@2")]
    assert builds.in_use(folders, proc=tmp_path) == {folders[0]}
    made = [
        Build(name="eo", lock_sha256=str(number), folder=folder, built_at=number, current=False)
        for number, folder in enumerate(folders)
    ]
    assert removable(made, needed=[], used=[folders[0]], keep=0) == [made[1]]
