"""What a run read and ran in, known from outside: real notebooks in the real sandbox, some of which hide it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from swath_marketplace.testing import given_up, notebook
from swath_sandbox.checks import check_watch

pytestmark = pytest.mark.integration

SMALL = {"memory_mb": 1024, "wall_seconds": 120}
EMIT = "import swath\nswath.emit('double', {'value': 2 * n})"
WATCHED = check_watch().ok


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_environment(data: Path, lock: str) -> Path:
    """A build for one lock: a virtual environment with a package of its own, and the tests' packages beside it."""
    digest = hashlib.sha256(lock.encode()).hexdigest()
    place = data / "environments" / f"eo@{digest[:12]}"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", place], check=True)
    (site,) = place.glob("lib/python3*/site-packages")
    (ours,) = (Path(sys.prefix) / "lib").glob("python3*/site-packages")
    named = [line for file in ours.glob("*.pth") for line in file.read_text().splitlines() if line.startswith("/")]
    (site / "tests.pth").write_text("\n".join([str(ours), *named]) + "\n")
    (site / "probe").mkdir()
    (site / "probe/__init__.py").write_text("said = 'first'\n")
    info = site / "probe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
    (info / "RECORD").write_text("probe/__init__.py,,\nprobe-1.0.dist-info/METADATA,,\n")
    described = {"name": "eo", "lock_sha256": digest, "python": str(place / "bin/python"), "editable": True}
    (place / "environment.json").write_text(json.dumps(described))
    make_current(place)
    return place


def make_current(place: Path) -> None:
    link = place.with_name("eo")
    link.unlink(missing_ok=True)
    link.symlink_to(place.name)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Services over an archive of two collections and an environment of their own."""
    here = Path(__file__)
    data = tmp_path_factory.mktemp("inputs")
    make_environment(data, "first lock")
    small = load("swath_tests_small_archive", here.parents[2] / "unit/archive/small_archive.py")
    assert small.build(data / "archive").ok
    made = load("swath_marketplace_stack", here.with_name("stack.py"))
    allowed = {f"SWATH_ALLOW_{allow.name}": "1" for allow in given_up()}
    with made.Stack(data, environment=allowed) as running:
        yield running


def run(stack: Any, name: str, *, resources: dict[str, Any] | None = None) -> dict[str, Any]:
    bob: httpx.Client = stack.client("bob")
    asked = bob.post("runs", json={"algorithm": f"ada/{name}", "parameters": {}})
    assert asked.status_code < 300, asked.text
    deadline = time.monotonic() + 120
    while True:
        found: dict[str, Any] = bob.get(f"runs/{asked.json()['id']}").json()
        if found["status"] in ("finished", "error", "canceled"):
            assert found["status"] == "finished", found["error"]
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def publish(stack: Any, name: str, *cells: str) -> None:
    book = notebook(*cells, name=name, resources=SMALL)
    answer = stack.client("ada").post("algorithms", json={"notebook": book})
    assert answer.status_code == 201, answer.text


def path_of(item: str, asset: str) -> str:
    return f"reflectance/reflectance-{item}/{asset}.tif"


def sha256(stack: Any, path: str) -> str:
    return hashlib.sha256((stack.data / "archive" / path).read_bytes()).hexdigest()


HIDES = """
import json, mmap, os, subprocess, threading
from pathlib import Path
import rasterio, swath

swath.open_cube("reflectance", bands=["B04"], temporal_extent=["2023-04-02", "2023-04-03"]).compute()
own = Path(os.environ["SWATH_RUN_DIR"], "out", "inputs.jsonl")
lines = own.read_text()
archive = os.environ["SWATH_ARCHIVE"]
at = lambda item, asset: f"{archive}/reflectance/reflectance-{item}/{asset}.tif"
rasterio.open(at("20230402", "B08")).read(1)
os.read(os.open(at("20230402", "SCL"), os.O_RDONLY), 10)
with open(at("20230407", "B04"), "rb") as file:
    bytes(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:10])
subprocess.run(["cat", at("20230407", "B08")], stdout=subprocess.DEVNULL, check=True)
thread = threading.Thread(target=lambda: Path(at("20230407", "SCL")).read_bytes())
thread.start(); thread.join()
claims = [
    dict(collection="reflectance", item="reflectance-20230412", asset="B04", href=at("20230412", "B04"), sha256="f"),
    dict(collection="elsewhere", item="passwd", asset="x", href=archive + "/../etc/passwd", sha256="e" * 64),
    dict(collection="elsewhere", item="shadow", asset="x", href=archive.replace("archive", "etc/shadow")),
    # What it did read, under another name.
    dict(collection="elsewhere", item="mine", asset="x", href=at("20230402", "B08"), sha256="d" * 64),
]
own.write_text(lines + "".join(json.dumps(claim) + "\\n" for claim in claims))
"""


@pytest.mark.skipif(not WATCHED, reason="this kernel, or this user, has no fanotify")
def test_what_was_served_is_recorded_whatever_the_run_says(stack: Any) -> None:
    publish(stack, "hides", HIDES, EMIT)
    found = run(stack, "hides")
    read = {(item, asset) for item in ("20230402", "20230407") for asset in ("B04", "B08", "SCL")}
    served = {one["path"]: one for one in found["inputs"] if one["observed"] == "served"}
    assert set(served) == {path_of(*one) for one in read}
    for item, asset in read:
        one, path = served[path_of(item, asset)], path_of(item, asset)
        assert one["sha256"] == sha256(stack, path)
        assert one["bytes"] == (stack.data / "archive" / path).stat().st_size
        assert (one["collection"], one["item"], one["asset"]) == ("reflectance", f"reflectance-{item}", asset)
        assert one["href"] == f"/archive/{path}"
        assert "changed" not in one
    claimed = [one for one in found["inputs"] if one["observed"] == "reported"]
    assert {(one["item"], one.get("path")) for one in claimed} == {
        ("reflectance-20230412", path_of("20230412", "B04")),
        ("passwd", None),
        ("shadow", None),
    }
    assert not any("sha256" in one for one in claimed), "nobody vouches for what nobody served"
    how = found["observation"]
    assert (how["by"], how["complete"], how["truncated"]) == ("fanotify", True, False)
    assert how["catalogue"]["documents"] >= 3, "the catalogue's own documents are told as one"


ARCHIVE = "import os\nfrom pathlib import Path\narchive = Path(os.environ['SWATH_ARCHIVE'])\n"
READS = f"{ARCHIVE}archive.joinpath('{path_of('20230412', 'SCL')}').read_bytes()"


def test_a_replaced_scene_is_another_input(stack: Any) -> None:
    publish(stack, "reads", READS, "archive.joinpath('notes.txt').read_text()", EMIT)
    archive = stack.data / "archive"
    (archive / "notes.txt").write_text("no scene")
    before = run(stack, "reads")
    scene = archive / path_of("20230412", "SCL")
    fresh = scene.with_name(".fresh")
    fresh.write_bytes(scene.read_bytes()[:-1] + b"x")
    old = sha256(stack, path_of("20230412", "SCL"))
    fresh.replace(scene)
    after = run(stack, "reads")
    if not WATCHED:
        assert (before["observation"]["by"], before["inputs"]) == ("report", [])
        return
    assert [one["path"] for one in before["inputs"]] == ["notes.txt", path_of("20230412", "SCL")]
    assert "item" not in before["inputs"][0]
    first, second = (found["inputs"][1]["sha256"] for found in (before, after))
    assert (first, second) == (old, sha256(stack, path_of("20230412", "SCL")))
    assert first != second
    assert not any("changed" in one for one in after["inputs"])


WAITS = f"""{ARCHIVE}
import time
scene = archive / '{path_of("20230407", "B04")}'
before = scene.read_bytes()
print("has read it", flush=True)
while archive.joinpath('go').exists():
    time.sleep(0.05)
"""


@pytest.mark.skipif(not WATCHED, reason="this kernel, or this user, has no fanotify")
def test_a_scene_that_is_replaced_under_a_run_is_said_to_have_changed(stack: Any) -> None:
    publish(stack, "waits", WAITS, EMIT)
    archive = stack.data / "archive"
    (archive / "go").touch()
    bob: httpx.Client = stack.client("bob")
    run_id = bob.post("runs", json={"algorithm": "ada/waits", "parameters": {}}).json()["id"]
    deadline = time.monotonic() + 60
    while "has read it" not in bob.get(f"runs/{run_id}/log").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    scene = archive / path_of("20230407", "B04")
    # In place, and with the times that it had.
    stat = scene.stat()
    scene.write_bytes(scene.read_bytes()[:-1] + b"y")
    os.utime(scene, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (archive / "go").unlink()
    while (found := bob.get(f"runs/{run_id}").json())["status"] not in ("finished", "error"):
        assert time.monotonic() < deadline + 60
        time.sleep(0.1)
    (one,) = (one for one in found["inputs"] if one["path"] == path_of("20230407", "B04"))
    assert (one["observed"], one["changed"]) == ("served", True)


def test_an_older_version_runs_in_its_own_build_and_a_package_changed_in_place_shows(stack: Any) -> None:
    publish(stack, "probes", "import probe, sys, swath\nswath.emit('double', {'said': probe.said, 'in': sys.prefix})")
    first = stack.data / "environments/eo"
    place = first.parent / first.readlink()

    def result(found: dict[str, Any]) -> dict[str, str]:
        told: dict[str, str] = stack.client("bob").get(f"runs/{found['id']}/results/double").json()
        return told

    before = run(stack, "probes")
    assert result(before) == {"said": "first", "in": str(place)}
    make_environment(stack.data, "second lock")
    try:
        older = run(stack, "probes")
        assert result(older) == {"said": "first", "in": str(place)}
        assert older["environment"] == before["environment"]
        assert older["environment"]["lock_sha256"] == hashlib.sha256(b"first lock").hexdigest()
        assert older["environment"]["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
        (module,) = place.glob("lib/python3*/site-packages/probe/__init__.py")
        module.write_text("said = 'other'\n")
        # A change in the moment of the start would be told as one while it ran.
        time.sleep(1)
        changed = run(stack, "probes")
        assert result(changed)["said"] == "other"
    finally:
        make_current(place)
    assert "changed" not in changed["environment"]
    digests = [found["environment"]["inventory_sha256"] for found in (before, changed)]
    told = stack.client("bob").get(f"inventories/{digests[0]}/changes/{digests[1]}").json()
    assert [one["text"] for one in told["changes"]] == ["probe has other content under the same version"]
    packages = stack.client("bob").get(f"inventories/{digests[1]}").json()["packages"]
    assert packages["probe"]["version"] == "1.0"
