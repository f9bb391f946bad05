"""`swath.cluster()` in a kernel, through the gateway, to sandboxed workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration


def test_two_workers_compute_beside_the_archive(copy: Any, ada: Any, wait: Callable[..., Any]) -> None:
    code = f"""
import os, time, swath
import dask.array as da
begun = time.monotonic()
cluster = swath.cluster(2)
started = time.monotonic() - begun
def look():
    import os
    def lists(path):
        try:
            return os.listdir(path)
        except OSError:
            return None
    return {{"uid": os.getuid(), "archive": lists("/archive"), "swath": os.environ["SWATH_ARCHIVE"],
            "homes": lists({str(copy.data / "homes")!r}), "secrets": lists({str(copy.data / "secrets")!r}),
            "home": lists("/home"), "hub token": "JUPYTERHUB_API_TOKEN" in os.environ,
            "wardens": lists("/run/dask/../wardens"), "work": sorted(os.listdir("/run/dask"))}}
client = cluster.get_client()
workers = list(client.run(look).values())
array = da.ones((4000, 4000), chunks=1000)
total = float(array.sum().compute())
tasks = client.run(lambda dask_worker: dask_worker.state.generation)
answer = {{"seconds": started, "workers": workers, "total": total, "used": len(tasks), "uid": os.getuid(),
          "name": cluster.name, "dashboard": cluster.dashboard_link}}
"""
    got = ada.answer(code)
    assert got["total"] == 16_000_000
    assert got["used"] == 2
    assert got["seconds"] < 30
    for worker in got["workers"]:
        assert worker.pop("work") == ["dask.crt", "dask.pem"]
        assert worker == {
            "uid": got["uid"],
            "archive": ["about.txt"],
            "swath": "/archive",
            "homes": None,
            "secrets": None,
            "home": None,
            "hub token": False,
            "wardens": None,
        }
    health = got["dashboard"].replace("status", "health")
    assert httpx.get(health, trust_env=False).status_code == 200
    folder = copy.data / "hub" / "clusters" / got["name"]
    assert folder.is_dir()
    ada.run("cluster.close()")
    wait(lambda: not folder.exists(), what="the cluster is gone with its files")
    assert not _processes(got["name"])


def _processes(text: str) -> list[str]:
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in command.read_bytes():
                found.append(command.parent.name)
        except OSError:
            continue
    return found


def test_errors_have_a_mend(ada: Any) -> None:
    code = """
import swath
def told(**wanted):
    try:
        swath.cluster(**wanted).close()
    except swath.SwathError as error:
        return [type(error).__name__, str(error)]
answer = {"memory": told(memory_gb=1000), "workers": told(workers=0), "environment": told(environment="none")}
"""
    got = ada.answer(code)
    assert got["memory"][0] == got["workers"][0] == got["environment"][0] == "Invalid"
    assert "worker_memory must be <= 8" in got["memory"][1]


def test_a_user_has_so_many_clusters_and_no_more(ada: Any) -> None:
    # As many as the tier that comes with Swath allows; they are asked for and not waited for.
    code = """
import dask_gateway, swath
gateway = dask_gateway.Gateway()
names = [gateway.submit() for _ in range(4)]
try:
    swath.cluster(1)
except swath.SwathError as error:
    answer = [type(error).__name__, error.code, "(dask.clusters): you have 4 Dask clusters" in str(error)]
finally:
    for name in names:
        gateway.stop_cluster(name)
    gateway.close()
"""
    assert ada.answer(code) == ["Refused", "quota-exceeded", True]


def test_a_cluster_outlives_a_restart_of_the_hub(copy: Any, ada: Any) -> None:
    ada.run("import swath; cluster = swath.cluster(1); before = cluster.get_client().submit(lambda: 7).result()")
    copy.swath("down", "--keep")
    copy.start()
    assert ada.answer("answer = cluster.get_client().submit(lambda: 8, pure=False).result(timeout=60)") == 8
    ada.run("cluster.close()")


def test_outside_swath_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import swath

    for name in ("SWATH_URL", "SWATH_TOKEN", "JUPYTERHUB_API_TOKEN", "SWATH_DASK_GATEWAY_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(swath.SwathError, match="not signed in"):
        swath.cluster()
    monkeypatch.setenv("SWATH_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("SWATH_TOKEN", "x" * 32)
    with pytest.raises(swath.SwathError, match="schedulers can't be reached from here"):
        swath.cluster()
