"""The hub goes and comes; what users have going stays."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_sandbox.processes import start_time

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _hub_is_up_afterwards(copy: Any) -> Iterator[None]:
    yield
    if not copy.hub_is_alive():
        copy.start()


def _service_pids(copy: Any) -> set[int]:
    """Processes of the hub's services on this copy, proxies among them."""
    found = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = environ.read_bytes()
            command = (environ.parent / "cmdline").read_bytes()
        except OSError:
            continue
        mine = f"SWATH_DATA={copy.data}".encode() in text.split(b"\0")
        if mine and (b"JUPYTERHUB_SERVICE_NAME=" in text or b"configurable-http-proxy" in command):
            found.add(int(environ.parent.name))
    return found


def test_a_restart_keeps_servers_and_ports(copy: Any, ada: Any) -> None:
    ada.run("kept = 42")
    before, served = copy.state, ada.server()
    copy.swath("down", "--keep")
    assert copy.swath("status", check=False).returncode == 8
    assert not copy.hub_is_alive()
    copy.start()
    assert copy.state["ports"] == before["ports"]
    assert ada.server()["started"] == served["started"]
    # The same kernel with the same memory.
    assert ada.answer("answer = kept") == 42


def test_a_killed_hub_leaves_no_service_and_its_successor_takes_over(
    copy: Any, ada: Any, wait: Callable[..., Any]
) -> None:
    ada.run("kept = 43")
    services = _service_pids(copy)
    assert len(services) >= 6
    copy.kill_hub()
    wait(lambda: not _service_pids(copy), what="the services noticed")
    copy.start()
    assert ada.answer("answer = kept") == 43
    status = httpx.get(f"{copy.url}services/quota/health", trust_env=False).status_code
    assert status == 200


def test_a_killed_service_comes_back(copy: Any, tokens: dict[str, str], wait: Callable[..., Any]) -> None:
    quota = next(
        pid
        for pid in _service_pids(copy)
        if b"swath_quota" in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"-", b"_")
    )
    os.kill(quota, signal.SIGKILL)
    headers = {"Authorization": f"Bearer {tokens['ada']}"}

    def answers() -> bool:
        return httpx.get(f"{copy.url}services/quota/wallet", headers=headers, trust_env=False).status_code == 200

    wait(lambda: quota not in _service_pids(copy), what="it is gone")
    wait(answers, seconds=60, what="it is back")


def test_a_server_that_died_while_the_hub_was_down_is_not_taken_for_another(
    copy: Any, person: Callable[[str], Any], lab: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    mortal = lab("mortal", person("mortal").sign_in().new_token())
    mortal.start()
    place = next((copy.data / "hub" / "servers").glob("mortal@*"))
    warden = json.loads((place / "warden.json").read_text())["pid"]
    copy.swath("down", "--keep")
    os.kill(warden, signal.SIGKILL)
    wait(lambda: start_time(warden) is None, what="the warden is gone")
    # Another process under that number: the file says so, and the hub must not believe it.
    stored = json.loads((place / "warden.json").read_text())
    (place / "warden.json").write_text(json.dumps({**stored, "pid": os.getpid()}))
    copy.start()
    wait(lambda: mortal.server() is None, what="it is known to be gone")
    mortal.start()
    assert mortal.answer("answer = 1") == 1
    mortal.stop()
    assert Path(f"/proc/{os.getpid()}").exists()


PUBLISH = """
import swath
from nbformat import v4, write
cells = [
    v4.new_code_cell("seconds: float = 1.0  # How long to sleep", metadata={"tags": ["parameters"]}),
    v4.new_code_cell("import time\\nimport swath\\ntime.sleep(seconds)\\nswath.emit('slept', seconds)"),
]
about = {"name": "sleeper", "title": "Sleeper", "summary": "Sleeps and says how long.", "version": "1.0.0",
         "license": "Apache-2.0", "environment": "eo", "resources": {"cpus": 1, "memory_mb": 1024, "wall_seconds": 120}}
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
for number, cell in enumerate(cells):
    cell["id"] = f"cell-{number}"
write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "swath": about}), "/home/ada/sleeper.ipynb")
swath.publish("/home/ada/sleeper.ipynb")
"""


def test_a_run_goes_on_while_the_hub_is_down(copy: Any, ada: Any, wait: Callable[..., Any]) -> None:
    ada.run(PUBLISH)
    ada.run("run = swath.run('ada/sleeper@^1', seconds=25.0)")
    wait(lambda: ada.answer("answer = run.refresh().status") == "running", seconds=60)
    copy.swath("down", "--keep")
    wardens = list((copy.data / "marketplace" / "runs").glob("*/warden/warden.json"))
    assert [start_time(json.loads(path.read_text())["pid"]) for path in wardens] != [None]
    copy.start()
    assert ada.answer("run.wait()\nanswer = run.status", seconds=120) == "finished"


def test_ending_all_ends_runs_too(copy: Any, ada: Any, wait: Callable[..., Any]) -> None:
    ada.run(PUBLISH)
    ada.run("run = swath.run('ada/sleeper@^1', seconds=90.0)")
    wait(lambda: ada.answer("answer = run.refresh().status") == "running", seconds=60)
    ended = json.loads(copy.swath("down", "--json").stdout)["sandboxes"]
    assert ended["runs"] == 1
    assert ended["JupyterLab servers"] >= 1
    wardens = list((copy.data / "marketplace" / "runs").glob("*/warden/warden.json"))
    assert {start_time(json.loads(path.read_text())["pid"]) for path in wardens} == {None}
    copy.start()
    ada.start()
    ada.kernel = ""

    def told() -> bool:
        return bool(ada.answer("import swath\nanswer = swath.runs()[0].status") == "error")

    wait(told, seconds=60, what="the run is told as ended")
