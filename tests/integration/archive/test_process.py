"""``python -m swath_archive`` as JupyterHub starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.integration


def _environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **more}


def test_it_serves_and_ends(small_archive: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = _environment(
        SWATH_ARCHIVE=str(small_archive),
        SWATH_DATA=str(tmp_path),
        JUPYTERHUB_API_URL="http://127.0.0.1:9/hub/api",
        JUPYTERHUB_API_TOKEN="hunter2hunter2",
        JUPYTERHUB_SERVICE_PREFIX="/services/archive/",
        JUPYTERHUB_SERVICE_URL=f"http://127.0.0.1:{port}",
    )
    url = f"http://127.0.0.1:{port}/services/archive/"
    log = (tmp_path / "log").open("w+")
    with subprocess.Popen([sys.executable, "-m", "swath_archive"], env=environment, stderr=log) as service:
        try:
            assert _health(url, service)["status"] == "ok"
            assert httpx.get(url).status_code == 401
            # No hub answers here: that is told as such, and not as a token that is not known.
            assert httpx.get(url, headers={"Authorization": "Bearer some-token"}, timeout=30).status_code == 503
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(20)
    log.seek(0)
    text = log.read()
    assert "hunter2" not in text
    assert "some-token" not in text


def _health(url: str, service: subprocess.Popen[bytes]) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert service.poll() is None, "the service has ended"
        try:
            answer: dict[str, str] = httpx.get(url + "health").json()
            return answer
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service does not answer")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({}, "JUPYTERHUB_API_URL"), ({"SWATH_ARCHIVE_DATABASE_URL": "mysql://u:hunter2@h/d"}, "no index is kept on")],
)
def test_what_is_missing_is_told_in_a_line(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    hub = {
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_API_TOKEN": "x" * 20,
        "JUPYTERHUB_SERVICE_PREFIX": "/services/archive/",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:9",
    }
    environment = _environment(SWATH_DATA=str(tmp_path), **(hub if settings else {}), **settings)
    done = subprocess.run(
        [sys.executable, "-m", "swath_archive"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
