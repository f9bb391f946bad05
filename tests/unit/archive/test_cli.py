"""``swath archive`` at a shell: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from swath_archive.cli import app
from typer.testing import CliRunner

run = CliRunner()


def test_list(small_archive: Path) -> None:
    shown = run.invoke(app, ["list", "--path", str(small_archive), "--json"])
    assert shown.exit_code == 0
    rows = json.loads(shown.stdout)
    assert [(row["collection"], row["items"], row["data"]) for row in rows] == [
        ("odd-grid", 1, "real"),
        ("reflectance", 3, "real"),
    ]
    items = json.loads(run.invoke(app, ["list", "reflectance", "--path", str(small_archive), "--json"]).stdout)
    assert [row["datetime"] for row in items] == [
        "2023-04-02T00:00:00Z",
        "2023-04-07T00:00:00Z",
        "2023-04-12T00:00:00Z",
    ]
    assert "reflectance" in run.invoke(app, ["list", "--path", str(small_archive)]).stdout


def test_list_of_nothing(tmp_path: Path) -> None:
    shown = run.invoke(app, ["list", "--path", str(tmp_path)])
    assert shown.exit_code == 0
    assert "swath archive init" in shown.stdout


def test_an_unknown_collection_names_those_there_are(small_archive: Path) -> None:
    shown = run.invoke(app, ["list", "nope", "--path", str(small_archive)])
    assert shown.exit_code == 1
    assert "odd-grid, reflectance" in shown.stderr


def test_init_from_a_folder_without_known_files(tmp_path: Path) -> None:
    shown = run.invoke(app, ["init", "--path", str(tmp_path / "archive"), "--from", str(tmp_path), "--no-sample"])
    assert shown.exit_code == 1
    assert "s2_l2a_belgium_202304.nc" in shown.stderr


def test_init_of_nothing_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWATH_ARCHIVE_SOURCES", raising=False)
    assert run.invoke(app, ["init", "--path", str(tmp_path / "archive"), "--no-sample"]).exit_code == 1


def test_init_says_what_is_simulated(small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from swath_archive.sources import landsat, level1c, sentinel

    (batch,) = small.batches()[1:]
    spec = replace(
        batch.spec, id="simulated-x", title="SIMULATED x", description="SIMULATED by the tests", simulated=True
    )
    monkeypatch.setattr(sentinel, "batches", lambda _: iter([batch, replace(batch, spec=spec)]))
    monkeypatch.setattr(landsat.Sample, "batches", lambda _: iter([]))
    monkeypatch.setattr(level1c, "batch", lambda *_, **__: batch)
    shown = run.invoke(app, ["init", "--path", str(tmp_path / "archive"), "--from", str(tmp_path)])
    assert shown.exit_code == 0
    lines = {line.split("│")[1].strip(): line for line in shown.stdout.splitlines() if "│" in line}
    assert "SIMULATED" in lines["simulated-x"]
    assert "real" in lines["odd-grid"]
    rows = json.loads(run.invoke(app, ["list", "--path", str(tmp_path / "archive"), "--json"]).stdout)
    assert {row["collection"]: row["data"] for row in rows} == {"odd-grid": "real", "simulated-x": "SIMULATED"}
    document = json.loads((tmp_path / "archive/simulated-x/odd/odd.json").read_text())
    assert document["properties"]["swath:simulated"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--datetime", "soon"], "2023-04-05T10:46:00Z"), (["--nodata", "zero"], "number")],
)
def test_options_that_are_no_values(tmp_path: Path, arguments: list[str], words: str) -> None:
    shown = run.invoke(app, ["add", "x.tif", "--collection", "c", "--path", str(tmp_path), *arguments])
    assert shown.exit_code == 2
    assert words in shown.stderr


def test_an_address_is_no_folder() -> None:
    shown = run.invoke(app, ["list"], env={"SWATH_ARCHIVE": "https://archive.example/"})
    assert shown.exit_code == 2
    assert "--path" in shown.stderr


def test_the_environment_says_where_it_is(small_archive: Path) -> None:
    shown = run.invoke(app, ["list", "--json"], env={"SWATH_ARCHIVE": str(small_archive)})
    assert [row["collection"] for row in json.loads(shown.stdout)] == ["odd-grid", "reflectance"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, small: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from swath_archive.sources import sentinel

    monkeypatch.setattr(sentinel, "batches", lambda _: iter(small.batches()))
    (tmp_path / "file").write_text("in the way")
    shown = run.invoke(app, ["init", "--path", str(tmp_path / "file/archive"), "--from", str(tmp_path), "--no-sample"])
    assert shown.exit_code == 1
    assert "Traceback" not in shown.output
    assert "irectory" in shown.stderr
