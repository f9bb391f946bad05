"""Two real marketplaces: an account leaves the one, arrives in the other, and its run is reproduced there."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from swath.client import exit as leaving
from swath.client import reproduction
from swath.client.credentials import Credentials
from swath.client.errors import Invalid
from swath.client.http import Api
from swath.client.trust import Pins
from swath.client.verifying import Verifier
from swath_marketplace.testing import given_up, notebook, write_environment

pytestmark = pytest.mark.integration

READS = """
import os, pathlib, swath
print("reading")
factor = int((pathlib.Path(os.environ["SWATH_ARCHIVE"]) / "factor.txt").read_text())
swath.emit("double", {"value": factor * n})
"""


def make(folder: Path) -> Any:
    """A marketplace with its quota, over an archive that both have."""
    spec = importlib.util.spec_from_file_location("swath_exit_stack", Path(__file__).with_name("stack.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder.mkdir()
    write_environment(folder, python=sys.executable)
    (folder / "archive").mkdir()
    (folder / "archive" / "factor.txt").write_text("2")
    allowed = {f"SWATH_ALLOW_{allow.name}": "1" for allow in given_up()}
    return module.Stack(folder, environment=allowed)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    folder = tmp_path_factory.mktemp("exit")
    with make(folder / "here") as here, make(folder / "there") as there:
        yield here, there


def api(stack: Any, token: str) -> Api:
    return Api(Credentials(url=f"http://127.0.0.1:{stack.ports['marketplace']}/", token=token, source="a test"))


def test_an_account_leaves_and_a_run_of_it_is_reproduced_elsewhere(places: tuple[Any, Any], tmp_path: Path) -> None:
    here, there = places
    ada = here.client("ada")
    book = notebook(READS, resources={"memory_mb": 512, "wall_seconds": 120})
    published = ada.post("algorithms", json={"notebook": book})
    assert published.status_code == 201, published.text
    run = ada.post("runs", json={"algorithm": "ada/double", "parameters": {"n": 21}}).json()
    deadline = time.monotonic() + 120
    while (run := ada.get(f"runs/{run['id']}").json())["status"] not in {"finished", "error"}:
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
    assert run["status"] == "finished", run

    with closing(api(here, "ada")) as leaves:
        archive = leaving.export(leaves, tmp_path)
    files = leaving.check(archive)
    assert f"runs/{run['id']}/events.jsonl" in files
    assert "wallet.json" in files
    with closing(api(there, "bob")) as arrives:
        report = leaving.bring(arrives, archive)
        assert [(one["digest"], one["runnable"]) for one in report["versions"]] == [
            (ada.get("algorithms/ada/double/versions/1.0.0").json()["digest"], True)
        ]
        bob = there.client("bob")
        (brought,) = bob.get("imported-runs").json()["runs"]
        # By its receipt, as `swath reproduce FILE` does, and by the imported run itself.
        receipt = tmp_path / "receipt.json"
        receipt.write_bytes(bob.get(f"imported-runs/{brought['id']}/receipt").content)
        keys = tmp_path / "keys.json"
        keys.write_bytes(ada.get("receipts/keys").content)
        assert Verifier(api=None, keys_file=keys, pins=Pins(tmp_path / "pins")).file(receipt).ok
        again = reproduction.start(arrives, receipt).wait()
        assert (again.verdict, again.message) == ("identical", "every output is the same"), again.as_dict()
        assert again.as_dict()["algorithm"] == "bob/double"
        asked = bob.post(f"imported-runs/{brought['id']}/reproductions")
        assert reproduction.get(arrives, asked.json()["id"]).wait().verdict == "identical"


def test_a_damaged_archive_is_told_before_it_is_sent(places: tuple[Any, Any], tmp_path: Path) -> None:
    here, there = places
    with closing(api(here, "cyd")) as leaves:
        archive = leaving.export(leaves, tmp_path / "cyd.zip")
    content = bytearray(archive.read_bytes())
    at = content.find(json.dumps("swath-account-1").encode()[1:-1])
    archive.write_bytes(bytes(content[: at if at > 0 else 2000] + b"??" + content[(at if at > 0 else 2000) + 2 :]))
    with closing(api(there, "cyd")) as arrives, pytest.raises(Invalid) as refused:
        leaving.bring(arrives, archive)
    assert refused.value.code == "archive-damaged"
    assert there.client("cyd").get("account/imports").json()["imports"] == []
