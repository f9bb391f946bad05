"""The attack reaches nothing inside, and most of it outside; for a Swath run by root and by anybody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox.errors import UnsafeFile
from swath_sandbox.files import read_small, safe_files

HERE = Path(__file__).parent
pytestmark = pytest.mark.integration

#: What a process of the same user reaches on any machine when nothing is in its way.
CONTROL = {
    "loopback", "abstract_socket", "secret_file", "other_run", "through_link", "environment", "other_environments",
    "command_lines", "kill_process", "write_outside",
}  # fmt: skip


def targets(host: Any, *, out: str, inside: bool) -> dict[str, Any]:
    secret = {"path": str(host.secret), "holds": host.token}
    wanted = {
        "loopback": host.port,
        "abstract_socket": host.abstract,
        "route_outside": "192.0.2.1",
        "secret_file": secret,
        "other_run": {"path": str(host.other), "holds": host.token},
        "through_link": {**secret, "link": f"{out}/through"},
        "environment": host.token,
        "other_environments": host.token,
        "command_lines": host.token,
        "trace_process": host.traceable.pid,
        "kill_process": host.killable.pid,
        "write_outside": [str(host.archive)],
        "plant_in_out": {"path": str(host.secret), "out": out},
        "outlive": {"file": f"{out}/outlived", "for_seconds": 20 if inside else 8},
    }
    if inside:
        # Outside these would change the machine, or nothing would stop them.
        places = ["/archive", "/", "/usr", "/etc", "/dev", "/proc/sys/kernel", "/sys", "/var", "/run"]
        wanted["write_outside"] = [*places, str(host.archive), str(host.folder)]
        wanted |= {"vsock": 1, "new_namespaces": 1, "keyring": 1, "block_devices": 1, "become_root": out}
        wanted |= {"fork_bomb": 200, "memory_bomb": 512 << 20}
    return wanted


def script(folder: Path, wanted: dict[str, Any], *, report: str) -> Path:
    """The attack with its parameters filled in, as papermill would."""
    head, _, body = (HERE / "attack.py").read_text().partition("# %% parameters\n")
    body = body[body.index("# %%\n") :]
    path = folder / "attack.py"
    path.write_text(f"{head}targets = {json.dumps(wanted)!r}\nreport_path = {report!r}\n{body}")
    path.chmod(0o644)
    return path


def test_reaches_nothing_inside(host: Any, person: Any, drive: Callable[..., dict[str, Any]]) -> None:
    wanted = targets(host, out="/run/swath/out", inside=True)
    if person.allow:
        # Nothing would stop them.
        del wanted["fork_bomb"], wanted["memory_bomb"]
    attack = script(host.folder, wanted, report="/run/swath/out/attack.json")
    binds = [[str(attack), "/run/swath/input/attack.py"], [str(host.archive), "/archive"]]
    ended = drive([sys.executable, "/run/swath/input/attack.py"], ro_binds=binds, token=host.token)

    report = json.loads(read_small(host.out, "attack.json", max_bytes=1 << 20))
    assert {name: found["detail"] for name, found in report.items() if found["reached"]} == {}
    assert set(report) >= set(wanted) - {"memory_bomb"}, ended
    assert host.killable.poll() is None
    if not person.allow:
        assert ended["oom_kills"] >= 1 or ended["reason"] == "memory-limit", ended
    assert_harmless(host)
    # It beats every 50 ms as long as it lives.
    (host.out / "outlived").unlink()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert not (host.out / "outlived").exists()
        time.sleep(0.05)
    if person.sandbox_uid:
        assert processes_of(person.sandbox_uid) == []


def test_reaches_most_of_it_outside(host: Any, person: Any) -> None:
    report_path = host.out / "attack.json"
    attack = script(host.folder, targets(host, out=str(host.out), inside=False), report=str(report_path))
    environment = {"PATH": "/usr/bin:/bin", "JUPYTERHUB_API_TOKEN": host.token}
    subprocess.run([*person.prefix, sys.executable, str(attack)], env=environment, capture_output=True, check=True)

    report = json.loads(report_path.read_text())
    missed = {name: report[name]["detail"] for name in CONTROL if not report[name]["reached"]}
    assert missed == {}
    assert host.killable.wait(timeout=5) == -15
    (host.out / "outlived").unlink(missing_ok=True)
    deadline = time.monotonic() + 5
    while not (host.out / "outlived").exists():
        assert time.monotonic() < deadline, "the daemon did not outlive even outside"
        time.sleep(0.05)


def assert_harmless(host: Any) -> None:
    """What the attack planted in out leads a naive reader to the secret, and ours nowhere."""
    assert (host.out / "link.json").read_text() == host.token
    for name in ("link.json", "folder-link/secret.txt", "fifo.json", "through"):
        with pytest.raises(UnsafeFile):
            read_small(host.out, name, max_bytes=1 << 20)
    assert not (host.out / "hard.json").exists()
    with pytest.raises(UnsafeFile):
        list(safe_files(host.out, max_files=100, max_bytes=1 << 30))
    if os.geteuid() == 0 and (host.out / "owned-by-root").exists():
        found = (host.out / "owned-by-root").stat()
        assert found.st_uid != 0


def processes_of(uid: int) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == uid:
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_notebook_and_script_are_the_same() -> None:
    notebook = json.loads((HERE / "attack.ipynb").read_text())
    parts = (HERE / "attack.py").read_text().split("# %%")[1:]
    assert len(parts) == len(notebook["cells"])
    for part, cell in zip(parts, notebook["cells"], strict=True):
        text = part.partition("\n")[2].strip()
        if cell["cell_type"] == "markdown":
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
        assert "".join(cell["source"]) == text


@pytest.mark.slow
def test_notebook_runs_inside_and_reaches_nothing(host: Any, person: Any, drive: Callable[..., dict[str, Any]]) -> None:
    """The same in a kernel: it also shows that loopback, threads and terminals' devices work for Jupyter inside."""
    pytest.importorskip("papermill")
    pytest.importorskip("ipykernel")
    wanted = targets(host, out="/run/swath/out", inside=True)
    del wanted["memory_bomb"], wanted["fork_bomb"]
    notebook = host.folder / "attack.ipynb"
    notebook.write_text((HERE / "attack.ipynb").read_text())
    kernel = host.folder / "jupyter" / "kernels" / "swath-test" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": start, "display_name": "test", "language": "python"}))
    argv = [sys.executable, "-m", "papermill", "--kernel", "swath-test", "/run/swath/input/attack.ipynb"]
    argv += ["/run/swath/out/output.ipynb", "-f", "/run/swath/input/parameters.json"]
    # Not as arguments: the attack would find what it looks for in papermill's own command line.
    parameters = host.folder / "parameters.json"
    parameters.write_text(json.dumps({"targets": json.dumps(wanted), "report_path": "/run/swath/out/attack.json"}))
    binds = {
        notebook: "/run/swath/input/attack.ipynb",
        parameters: "/run/swath/input/parameters.json",
        host.archive: "/archive",
        kernel.parents[2]: "/opt/jupyter",
    }
    ended = drive(
        argv,
        ro_binds=[[str(source), target] for source, target in binds.items()],
        token=host.token,
        memory_bytes=1 << 30,
        pids=200,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp/home", "JUPYTER_PATH": "/opt/jupyter"},
    )
    assert (ended["reason"], ended["exit_code"]) == ("exited", 0), ended["log"]
    found = json.loads(read_small(host.out, "attack.json", max_bytes=1 << 20))
    assert {name: entry["detail"] for name, entry in found.items() if entry["reached"]} == {}
    assert set(found) == set(wanted)
