"""From a description to arguments."""

from __future__ import annotations

import itertools
import os
import platform
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox import Allow, Sandbox, bubblewrap, checks, seccomp
from swath_sandbox.bubblewrap import bare_command, bwrap_version, command, outside
from swath_sandbox.errors import SandboxError, SandboxUnavailable
from swath_sandbox.pythons import python_binds


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "find_program", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bubblewrap, "bwrap_version", lambda: (0, 8, 0))


def spec(any_uid: int | None, **options: Any) -> Sandbox:
    return Sandbox(**{"argv": ["/bin/true"], "uid": any_uid, **options})


def pairs(argv: list[str], option: str) -> list[tuple[str, str]]:
    return [(argv[at + 1], argv[at + 2]) for at, word in enumerate(argv) if word == option]


def test_no_secret_in_the_arguments(any_uid: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-host")
    argv = command(spec(any_uid, env={"SWATH_TOKEN": "of-the-run"}))
    assert "of-the-run" not in " ".join(argv)
    assert "of-the-host" not in " ".join(argv)
    # Also where the caller forgets to pass the environment.
    assert ("--unsetenv", "JUPYTERHUB_API_TOKEN") in itertools.pairwise(argv)
    assert "SWATH_TOKEN" not in argv


def test_network_only_when_asked(any_uid: int | None) -> None:
    assert "--unshare-net" in command(spec(any_uid))
    argv = command(spec(any_uid, network=True))
    assert "--unshare-net" not in argv
    assert "/etc/resolv.conf" in argv


def test_always_there(any_uid: int | None) -> None:
    argv = command(spec(any_uid))
    wanted = {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session", "--die-with-parent"}
    assert wanted <= set(argv)
    assert ("--cap-drop", "ALL") in itertools.pairwise(argv)
    assert ("--remount-ro", "/") in itertools.pairwise(argv)
    assert ("--seccomp" in argv) == seccomp.supported()


def test_rights_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    argv = command(Sandbox(argv=["/bin/true"], uid=2_000_001))
    assert "--unshare-user" not in argv
    inner = argv[argv.index("--", argv.index("--die-with-parent")) + 1 :]
    expected = "/usr/bin/setpriv --reuid 2000001 --regid 2000001 --clear-groups --no-new-privs --inh-caps=-all"
    assert " ".join(inner) == f"{expected} --bounding-set=-all -- /bin/true"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bubblewrap, "state_folder", lambda: Path("/nonexistent"))
    monkeypatch.setattr(bubblewrap, "_generated", lambda name, data: Path("/nonexistent", name))
    argv = command(Sandbox(argv=["/bin/true"]))
    assert {"--unshare-user", "--disable-userns"} <= set(argv)
    assert "/usr/bin/setpriv" not in argv
    monkeypatch.setattr(bubblewrap, "bwrap_version", lambda: (0, 6, 1))
    assert "--disable-userns" not in command(Sandbox(argv=["/bin/true"]))


def test_root_must_say_whom_to_become(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for uid in (None, 0, -1, 2**31):
        with pytest.raises(ValueError, match="uid"):
            Sandbox(argv=["/bin/true"], uid=uid)


def test_outer_binds_come_first(any_uid: int | None, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    outer, inner = (tmp_path, Path("/run/swath")), (tmp_path / "a" / "b", Path("/run/swath/a/b"))
    argv = command(spec(any_uid, ro_binds=[inner], rw_binds=[outer]))
    assert pairs(argv, "--bind") == [(str(tmp_path), "/run/swath")]
    assert argv.index("/run/swath") < argv.index("/run/swath/a/b")


@pytest.mark.parametrize("target", ["/", "/proc", "/dev", "/etc", "/usr", "relative", "/run/../etc"])
def test_targets_that_undo_the_sandbox_are_refused(any_uid: int | None, target: str) -> None:
    with pytest.raises(ValueError, match="bound"):
        spec(any_uid, ro_binds=[(Path("/srv"), Path(target))])


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": []},
        {"argv": ["a\0b"]},
        {"env": {"": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "\0"}},
        {"env": {"LD_PRELOAD": "/tmp/x.so"}},
        {"env": {"LD_LIBRARY_PATH": "/tmp"}},
        {"ro_binds": [Path("relative")]},
        {"user": "a:b"},
        {"user": "a\nroot"},
        {"hostname": "a b"},
        {"cwd": "here"},
    ],
)
def test_descriptions_that_make_no_sense_are_refused(any_uid: int | None, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        spec(any_uid, **wrong)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_folder_of_the_sandboxed_user_leads_no_bind_astray(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "out").mkdir(parents=True)
    os.chown(home, 2_000_001, 2_000_001)
    command(Sandbox(argv=["/bin/true"], uid=2_000_001, rw_binds=[home]))
    with pytest.raises(SandboxError, match="belongs to the sandbox's own user"):
        command(Sandbox(argv=["/bin/true"], uid=2_000_001, rw_binds=[home / "out"]))


def test_without_bubblewrap_paths_are_the_hosts(any_uid: int | None, tmp_path: Path) -> None:
    bare = spec(
        any_uid,
        argv=["/bin/cat", "/run/swath/out/a", "/run/swath", "/run/swathe", "--x=/run/swath/out"],
        rw_binds=[(tmp_path / "out", Path("/run/swath/out"))],
        bare_paths={"/run/swath": str(tmp_path)},
    )
    argv = bare_command(bare)
    assert argv[-5:] == ["/bin/cat", f"{tmp_path}/out/a", str(tmp_path), "/run/swathe", "--x=/run/swath/out"]
    assert outside(bare, "/archive") == "/archive"


def test_refuses_and_says_what_is_missing_lost_and_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = checks.Check(name="bubblewrap", ok=False, required=True, detail="bwrap is missing", mend="install it")
    groups = checks.Check(name="cgroups", ok=False, required=True, detail="no groups", mend="be root")
    monkeypatch.setattr(checks, "_works", lambda: (broken, groups))
    with pytest.raises(SandboxUnavailable) as caught:
        checks.check_isolation()
    for words in (
        "bwrap is missing",
        "install it",
        "no-bwrap",
        "loopback services",
        "no groups",
        "no-cgroups",
        "bounds",
    ):
        assert words in str(caught.value)
    with pytest.raises(SandboxUnavailable, match="no groups"):
        checks.check_isolation({Allow.NO_BWRAP})
    assert checks.check_isolation({Allow.NO_BWRAP, Allow.NO_CGROUPS}) == checks.Isolation(bwrap=False, cgroups=False)


def test_doctor_tells_what_is_lost_and_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> str:
        raise SandboxUnavailable(f"the program {name} is missing")

    def no_groups(*_: object, **__: object) -> None:
        raise SandboxUnavailable("no hierarchy")

    monkeypatch.setattr(checks, "find_program", missing)
    monkeypatch.setattr(checks.cgroups, "open_group", no_groups)
    monkeypatch.setattr(checks.seccomp, "supported", lambda machine: False)
    failed = {check.name: check for check in checks.doctor() if not check.ok}
    assert set(failed) >= {"bubblewrap", "cgroups", "seccomp"}
    assert all(check.detail and check.lost and check.mend for check in failed.values())
    assert {"bubblewrap", "cgroups"} <= {name for name, check in failed.items() if check.required}


def test_bubblewrap_that_is_there_and_does_not_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find_program", lambda name: str(broken))
    # The real one, of a program that does not even tell its version.
    monkeypatch.setattr(bubblewrap, "bwrap_version", bwrap_version.__wrapped__)
    monkeypatch.setattr(checks, "bwrap_version", bwrap_version.__wrapped__)
    check = next(check for check in checks.doctor() if check.name == "bubblewrap")
    assert not check.ok
    assert "No permissions to create new namespace" in check.detail
    assert check.mend


def test_what_is_mended_is_noticed_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = checks.Check(name="x", ok=True, required=True, detail="")
    answers = [checks.Check(name="bubblewrap", ok=False, required=True, detail="missing"), fine]
    monkeypatch.setattr(checks, "_working", [])
    monkeypatch.setattr(checks, "_check_bwrap", lambda: answers.pop(0))
    monkeypatch.setattr(checks, "_check_cgroups", lambda: [fine])
    with pytest.raises(SandboxUnavailable):
        checks.check_isolation()
    assert checks.check_isolation().bwrap
    # Not asked again: no answer is left.
    assert checks.check_isolation().bwrap


def test_allowance_gives_up_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = checks.Check(name="x", ok=True, required=True, detail="")
    monkeypatch.setattr(checks, "_works", lambda: (fine, fine))
    assert checks.check_isolation(set(Allow)) == checks.Isolation(bwrap=True, cgroups=True)


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    """A Python under somebody's home, as pyenv installs it, and a virtual environment made from it."""
    base = tmp_path / "root" / ".pyenv" / "versions" / "3.11.9"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "python3.11").write_text("")
    (base / "bin" / "python3").symlink_to("python3.11")
    venv = tmp_path / "srv" / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.11.9\n")
    (venv / "bin" / "python").symlink_to(base / "bin" / "python3")
    (venv / "bin" / "python3").symlink_to("python")
    return tmp_path


def test_python_of_an_environment_and_its_base(pyenv: Path) -> None:
    expected = {pyenv / "root" / ".pyenv" / "versions" / "3.11.9", pyenv / "srv" / "venv"}
    assert set(python_binds(pyenv / "srv" / "venv" / "bin" / "python")) == expected
    assert set(python_binds(pyenv / "srv" / "venv" / "bin" / "python3")) == expected


def test_python_reached_through_a_versions_link(pyenv: Path) -> None:
    versions = pyenv / "root" / ".pyenv" / "versions"
    (versions / "3.11").symlink_to("3.11.9")
    config = pyenv / "srv" / "venv" / "pyvenv.cfg"
    config.write_text(f"home = {versions}/3.11/bin\n")
    python = pyenv / "srv" / "venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(versions / "3.11" / "bin" / "python3")
    assert set(python_binds(python)) >= {versions / "3.11", versions / "3.11.9", pyenv / "srv" / "venv"}


def test_python_of_the_system_needs_nothing() -> None:
    if Path("/usr/bin/python3").exists() and Path("/usr/bin/python3").resolve().is_relative_to("/usr"):
        assert python_binds(Path("/usr/bin/python3")) == []


def test_python_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        python_binds(tmp_path / "python")


def test_python_in_a_home_folder_itself_is_refused(pyenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = pyenv / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").write_text("")
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(ValueError, match="too wide"):
        python_binds(home / "bin" / "python")


def test_filter_is_made_for_this_machine() -> None:
    if seccomp.supported():
        assert len(seccomp.program(platform.machine())) % 8 == 0
