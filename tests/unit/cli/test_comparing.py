"""`swath diff` on files and folders: what it prints, and with which code it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from swath.cli.app import app
from typer.testing import CliRunner

runner = CliRunner()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    sides = tmp_path / "a", tmp_path / "b"
    for folder, mean in zip(sides, (1.0, 1.5), strict=True):
        folder.mkdir()
        (folder / "table.csv").write_text(f"day,mean\n1,{mean}\n2,2.0\n")
        (folder / "summary.json").write_text(json.dumps({"mean": mean, "made_at": str(folder)}))
        (folder / "same.txt").write_text("x\n")
    (sides[1] / "more.txt").write_text("y\n")
    return sides


def _run(*words: Any) -> tuple[int, str]:
    result = runner.invoke(app, ["diff", *map(str, words)])
    return result.exit_code, result.output


def test_two_files(folders: tuple[Path, Path]) -> None:
    first, second = (folder / "table.csv" for folder in folders)
    code, out = _run(first, second)
    assert code == 1
    assert out.startswith("differs: 1 of 4 cells are further apart than allowed, at most 0.5 apart")
    assert "row 0, column mean" in out
    assert _run(first, first)[0] == 0
    assert _run(first, second, "--atol", "0.5")[0] == 0
    assert _run(first, second, "--ignore", "mean")[0] == 0
    assert _run(first, second, "--share", "0.5")[0] == 0


def test_two_folders_are_compared_by_the_names_of_their_files(folders: tuple[Path, Path]) -> None:
    code, out = _run(*folders, "--json")
    assert code == 1
    told = json.loads(out)
    assert told["verdict"] == "differs"
    assert {name: one["verdict"] for name, one in told["comparisons"].items()} == {
        "more": "differs",
        "same": "identical",
        "summary": "differs",
        "table": "differs",
    }
    assert told["comparisons"]["more"]["message"] == "only the found side has it"
    chosen = ["--only", "summary", "--only", "same", "--rtol", "0.5", "--ignore", "$.made_at"]
    code, out = _run(*folders, *chosen)
    assert code == 0
    assert "within-tolerance" in out
    assert "table" not in out


def test_what_cannot_be_compared_ends_with_two(folders: tuple[Path, Path]) -> None:
    (folders[1] / "summary.json").write_text("{")
    code, out = _run(folders[0] / "summary.json", folders[1] / "summary.json")
    assert code == 2
    assert out.startswith("incomparable: the found file is no JSON")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{a}/table.csv", "{b}"], 2),
        (["{a}", "{a}/none.csv"], 6),
        (["{a}", "{b}", "--only", "nothing"], 6),
        (["{a}", "{empty}"], 5),
        (["{a}", "{b}", "--share", "2"], 2),
        (["{a}", "{b}", "--rtol", "-1"], 2),
        (["{a}", "{b}", "--atol", "nan"], 2),
        (["{a}", "{b}", "--ignore", ""], 2),
    ],
)
def test_wrong_words_are_told(folders: tuple[Path, Path], tmp_path: Path, words: list[str], code: int) -> None:
    (tmp_path / "empty").mkdir()
    places = {"a": folders[0], "b": folders[1], "empty": tmp_path / "empty"}
    assert _run(*(word.format(**places) for word in words))[0] == code


def test_a_picture_of_the_difference_is_saved(tmp_path: Path) -> None:
    from PIL import Image

    for name, shade in (("a", 10), ("b", 30)):
        Image.new("L", (6, 4), shade).save(tmp_path / f"{name}.png")
    code, _ = _run(tmp_path / "a.png", tmp_path / "b.png", "--pictures", tmp_path / "drawn")
    assert code == 1
    assert (tmp_path / "drawn" / "difference.png").is_file()


def test_a_package_that_is_missing_is_named_with_what_installs_it(tmp_path: Path) -> None:
    for name, value in (("a", "II*\0x"), ("b", "II*\0y")):
        (tmp_path / f"{name}.tif").write_text(value)
    code = (
        "import sys\nsys.modules['rasterio'] = None\nsys.modules['pandas'] = None\n"
        f"sys.argv = ['swath', 'diff', {str(tmp_path / 'a.tif')!r}, {str(tmp_path / 'b.tif')!r}]\n"
        "from swath.cli import main\nmain()\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert done.returncode == 2
    assert "needs the package rasterio" in done.stderr
    assert "pip install 'swath[kernel]'" in done.stderr
