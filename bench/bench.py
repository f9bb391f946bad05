"""Figures, each beside a peer or a floor in the same run on the same machine. ``make bench`` runs this; it has no bar.

``make bench ARGS="quotes --runs 200"`` measures how well quotes hold (`quote_coverage`).

Rounds are interleaved, so that a machine that slows down slows all alike; what is printed are medians and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "chaos"), str(ROOT / "tests")]
from fair_queue import bench_fair  # noqa: E402 - as below
from inputs_watch import bench_inputs  # noqa: E402 - as below
from ledger_rates import bench_ledger  # noqa: E402 - it uses the tests' own modules, found through the line above
from lineage_walks import bench_lineage  # noqa: E402 - so does this
from ogc_echo import bench_echo  # noqa: E402
from plain_swath import PlainSwath  # noqa: E402
from receipt_cost import bench_receipts  # noqa: E402
from search_speed import bench_search  # noqa: E402

say = Console(highlight=False)
NOTEBOOKS = {
    "trivial": "print(n + 1)",
    "import-heavy": "import numpy, xarray, rasterio, rioxarray, odc.stac, dask.array, matplotlib.pyplot\nprint(n + 1)",
}


def notebook(name: str, source: str) -> dict[str, Any]:
    """A notebook that both papermill and Swath take."""

    def cell(key: str, text: str, *tags: str) -> dict[str, Any]:
        meta = {"tags": list(tags)} if tags else {}
        code = {"cell_type": "code", "metadata": meta, "source": text, "outputs": [], "execution_count": None}
        return {"id": key, **code}

    swath = {
        "name": f"bench-{name}",
        "title": "For the bench",
        "summary": "For the bench",
        "license": "Apache-2.0",
        "version": "1.0.0",
        "resources": {"cpus": 2, "memory_mb": 2048, "wall_seconds": 120},
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell("params", "# A number\nn: int = 1", "parameters"), cell("work", source)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, "swath": swath}, "cells": cells}


def timed(work: Callable[[], None]) -> float:
    """Seconds that `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bench_runs(python: Path, *, rounds: int) -> None:
    """Request to result through Swath beside the whole process of papermill's command, on the same notebooks."""
    with tempfile.TemporaryDirectory(prefix="swath-bench-") as scratch:
        folder = Path(scratch)
        swath = PlainSwath(folder / "data", python=python, editable=False, users=["bea"])
        try:
            for service in ("quota", "marketplace"):
                swath.start(service)
            for service in ("quota", "marketplace"):
                swath.wait_ready(service)
            _bench_runs(swath, python, folder, rounds=rounds)
        finally:
            swath.close()


def _bench_runs(swath: PlainSwath, python: Path, folder: Path, *, rounds: int) -> None:
    table = Table(
        "notebook", "papermill, s", "Swath request→result, s", "ratio", title=f"runs, {rounds} rounds, medians"
    )
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with swath.client("bea") as http:
        for name, source in NOTEBOOKS.items():
            content = notebook(name, source)
            path = folder / f"{name}.ipynb"
            path.write_text(json.dumps(content))
            http.post("algorithms", json={"notebook": content}).raise_for_status()
            command = [
                python,
                "-m",
                "papermill",
                "--no-progress-bar",
                "-k",
                "python3",
                str(path),
                str(folder / "o.ipynb"),
            ]

            def peer(command: list[Any] = command) -> None:
                subprocess.run(command, env=environment, check=True, capture_output=True)

            def ours(name: str = name) -> None:
                made = http.post("runs", json={"algorithm": f"bea/bench-{name}@^1", "parameters": {"n": 2}})
                made.raise_for_status()
                while True:
                    run = http.get(f"runs/{made.json()['id']}").json()
                    if run["status"] in {"finished", "error", "canceled"}:
                        break
                    time.sleep(0.02)
                if run["status"] != "finished":
                    raise RuntimeError(f"a run of the bench ended as {run['status']}: {run['error']}")

            peer()
            ours()
            seconds = [(timed(peer), timed(ours)) for _ in range(rounds)]
            theirs, own = (statistics.median(column) for column in zip(*seconds, strict=True))
            table.add_row(name, f"{theirs:.2f}", f"{own:.2f}", f"{own / theirs:.2f}")
    say.print(table)


def main() -> None:
    if sys.argv[1:2] == ["quotes"]:
        # A bench of minutes with options of its own, so not among those that run without being named.
        from quote_coverage import main as quotes

        del sys.argv[1]
        quotes()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ["runs", "fair", "holds", "inputs", "lineage", "receipts", "echo", "search"]
    parser.add_argument("only", nargs="?", choices=parts, help="one part alone")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each rate of the ledger is measured")
    parser.add_argument("--ledger-rounds", type=int, default=3)
    parser.add_argument("--receipts", type=int, default=300, help="how many receipts are issued on each database")
    parser.add_argument("--algorithms", type=int, default=10_000, help="how many algorithms are searched")
    data = Path(os.environ.get("SWATH_DATA", ROOT / ".swath" / "data"))
    parser.add_argument("--runs", type=int, default=1000, help="how many runs are queued for `fair`")
    parser.add_argument("--python", type=Path, default=data / "environments" / "eo" / "bin" / "python")
    options = parser.parse_args()
    say.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if options.only in (None, "runs"):
        bench_runs(options.python.absolute(), rounds=options.rounds)
    if options.only == "fair":
        # A quarter of an hour, so not among those that run without being named.
        content = notebook("trivial", NOTEBOOKS["trivial"])
        content["metadata"]["swath"]["resources"]["cpus"] = 1
        python = options.python.absolute()
        bench_fair(say, python=python, notebook=content, algorithm="bench-trivial", runs=options.runs)
    if options.only == "echo":
        # Installs its peer, so not among those that run without being named.
        bench_echo(say, python=options.python.absolute(), rounds=options.rounds)
    if options.only in (None, "inputs"):
        bench_inputs(say, python=options.python.absolute(), rounds=options.rounds)
    if options.only in (None, "holds"):
        bench_ledger(say, seconds=options.seconds, rounds=options.ledger_rounds)
    if options.only in (None, "lineage"):
        bench_lineage(say, rounds=options.rounds)
    if options.only in (None, "receipts"):
        bench_receipts(say, runs=options.receipts)
    if options.only in (None, "search"):
        bench_search(say, algorithms=options.algorithms)


if __name__ == "__main__":
    main()
