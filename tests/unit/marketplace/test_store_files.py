"""Artifacts and environments on disk."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from pathlib import Path

import pytest
from swath_marketplace.domain.clock import iso, utc_now
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.testing import write_environment


def test_an_artifact_is_found_under_its_digest(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    address = store.put(b"content")
    assert store.put(b"content") == address
    assert store.read(address) == b"content"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [address]


def test_many_writers_of_one_artifact(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    content = b"x" * 1_000_000
    threads = [threading.Thread(target=store.put, args=(content,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("address", ["../../etc/passwd", "", "AB" * 32, "0" * 63])
def test_an_address_is_a_digest(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        ArtifactStore(tmp_path).read(address)


def test_an_artifact_that_is_gone_or_changed_is_not_given(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with pytest.raises(ArtifactDamaged):
        store.read("0" * 64)
    address = store.put(b"content")
    (tmp_path / "sha256" / address[:2] / address).write_bytes(b"changed")
    with pytest.raises(ArtifactDamaged):
        store.read(address)
    assert store.put(b"content") == address
    assert store.read(address) == b"content", "writing it again mends it"


BROKEN = {
    "no JSON": "{",
    "another name": json.dumps({"name": "other", "lock_sha256": "0" * 64}),
    "no digest": json.dumps({"name": "bad", "lock_sha256": "x"}),
    "no interpreter": json.dumps({"name": "bad", "lock_sha256": "0" * 64, "python": "/nowhere/python"}),
    "a list": "[]",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_an_environment_that_cannot_be_used_is_not_offered(tmp_path: Path, content: str) -> None:
    write_environment(tmp_path, python=sys.executable)
    (tmp_path / "environments" / "bad").mkdir()
    (tmp_path / "environments" / "bad" / "environment.json").write_text(content)
    registry = EnvironmentRegistry(tmp_path / "environments")
    assert [environment.name for environment in registry.list()] == ["eo"]
    assert registry.get("bad") is None


def test_an_environment_uses_its_own_interpreter(tmp_path: Path) -> None:
    write_environment(tmp_path, python="/elsewhere/python")
    own = tmp_path / "environments" / "eo" / "bin" / "python"
    own.parent.mkdir()
    own.symlink_to(sys.executable)
    found = EnvironmentRegistry(tmp_path / "environments").get("eo")
    assert found
    assert found.python == str(own)


def test_older_builds_are_found_by_their_lock_and_not_offered(tmp_path: Path) -> None:
    root, locks = tmp_path / "environments", {}
    for lock in ("older", "newer"):
        write_environment(tmp_path, python=sys.executable, lock=lock)
        locks[lock] = hashlib.sha256(lock.encode()).hexdigest()
        place = root / f"eo@{locks[lock][:12]}"
        (root / "eo").rename(place)
        (place / "bin").mkdir()
        (place / "bin" / "python").symlink_to(sys.executable)
    (root / "eo").symlink_to(f"eo@{locks['newer'][:12]}")
    registry = EnvironmentRegistry(root)
    assert [environment.lock_sha256 for environment in registry.list()] == [locks["newer"]]
    for lock in locks.values():
        found = registry.by_lock("eo", lock)
        assert found
        assert (found.name, found.lock_sha256) == ("eo", lock)
        assert found.python == str(root / f"eo@{lock[:12]}" / "bin" / "python"), "the build itself, not its name"
    assert registry.by_lock("eo", "0" * 64) is None
    assert registry.by_lock("../eo", locks["older"]) is None
    damaged = root / f"eo@{locks['older'][:12]}" / "environment.json"
    damaged.write_text(damaged.read_text().replace(locks["older"][12:], "0" * 52))
    assert registry.by_lock("eo", locks["older"]) is None, "the name says the beginning only"


def test_times_are_told_in_utc() -> None:
    assert iso(utc_now()).endswith("Z")  # type: ignore[union-attr]
    assert iso(None) is None
