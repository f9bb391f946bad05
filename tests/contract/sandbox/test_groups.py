"""What every control group keeps, on the hierarchy that this machine has."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from swath_sandbox.cgroups import Group, Limits, open_group, remove_group
from swath_sandbox.checks import doctor
from swath_sandbox.errors import GroupBusy
from swath_sandbox.hierarchies import find_hierarchy

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _groups_can_be_made() -> None:
    for check in doctor():
        if check.name == "cgroups" and not check.ok:
            pytest.skip(check.detail)


@pytest.fixture
def name() -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    assert remove_group(name)


def start_in(group: Group, code: str) -> subprocess.Popen[str]:
    """A Python that joins before it does anything, as the shim's child does."""
    folders = sorted(set(group.folders.values()))
    join = f"for f in {folders!r}: open(f + '/cgroup.procs', 'w').write('0')\n"
    argv = [sys.executable, "-S", "-c", join + code]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_memory_is_limited_and_the_kill_is_counted(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=64 * MIB, pids=16, cpus=1))
    with start_in(group, "a = b'x' * (256 << 20)") as process:
        assert process.wait(timeout=30) == -9
    usage = group.usage()
    assert usage.oom_kills >= 1
    assert 32 * MIB < usage.peak_memory_bytes <= 64 * MIB


def test_processes_are_limited(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=256 * MIB, pids=8, cpus=1))
    code = (
        "import os, time\nn = 0\ntry:\n  while n < 50:\n    if os.fork() == 0:\n      time.sleep(60)\n    n += 1\n"
        "except OSError:\n  pass\nprint(n, flush=True)\ntime.sleep(60)"
    )
    with start_in(group, code) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "7"
        assert len(group.pids()) == 8
        assert group.kill_all()
        assert process.wait(timeout=5) == -9
    assert group.pids() == set()


def test_a_bomb_is_killed_while_it_forks(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=512 * MIB, pids=64, cpus=2))
    # Every process forks for ever, and the children too.
    code = (
        "import os\nprint('on', flush=True)\nwhile True:\n"
        "  try:\n    os.fork()\n  except OSError:\n    pass\n"
    )  # fmt: skip
    with start_in(group, code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        assert group.kill_all(timeout_seconds=20)
        assert time.monotonic() - begun < 20
        process.wait(timeout=5)
    assert group.remove()


def test_cpu_is_limited_and_measured(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=64 * MIB, pids=8, cpus=0.25))
    if "cpu" in group.missing:
        pytest.skip("no cpu controller here")
    code = "import time\nend = time.monotonic() + 1.0\nwhile time.monotonic() < end: pass"
    with start_in(group, code) as process:
        process.wait(timeout=30)
    # A quarter of a second and a bit for start and scheduling, never the whole second.
    assert 0.05 < group.usage().cpu_seconds < 0.6


def test_what_is_in_use_is_not_adopted(name: str) -> None:
    limits = Limits(memory_bytes=64 * MIB, pids=8, cpus=1)
    group = open_group(name, limits)
    with start_in(group, "print('on', flush=True)\nimport time; time.sleep(60)") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(GroupBusy):
            open_group(name, limits)
        assert not group.remove(timeout_seconds=0)
        assert group.kill_all()
        process.wait(timeout=5)
    again = open_group(name, limits)
    assert again.usage().peak_memory_bytes < 1 * MIB


def test_removed_for_good_and_repeatedly(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=64 * MIB, pids=8, cpus=1))
    for folder in group.folders.values():
        # Code that may write control groups could make more below.
        Path(folder, "inner").mkdir(exist_ok=True)
    assert group.kill_all()
    assert group.remove()
    assert group.remove()
    assert group.kill_all()
    assert remove_group(name)
    assert not any(Path(folder).exists() for folder in group.folders.values())


def test_record_finds_it_again(name: str) -> None:
    group = open_group(name, Limits(memory_bytes=64 * MIB, pids=8, cpus=1))
    again = Group.from_dict(group.as_dict())
    assert again.folders == group.folders
    assert again.kill_all()
    assert again.remove()
    assert not any(Path(folder).exists() for folder in group.folders.values())


def test_made_below_where_we_are() -> None:
    place = find_hierarchy()
    assert set(place.parents) >= {"memory", "pids"}
    assert all(Path(folder).is_dir() for folder in place.parents.values())
