"""No two keys ever share a uid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from swath_sandbox.errors import SandboxError
from swath_sandbox.uids import UidRegistry


def registry(folder: Path, name: str = "uids.json", count: int = 100) -> UidRegistry:
    return UidRegistry(folder / name, machine=folder / "machine.json", count=count)


def test_stable_and_distinct(tmp_path: Path) -> None:
    uids = registry(tmp_path)
    found = {key: uids.uid_for(key) for key in ("run:1", "run:2", "user:ada", "user:1", "run:ada")}
    assert len(set(found.values())) == 5
    again = registry(tmp_path)
    assert {key: again.uid_for(key) for key in found} == found == again.held()
    assert min(found.values()) >= 2_000_000


def test_released_uids_rest_before_they_return(tmp_path: Path) -> None:
    uids = registry(tmp_path, count=3)
    first = uids.uid_for("run:1")
    uids.release("run:1")
    uids.release("run:1")
    others = [uids.uid_for(f"run:{n}") for n in (2, 3)]
    assert first not in others
    assert uids.uid_for("run:4") == first
    with pytest.raises(SandboxError, match="all 3 uids"):
        uids.uid_for("run:5")


def test_two_installations_never_meet(tmp_path: Path) -> None:
    one, other = registry(tmp_path, "one.json"), registry(tmp_path, "other.json")
    assert {one.uid_for(f"run:{n}") for n in range(50)}.isdisjoint({other.uid_for(f"run:{n}") for n in range(50)})


def test_block_of_a_deleted_installation_is_given_out_again(tmp_path: Path) -> None:
    one = registry(tmp_path, "one.json").uid_for("run:1")
    (tmp_path / "one.json").unlink()
    assert registry(tmp_path, "other.json").uid_for("run:1") == one
    assert registry(tmp_path, "one.json").uid_for("run:1") != one


@pytest.mark.timeout(20)
def test_without_root_the_blocks_stand_beside_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert UidRegistry(tmp_path / "uids.json").uid_for("run:1") >= 1000
    assert (tmp_path / "uids.blocks").is_file()


def test_processes_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from swath_sandbox.uids import UidRegistry; f = Path(sys.argv[1])\n"
        "u = UidRegistry(f / 'uids.json', machine=f / 'machine.json')\n"
        "print([u.uid_for(f'run:{sys.argv[2]}-{n}') for n in range(20)], u.uid_for('user:shared'), sep=';')"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen([*argv, str(n)], stdout=subprocess.PIPE, text=True) for n in range(4)]
    answers = [process.communicate()[0].strip().split(";") for process in running]
    own = [uid for answer in answers for uid in json.loads(answer[0])]
    assert len(set(own)) == 80
    assert len({answer[1] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "run", "run:", "other:x", "run:\n"])
def test_strange_keys_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        registry(tmp_path).uid_for(key)


def test_file_is_private(tmp_path: Path) -> None:
    registry(tmp_path).uid_for("run:1")
    assert (tmp_path / "uids.json").stat().st_mode & 0o777 == 0o600
