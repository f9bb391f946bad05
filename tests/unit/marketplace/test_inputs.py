"""What was served and what was reported, brought together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.inputs import MOST_INPUTS, Asset, Read, Report, merged
from swath_marketplace.domain.receipts import statement_of
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.run_folder import RunFolder
from swath_marketplace.services.inputs import InputObserver, Observation
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.archive_assets import ArchiveAssets
from swath_marketplace.store.file_hashes import FileHashes
from swath_marketplace.testing import World, notebook, user
from swath_sandbox.served import read_served

B04 = Asset(collection="c", item="i", asset="B04")


def report(path: str | None, *, asset: str = "B04") -> Report:
    return Report(collection="c", item="i", asset=asset, path=path)


def test_what_was_served_is_told_in_the_catalogues_words() -> None:
    read = Read(path="c/i/B04.tif", bytes=5, sha256="a" * 64, asset=B04)
    (told,) = merged([read], [Report(collection="x", item="y", asset="z", path="c/i/B04.tif")])
    assert told == {
        "path": "c/i/B04.tif",
        "observed": "served",
        "collection": "c",
        "item": "i",
        "asset": "B04",
        "href": "/archive/c/i/B04.tif",
        "bytes": 5,
        "sha256": "a" * 64,
    }


CLAIMS = {
    "nothing": ([], []),
    "by its path": ([report("c/i/B04.tif")], []),
    "by its name alone": ([report(None)], []),
    "another path under its name": ([report("c/i/B08.tif")], ["c/i/B08.tif"]),
    "another name without a path": ([report(None, asset="B08")], [None]),
    "twice": ([report("x.tif"), report("x.tif")], ["x.tif"]),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_what_was_not_served_is_reported(case: str) -> None:
    reports, wanted = CLAIMS[case]
    told = merged([Read(path="c/i/B04.tif", sha256="a" * 64, asset=B04)], reports)
    assert [one["observed"] for one in told] == ["served"] + ["reported"] * len(wanted)
    assert [one.get("path") for one in told[1:]] == wanted
    assert not any("sha256" in one for one in told[1:])


def test_a_file_of_no_item_and_one_that_changed() -> None:
    (told,) = merged([Read(path="notes.txt", bytes=1, changed=True)], [])
    assert told == {
        "path": "notes.txt",
        "observed": "served",
        "href": "/archive/notes.txt",
        "bytes": 1,
        "changed": True,
    }


def test_the_order_is_the_paths_own() -> None:
    told = merged([Read(path=path) for path in ("b", "a")], [report("z"), report("y", asset="x")])
    assert [one["path"] for one in told] == ["a", "b", "y", "z"]


class Place:
    """An archive with one item, and a run's folder."""

    def __init__(self, root: Path) -> None:
        self.archive, self.folder = root / "archive", RunFolder(root / "run")
        self.folder.warden.mkdir(parents=True)
        self.folder.out.mkdir()
        self.hashes = FileHashes(root / "hashes.sqlite")
        item = self.archive / "c" / "i"
        item.mkdir(parents=True)
        for name in ("B04", "B08"):
            (item / f"{name}.tif").write_bytes(name.encode())
        assets = {name: {"href": f"./{name}.tif"} for name in ("B04", "B08", "cloud.json")}
        assets["cloud.json"]["href"] = "cloud.json"
        self.write("c/i/i.json", type="Feature", id="i", collection="c", assets=assets)
        self.write("c/i/cloud.json", stac_version=None, cover=0.5)
        self.write("c/collection.json", type="Collection", id="c")
        self.write("catalog.json", type="Catalog", id="root")

    def write(self, path: str, **document: Any) -> None:
        whole = {"stac_version": "1.1.0", **document}
        (self.archive / path).write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))

    def line(self, path: str, **changes: Any) -> dict[str, Any]:
        found = (self.archive / path).stat()
        told = {
            "path": path,
            "device": found.st_dev,
            "inode": found.st_ino,
            "bytes": found.st_size,
            "modified_ns": found.st_mtime_ns,
            "changed_ns": found.st_ctime_ns,
        }
        return {**told, **changes}

    def serve(self, *lines: dict[str, Any], first: Any = None, last: Any = None) -> None:
        whole = [first or {"watching": "/archive"}, *lines, last or {"ended": True}]
        (self.folder.warden / "served.jsonl").write_text("".join(json.dumps(line) + "\n" for line in whole))

    def report(self, *lines: Any) -> None:
        (self.folder.out / "inputs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def observe(self, run: Run) -> Observation:
        return InputObserver(archive=self.archive, hashes=self.hashes).observe(run, self.folder, ())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def run(world: World) -> Run:
    world.registry.publish(user("ada"), notebook())
    made, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={}))
    found: Run = made
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(found: Observation) -> Sequence[tuple[str | None, str, str | None]]:
    return [(one.get("path"), one["observed"], one.get("sha256")) for one in found.inputs]


def test_served_files_are_hashed_and_the_catalogue_stands_apart(place: Place, run: Run) -> None:
    documents = ("catalog.json", "c/collection.json", "c/i/i.json")
    place.serve(*map(place.line, (*documents, "c/i/B04.tif", "c/i/cloud.json")))
    found = place.observe(run)
    assert told(found) == [
        ("c/i/B04.tif", "served", sha256(b"B04")),
        ("c/i/cloud.json", "served", sha256((place.archive / "c/i/cloud.json").read_bytes())),
    ]
    assert [one["asset"] for one in found.inputs] == ["B04", "cloud.json"]
    assert {name: found.how[name] for name in ("by", "complete", "truncated")} == {
        "by": "fanotify",
        "complete": True,
        "truncated": False,
    }
    assert found.how["catalogue"]["documents"] == 3
    place.write("c/collection.json", type="Collection", id="c", title="another")
    again = place.observe(run).how["catalogue"]
    assert again["changed"] is True
    assert again["sha256"] != found.how["catalogue"]["sha256"]


def test_files_that_were_another_when_they_were_opened_are_said_to_have_changed(place: Place, run: Run) -> None:
    lines = [place.line("c/i/B04.tif"), place.line("c/i/B08.tif")]
    path = place.archive / "c/i/B04.tif"
    stat = path.stat()
    path.write_bytes(b"B05")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    place.serve(*lines, place.line("c/i/B08.tif", inode=7))
    found = place.observe(run)
    assert [(one["path"], one["changed"]) for one in found.inputs] == [("c/i/B04.tif", True), ("c/i/B08.tif", True)]
    assert found.inputs[0]["sha256"] == sha256(b"B05")
    path.unlink()
    (gone, _) = place.observe(run).inputs
    assert gone["changed"] is True
    assert "sha256" not in gone


INCOMPLETE = {
    "killed": ({"last": {"path": "c/i/B08.tif"}}, False),
    "too many": ({"last": {"truncated": 50000}}, True),
    "an overflow": ({"last": {"lost": True}}, False),
    "another's words": ({"last": {"path": "../../etc/passwd", "device": 1}}, False),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_a_record_that_is_not_whole_is_not_told_as_whole(place: Place, run: Run, case: str) -> None:
    options, truncated = INCOMPLETE[case]
    place.serve(place.line("c/i/B04.tif"), **options)
    found = place.observe(run)
    assert told(found) == [("c/i/B04.tif", "served", sha256(b"B04"))]
    assert (found.how["by"], found.how["complete"], found.how["truncated"]) == ("fanotify", False, truncated)
    assert found.how["why"]


CLAIM = {"collection": "c", "item": "i", "asset": "B04", "href": "/archive/c/i/B04.tif", "sha256": "f" * 64}


@pytest.mark.parametrize("first", [{"unwatched": "fanotify_init: Operation not permitted"}, None])
def test_where_nobody_could_watch_the_runs_word_is_all_there_is(place: Place, run: Run, first: Any) -> None:
    if first:
        place.serve(first=first)
    place.report(CLAIM, {**CLAIM, "asset": "x", "href": "/archive/../secret"}, {**CLAIM, "item": 3}, [])
    found = place.observe(run)
    assert told(found) == [(None, "reported", None), ("c/i/B04.tif", "reported", sha256(b"B04"))]
    assert (found.how["by"], found.how["complete"]) == ("report", False)
    assert found.how["why"] == (first["unwatched"] if first else "nothing was watched")


def test_a_claim_leads_to_no_file_outside_the_archive(place: Place, run: Run) -> None:
    secret = place.archive.parent / "secret"
    secret.write_text("x")
    (place.archive / "out").symlink_to(secret)
    (place.archive / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(place.archive / "pipe")
    place.report(*({**CLAIM, "asset": name, "href": f"/archive/{name}"} for name in ("out", "pipe", "c", "none")))
    assert len(found := place.observe(run).inputs) == 4
    assert not any("sha256" in one for one in found)


def test_dask_workers_read_for_themselves(place: Place, run: Run) -> None:
    place.serve()
    place.report(CLAIM)
    found = place.observe(replace(run, resources=replace(run.resources, dask=True)))
    assert told(found) == [("c/i/B04.tif", "reported", sha256(b"B04"))]
    assert (found.how["by"], found.how["complete"]) == ("fanotify", False)
    assert "Dask" in found.how["why"]


def test_so_many_inputs_are_kept_and_no_more(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_INPUTS == 10_000
    for module in ("domain.inputs", "services.inputs"):
        monkeypatch.setattr(f"swath_marketplace.{module}.MOST_INPUTS", 1)
    place.serve(place.line("c/i/B04.tif"), place.line("c/i/B08.tif"))
    found = place.observe(run)
    assert len(found.inputs) == 1
    assert found.how["truncated"] is True


def test_a_record_that_is_damaged_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "served.jsonl").write_bytes(b'{"watching": "/archive"}\n[1]\n{"path": "x"}\n{"pa')
    found = read_served(tmp_path)
    assert (found.watched, found.complete, found.files) == (True, False, ())


def test_what_is_kept_with_the_run(world: World) -> None:
    def run_it(run: Run, folder: RunFolder) -> Any:
        write_report(folder, outputs={"double": b"6"})
        path = folder.out / "report.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "inputs": [CLAIM]}))
        return process_end()

    world.registry.publish(user("ada"), notebook())
    world.fake.script = run_it
    run, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={}))
    done = world.look_until(run.id)
    assert done.status is RunStatus.FINISHED
    (one,) = done.inputs
    assert (one["collection"], one["item"], one["asset"], one["observed"]) == ("c", "i", "B04", "reported")
    assert done.observation
    assert done.observation["by"] == "report"
    assert done.environment
    assert (done.environment["name"], done.environment["inventory_sha256"]) == ("eo", None)


def test_a_receipt_states_what_was_seen(world: World) -> None:
    version = world.registry.publish(user("ada"), notebook()).version
    run, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={}))
    done = world.look_until(run.id)
    read = {"path": "c/i/B04.tif", "observed": "served", "sha256": "a" * 64, "changed": True}
    kept = {"name": "eo", "lock_sha256": "0" * 64, "inventory_sha256": "b" * 64, "python": "3.11.2", "changed": True}
    names = {"origin": "urn:swath:installation:x", "executor": "local", "software": {}}
    seen = statement_of(replace(done, inputs=(read,), environment=kept), version, **names)
    assert seen.environment.about == {"inventory_sha256": "b" * 64, "python": "3.11.2", "changed": "true"}
    (stated,) = seen.inputs
    assert (stated.sha256, stated.about["changed"], stated.about["observed"]) == ("a" * 64, "true", "served")
    assert statement_of(done, version, **names).environment.about == {}


def test_an_asset_is_found_beside_its_item_wherever_that_stands(tmp_path: Path) -> None:
    made = Place(tmp_path)
    flat = made.archive / "flat"
    flat.mkdir()
    for name in ("a", "b"):
        href = {"href": f"{name}.tif"}
        made.write(f"flat/{name}.json", type="Feature", id=name, collection="flat", assets={"data": href, "odd": 3})
    (flat / "broken.json").write_text("{")
    assets = ArchiveAssets(made.archive)
    assert assets.of("flat/b.tif") == Asset(collection="flat", item="b", asset="data")
    assert assets.of("flat/c.tif") is None
    assert assets.of("nowhere/c.tif") is None
    assert not assets.is_document("flat/broken.json")
    assert assets.is_document("flat/a.json")
