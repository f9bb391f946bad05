"""Control groups of version 2 as a laptop with systemd or a container has them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox import cgroups, hierarchies
from swath_sandbox.cgroups import Group, Limits, open_group, remove_group
from swath_sandbox.errors import CgroupsUnavailable, GroupBusy
from swath_sandbox.hierarchies import find_hierarchy

LIMITS = Limits(memory_bytes=1 << 30, pids=64, cpus=1.5)


def read(folder: Path | str, name: str) -> str:
    return Path(folder, name).read_text()


def deep(fake: Any, path: str) -> Path:
    folder = fake.mount
    for part in path.strip("/").split("/"):
        folder = folder / part
        if not folder.exists():
            os.mkdir(folder)
    return folder


def test_limits_are_written(fake_v2: Any) -> None:
    fake_v2.place_self("/")
    group = open_group("run-1", LIMITS, hierarchy=find_hierarchy(str(fake_v2.proc_self)))

    folder = fake_v2.mount / "swath-run-1"
    assert set(group.folders.values()) == {str(folder)}
    assert read(folder, "memory.max") == str(1 << 30)
    assert read(folder, "memory.swap.max") == "0"
    assert read(folder, "memory.oom.group") == "1"
    assert read(folder, "pids.max") == "64"
    assert read(folder, "cpu.max") == "150000 100000"
    assert group.missing == ()


def test_usage_is_read(fake_v2: Any) -> None:
    fake_v2.place_self("/")
    group = open_group("run-1", LIMITS, hierarchy=find_hierarchy(str(fake_v2.proc_self)))
    folder = fake_v2.mount / "swath-run-1"
    (folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (folder / "memory.peak").write_text("4096\n")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")

    usage = group.usage()
    assert (usage.cpu_seconds, usage.peak_memory_bytes, usage.oom_kills) == (2.5, 4096, 2)


def test_peak_falls_back_to_current_on_kernels_without_memory_peak(fake_v2: Any) -> None:
    fake_v2.place_self("/")
    group = open_group("run-1", LIMITS, hierarchy=find_hierarchy(str(fake_v2.proc_self)))
    folder = fake_v2.mount / "swath-run-1"
    (folder / "memory.peak").unlink()
    (folder / "memory.current").write_text("123\n")
    assert group.usage().peak_memory_bytes == 123


def test_own_delegated_group_is_emptied_and_shared_out(fake_v2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = deep(fake_v2, "/user.slice/user@1000.service/app.slice/run-1.scope")
    fake_v2.place_self("/user.slice/user@1000.service/app.slice/run-1.scope")
    (scope / "cgroup.procs").write_text("100\n101")
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1" if path == str(scope) else b"")

    place = find_hierarchy(str(fake_v2.proc_self))

    assert set(place.parents.values()) == {str(scope)}
    assert read(scope, "cgroup.procs") == ""
    assert read(scope / "swath-services", "cgroup.procs").split() == ["100", "101"]
    assert read(scope, "cgroup.subtree_control").split() == ["memory", "pids", "cpu"]


def test_found_again_from_the_leaf_that_we_moved_to(fake_v2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = deep(fake_v2, "/app.slice/run-1.scope")
    fake_v2.place_self("/app.slice/run-1.scope")
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1" if path == str(scope) else b"")
    find_hierarchy(str(fake_v2.proc_self))
    fake_v2.place_self("/app.slice/run-1.scope/swath-services")

    place = find_hierarchy(str(fake_v2.proc_self))
    assert set(place.parents.values()) == {str(scope)}
    assert not (scope / "swath-services" / "swath-services").exists()


def test_ancestor_that_shares_out_already_is_left_as_it_is(fake_v2: Any, closed: Callable[..., None]) -> None:
    slice_ = deep(fake_v2, "/user.slice/user@1000.service/app.slice")
    scope = deep(fake_v2, "/user.slice/user@1000.service/app.slice/terminal.scope")
    fake_v2.place_self("/user.slice/user@1000.service/app.slice/terminal.scope")
    (slice_ / "cgroup.subtree_control").write_text("memory pids")
    (scope / "cgroup.procs").write_text("100")
    closed(fake_v2.mount, fake_v2.mount / "user.slice")

    group = open_group("run-1", LIMITS, hierarchy=find_hierarchy(str(fake_v2.proc_self)))

    assert set(group.folders.values()) == {str(slice_ / "swath-run-1")}
    assert read(scope, "cgroup.procs") == "100"
    # Nobody delegates cpu there: said, and not written.
    assert group.missing == ("cpu",)
    assert read(slice_ / "swath-run-1", "cpu.max") == "max 100000"


def test_session_that_may_write_nothing_is_told_the_mend(fake_v2: Any, closed: Callable[..., None]) -> None:
    session = deep(fake_v2, "/user.slice/user-1000.slice/session-2.scope")
    fake_v2.place_self("/user.slice/user-1000.slice/session-2.scope")
    closed(fake_v2.mount, session, session.parent, session.parents[1])
    with pytest.raises(CgroupsUnavailable, match="systemd-run --user --scope -p Delegate=yes"):
        find_hierarchy(str(fake_v2.proc_self))


def test_container_root_is_emptied(fake_v2: Any) -> None:
    fake_v2.place_self("/")
    (fake_v2.mount / "cgroup.procs").write_text("1\n7")
    place = find_hierarchy(str(fake_v2.proc_self))
    assert set(place.parents.values()) == {str(fake_v2.mount)}
    assert read(fake_v2.mount / "swath-services", "cgroup.procs").split() == ["1", "7"]


def test_group_outside_our_namespace_is_no_place(fake_v2: Any) -> None:
    fake_v2.place_self("/../../other")
    with pytest.raises(CgroupsUnavailable):
        find_hierarchy(str(fake_v2.proc_self))


def test_hybrid_machine_takes_v1(tmp_path: Path) -> None:
    mounts = ["41 31 0:38 / {0}/unified rw - cgroup2 cgroup2 rw"]
    for name in ("memory", "pids", "cpu,cpuacct"):
        (tmp_path / name / "ours").mkdir(parents=True)
        (tmp_path / name / "ours" / "cgroup.procs").touch()
        mounts.append(f"32 31 0:29 / {{0}}/{name} rw - cgroup cgroup rw,{name}")
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("hugetlb\n")
    (tmp_path / "mountinfo").write_text("\n".join(mounts).format(tmp_path))
    (tmp_path / "cgroup").write_text("8:pids:/ours\n4:memory:/ours\n1:cpu,cpuacct:/ours\n0::/\n")

    place = find_hierarchy(str(tmp_path))
    assert place.version == 1
    expected = {"memory": "memory", "pids": "pids", "cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct"}
    assert place.parents == {name: f"{tmp_path}/{folder}/ours" for name, folder in expected.items()}


def test_nothing_mounted_is_said(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("22 1 0:21 / / rw - ext4 /dev/vda rw\n")
    (tmp_path / "cgroup").write_text("")
    with pytest.raises(CgroupsUnavailable, match=r"v2 is not mounted.*v1 controllers.*memory pids"):
        find_hierarchy(str(tmp_path))


def test_kills_what_is_in_it_and_goes(fake_v2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_v2.place_self("/")
    place = find_hierarchy(str(fake_v2.proc_self))
    group = open_group("run-1", LIMITS, hierarchy=place)
    with subprocess.Popen(["sleep", "60"]) as process:
        group.add(process.pid)
        with pytest.raises(GroupBusy):
            open_group("run-1", LIMITS, hierarchy=place)
        # The kernel takes the dead out of the list; plain files do not.
        real = hierarchies.read
        monkeypatch.setattr(
            cgroups, "read", lambda path, name: "" if name == "cgroup.procs" and process.poll() else real(path, name)
        )
        assert group.kill_all()
        assert process.wait(timeout=5) == -9
    folder = fake_v2.mount / "swath-run-1"
    assert (read(folder, "pids.max"), read(folder, "cgroup.kill")) == ("0", "1")
    assert group.remove()
    assert group.remove()
    assert not folder.exists()


def test_remove_finds_a_group_made_from_elsewhere(fake_v2: Any) -> None:
    deep(fake_v2, "/app.slice/old.scope/swath-lab-ada")
    fake_v2.place_self("/app.slice")
    assert remove_group("lab-ada", proc_self=str(fake_v2.proc_self))
    assert not (fake_v2.mount / "app.slice" / "old.scope" / "swath-lab-ada").exists()
    assert remove_group("lab-ada", proc_self=str(fake_v2.proc_self))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "ü", "x" * 121])
def test_names_that_lead_elsewhere_are_refused(fake_v2: Any, name: str) -> None:
    fake_v2.place_self("/")
    with pytest.raises(ValueError, match="not a name"):
        open_group(name, LIMITS, hierarchy=find_hierarchy(str(fake_v2.proc_self)))
    with pytest.raises(ValueError, match="not a name"):
        remove_group(name, proc_self=str(fake_v2.proc_self))


def test_record_of_a_foreign_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="ours"):
        Group.from_dict({"name": "x", "version": 2, "folders": {"memory": "/sys/fs/cgroup/system.slice"}})


def test_group_names_never_collide() -> None:
    names = {
        cgroups.group_name(*parts) for parts in [("lab", "a", "b"), ("lab", "a-b"), ("laba", "b"), ("lab", "ä", "b")]
    }
    assert len(names) == 4
    for name in (*names, cgroups.group_name("lab", "/home/x/data", "user@example.org" * 9)):
        assert cgroups.group_at(name, hierarchies.Hierarchy(version=2, parents={"memory": "/x"})).name == name


@pytest.mark.parametrize("bad", [{"memory_bytes": 0}, {"pids": 0}, {"cpus": 0}, {"cpus": -1}])
def test_limits_that_limit_nothing_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Limits(**{"memory_bytes": 1 << 30, "pids": 1, "cpus": 1, **bad})
