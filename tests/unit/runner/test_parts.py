"""The runner's parts that need no kernel."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import nbformat
import pytest
import rasterio
from swath.contract.interface import Interface
from swath.contract.run import ErrorCode, OutputRecord
from swath.runner.journal import LOG_CHARS, Journal, plain
from swath.runner.kernel import kernel_environment
from swath.runner.prepare import inject, load_notebook, mark_failure, reports_progress
from swath.runner.produced import collect, tiff_fault
from swath.runner.stop import Stop, margin_seconds
from swath.runner.streams import merge_streams
from swath.runner.tail import Tail

code, stream = nbformat.v4.new_code_cell, nbformat.v4.new_output


@pytest.mark.parametrize(("wall", "margin"), [(2, 1), (4, 2), (60, 3), (900, 10), (40, 2)])
def test_the_runner_ends_before_the_hard_limit(wall: float, margin: float) -> None:
    assert margin_seconds(wall) == margin


def test_the_first_reason_to_stop_stands_and_is_told_once() -> None:
    told: list[str] = []
    stop = Stop(on_request=lambda: told.append("now"))
    stop.request(ErrorCode.TIME_LIMIT)
    stop.request(ErrorCode.CANCELED)
    assert (stop.reason, told) == (ErrorCode.TIME_LIMIT, ["now"])


def test_terminal_sequences_leave_the_log(tmp_path: Path) -> None:
    assert plain("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07") == "red link"


def test_progress_never_goes_back_and_stays_within_bounds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    for fraction in (0.5, 0.2, 7.0):
        journal.progress(fraction)
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["fraction"] for line in lines] == [0.5, 0.5, 1.0]


def test_the_log_is_cut_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    assert journal.log("x" * (LOG_CHARS - 1), stream="stdout")
    assert "cut here" in journal.log("yz", stream="stdout")
    assert journal.log("dropped", stream="stdout") == ""
    journal.close()
    assert "dropped" not in (tmp_path / "events.jsonl").read_text()


def test_a_kernels_environment_is_a_whitelist(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "GDAL_CACHEMAX": "64",
        "SWATH_ARCHIVE": "/archive",
        "SWATH_TOKEN": "s",
        "JUPYTERHUB_API_TOKEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "GDAL_HTTP_BEARER": "s",
        "LD_PRELOAD": "x.so",
        "OMP_NUM_THREADS": "9",
    }
    seen = kernel_environment(given, run_dir=Path("/run/swath"), cpus=2.4, scratch=tmp_path)
    assert not {name for name, value in seen.items() if value in ("s", "x.so")}
    assert (seen["PATH"], seen["SWATH_ARCHIVE"], seen["GDAL_CACHEMAX"]) == ("/bin", "/archive", "64")
    assert (seen["SWATH_RUN_DIR"], seen["OPENBLAS_NUM_THREADS"], seen["OMP_NUM_THREADS"]) == ("/run/swath", "2", "9")


def test_a_tail_reads_whole_objects_only(tmp_path: Path) -> None:
    path, seen = tmp_path / "lines", []
    tail = Tail(path, on_line=seen.append)
    tail.drain()
    with path.open("ab") as file:
        for piece in (b'{"a": 1}\nno json\n[1]\n{"a"', b": 2}\n", b"x" * 200_000, b'\n{"a": 3}\n'):
            file.write(piece)
            file.flush()
            tail.drain()
    tail.close()
    assert [line["a"] for line in seen] == [1, 2, 3]


def test_pieces_of_output_become_one_text() -> None:
    cell = code("")
    cell.outputs = [
        stream("stream", name="stdout", text="10%\r"),
        stream("stream", name="stdout", text="100%\nend"),
        stream("display_data", data={"text/plain": "x"}),
        stream("stream", name="stdout", text="more\r\n"),
    ]
    merge_streams(cell)
    assert [output.get("text") for output in cell.outputs] == ["100%\nend", None, "more\n"]


def saved(tmp_path: Path, *cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), tmp_path / "n.ipynb")
    return load_notebook(tmp_path / "n.ipynb")


def test_parameters_go_behind_their_cell_and_indices_are_kept(tmp_path: Path) -> None:
    notebook = saved(tmp_path, code("1"), code("x: int", metadata={"tags": ["parameters"]}), code("2"))
    assert inject(notebook, "x = 3", {"x": 3}) == ((0, 1, 1, 2), 2)
    assert [cell.source for cell in notebook.cells] == ["1", "x: int", "x = 3", "2"]
    nbformat.validate(notebook)


def test_without_parameters_nothing_is_put_in(tmp_path: Path) -> None:
    notebook = saved(tmp_path, code("1"))
    assert inject(notebook, "", {}) == ((0,), None)
    assert len(notebook.cells) == 1


def test_the_note_of_a_failure_leaves_the_notebook_as_it_is(tmp_path: Path) -> None:
    notebook = saved(tmp_path, code("1"))
    marked = mark_failure(notebook, 0, "cell-failed")
    assert (len(notebook.cells), len(marked.cells)) == (1, 2)
    assert "its cell 1" in marked.cells[0].source
    nbformat.validate(marked)


def test_who_counts_progress(tmp_path: Path) -> None:
    assert reports_progress(saved(tmp_path, code("swath.progress(0.5)")))
    assert not reports_progress(saved(tmp_path, code("print('progress')")))


@pytest.mark.parametrize(("driver", "options"), [("GTiff", {}), ("GTiff", {"BIGTIFF": "YES"}), ("COG", {})])
@pytest.mark.parametrize(("crs", "fault"), [("EPSG:32631", None), ("EPSG:4326", None), (None, "names no coordinate")])
def test_a_tiffs_reference_system_is_found_without_gdal(
    tmp_path: Path, driver: str, options: dict[str, str], crs: str | None, fault: str | None
) -> None:
    path = tmp_path / "r.tif"
    place = rasterio.Affine(10, 0, 5, 0, -10, 5)
    shape = {"width": 4, "height": 4, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver=driver, crs=crs, transform=place, **shape, **options) as file:
        file.write(__import__("numpy").ones((1, 4, 4), "uint8"))
    found = tiff_fault(path)
    assert found is None if fault is None else fault in str(found)


@pytest.mark.parametrize(
    "content", [b"", b"II", b"no tiff, only text", struct.pack("<2sHL", b"II", 42, 10**6) + b"0" * 20]
)
def test_what_is_no_tiff_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.tif"
    path.write_bytes(content)
    assert tiff_fault(path)


def test_a_file_behind_a_link_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "out/files").mkdir(parents=True)
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "out/files/a.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "out/away").symlink_to(tmp_path)
    for name, path in (("a", "files/a.json"), ("b", "away/secret.json")):
        record = OutputRecord(name=name, path=path, media_type="application/json", bytes=2, sha256="0" * 64)
        with (tmp_path / "out/outputs.jsonl").open("a") as file:
            file.write(json.dumps(record.as_dict()) + "\n")
    produced = collect(tmp_path, Interface(), complete=True)
    assert produced.records == ()
    assert produced.error is not None
    assert produced.error.code == "output-invalid"
