"""Starting, a second copy, and ending."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def test_a_data_folder_has_one_hub(copy: Any) -> None:
    refused = copy.swath("up", "--detach", "--json", *copy.options, check=False)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "already-running"
    assert copy.swath("status").returncode == 0


def test_a_second_copy_runs_beside(copy: Any, second_copy: Any) -> None:
    told = second_copy.start()
    assert told["closed"] == []
    assert set(told["doors"]) == {"hub", "quota", "marketplace", "archive", "dask-gateway"}
    assert max(told["doors"].values()) < 20
    assert not set(copy.state["ports"].values()) & set(second_copy.state["ports"].values())
    assert copy.swath("status").returncode == 0
    ended = json.loads(second_copy.swath("down", "--json").stdout)
    assert ended["hub"] is True
    assert second_copy.swath("status", check=False).returncode == 8
    assert copy.swath("status").returncode == 0
    # Nothing of it is left, and ending what does not run is no error.
    running = [path for path in Path("/proc").glob("[0-9]*/environ") if _mentions(path, str(second_copy.data))]
    assert not running
    assert json.loads(second_copy.swath("down", "--json").stdout)["hub"] is False


def test_in_the_foreground_it_tells_and_ends_with_ctrl_c(second_copy: Any, wait: Any) -> None:
    command = [sys.executable, "-m", "swath_hub", "up", "--data", str(second_copy.data), *second_copy.options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as hub:
        assert hub.stdout is not None
        lines = []
        while not (lines and "swath down" in lines[-1]):
            lines.append(hub.stdout.readline())
            assert lines[-1], lines
        text = "".join(lines)
        assert text.count("ready after") == 5
        assert "secrets/initial-password" in text
        assert (second_copy.data / "secrets" / "initial-password").read_text().strip() not in text
        assert hub.pid == second_copy.state["hub"]["pid"]
        os.killpg(hub.pid, signal.SIGINT)
        assert hub.wait(timeout=30) == 0
    wait(lambda: not [p for p in Path("/proc").glob("[0-9]*/environ") if _mentions(p, str(second_copy.data))])


def _mentions(environ: Path, text: str) -> bool:
    try:
        return text.encode() in environ.read_bytes() and int(environ.parent.name) != os.getpid()
    except OSError:
        return False


def test_a_port_that_is_taken_is_told(second_copy: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = second_copy.swath("up", "--detach", "--json", *second_copy.options, "--port", str(port), check=False)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "port-taken"
    assert str(port) in json.loads(refused.stdout)["error"]["message"]


def test_a_proxy_that_is_not_installed_is_told(
    second_copy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWATH_PROXY_FOLDER", str(tmp_path))
    refused = second_copy.swath("up", "--detach", "--json", *second_copy.options, check=False)
    assert refused.returncode == 1
    assert "npm ci" in json.loads(refused.stdout)["error"]["mend"]


def test_private_folders_are_private(copy: Any) -> None:
    for name in ("secrets", "hub", "quota", "marketplace", "logs"):
        assert stat.S_IMODE((copy.data / name).stat().st_mode) == 0o700, name
    assert {stat.S_IMODE(path.stat().st_mode) for path in (copy.data / "secrets").iterdir()} == {0o600}


def test_doctor_tells_in_both_forms(copy: Any, given_up: list[str]) -> None:
    done = copy.swath("doctor", "--json", check=not given_up)
    report = json.loads(done.stdout)
    assert report["ok"] is not bool(given_up)
    verdicts = {check["name"]: check["verdict"] for check in report["checks"]}
    assert verdicts["proxy"] == verdicts["environments"] == verdicts["ports"] == "ok"
    assert "environments" in copy.swath("doctor", check=not given_up).stdout


def test_doctor_finds_what_is_wrong(second_copy: Any) -> None:
    (second_copy.data / "environments" / "eo" / "environment.json").unlink()
    (second_copy.data / "secrets").mkdir(mode=0o755)
    (second_copy.data / "secrets").chmod(0o755)
    done = second_copy.swath("doctor", "--json", check=False)
    assert done.returncode == 1
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if check["verdict"] == "failed"}
    assert failed >= {"environments", "data folder"}
