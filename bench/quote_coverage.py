"""How well quotes hold: runs of the shipped algorithms, of varying area, dates and parameters, against what was quoted.

Quota and marketplace are the real services, each run a real sandboxed run over the real archive. The first runs warm
up: they are learnt from and not counted. With ``--data`` a bench that was cut off, or ran out of ``--minutes``, goes on
where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from swath_quota.catalogue import load_prices
from swath_quota.domain.prices import Prices, price_run

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "chaos"), str(ROOT / "tests")]
from plain_swath import PlainSwath  # noqa: E402 - the tests' own modules, found through the line above
from quote_workload import SHARES, Workload  # noqa: E402

say = Console(highlight=False)
AUTHOR = "bea"
#: A caller has two runs at a time; as many callers as there are cores keep the machine busy.
CALLERS = [f"caller-{number}" for number in range(1, (os.cpu_count() or 1) + 1)]
FIGURES = (
    "runs",
    "cost ≤ upper",
    "cost ≤ p95",
    "p50 ±30 %",
    "p50 ±30 %, both without the fee",
    "cost / p50 - 1 without the fee, at 10, 50, 90 %",
    "upper / cost, median",
    "cold starts",
)
_ENDS = {"finished", "error", "canceled"}


class Journal:
    """What was quoted and what it cost, a line for each run, in the order in which they ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        lines = path.read_text().splitlines() if path.exists() else []
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def add(self, entry: dict[str, Any]) -> None:
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            self.entries.append(entry)


def publish(swath: PlainSwath) -> None:
    """Publish the shipped algorithms; those that are there stay."""
    with swath.client(AUTHOR) as http:
        for name in SHARES:
            notebook = json.loads((ROOT / "algorithms" / name / "notebook.ipynb").read_text())
            http.post("algorithms", json={"notebook": notebook}).raise_for_status()


def call(http: Any, number: int, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """One run from request to end."""
    made = http.post("runs", json={"algorithm": f"{AUTHOR}/{name}", "parameters": parameters})
    made.raise_for_status()
    while (run := http.get(f"runs/{made.json()['id']}").json())["status"] not in _ENDS:
        time.sleep(0.05)
    estimate = run["estimate"] or {}
    kept = ("p50", "p95", "upper", "ceiling", "p50_seconds", "basis", "observations")
    return {
        "number": number,
        "algorithm": name,
        "status": run["status"],
        "cost": run["cost_millicredits"],
        "held": run["quote_millicredits"],
        "usage": run["usage"],
        **{key: estimate.get(key) for key in kept},
    }


def drive(swath: PlainSwath, work: Workload, journal: Journal, *, runs: int, until: float) -> None:
    """Make the runs that the journal lacks, from every caller at once."""
    done = {entry["number"] for entry in journal.entries}
    left = iter([number for number in range(runs) if number not in done])
    lock = threading.Lock()

    def take() -> Iterator[int]:
        while time.monotonic() < until:
            with lock:
                number = next(left, None)
            if number is None:
                return
            yield number

    def caller(user: str) -> None:
        with swath.client(user) as http:
            for number in take():
                journal.add(call(http, number, *work.call(number)))
                if len(journal.entries) % 20 == 0:
                    say.print(f"{len(journal.entries)} runs")

    threads = [threading.Thread(target=caller, args=(user,)) for user in CALLERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(journal: Journal, *, warm_up: int, prices: Prices) -> None:
    """Print what is known, altogether and for each algorithm."""
    fee = prices.per_batch_run
    for entry in journal.entries:
        # Priced anew: what was paid is never above what was held, so it could not tell of a bound that broke.
        used = entry["usage"] or {"cpu_seconds": 0.0, "memory_mb": 0, "wall_seconds": 0.0}
        memory_mb_seconds = used["memory_mb"] * used["wall_seconds"]
        entry["cost"] = price_run(prices, cpu_seconds=used["cpu_seconds"], memory_mb_seconds=memory_mb_seconds)
    counted = [entry for entry in journal.entries[warm_up:] if entry["status"] == "finished" and entry["p50"]]
    failed = sum(entry["status"] != "finished" for entry in journal.entries[warm_up:])
    title = f"quotes of {len(counted)} finished runs after {warm_up} to warm up; {failed} failed and are not counted"
    chosen = {name: [one for one in counted if name in ("all", one["algorithm"])] for name in (*SHARES, "all")}
    columns = {name: figures(entries, fee=fee) for name, entries in chosen.items() if entries}
    table = Table("", *columns, title=title)
    for row, label in enumerate(FIGURES):
        table.add_row(label, *(column[row] for column in columns.values()))
    say.print(table)


def figures(entries: Sequence[dict[str, Any]], *, fee: int) -> list[str]:
    """What `FIGURES` names."""

    def share(holds: Callable[[dict[str, Any]], bool]) -> str:
        return f"{sum(map(holds, entries)) / len(entries):.1%}"

    def near(entry: dict[str, Any], off: int) -> bool:
        return abs(entry["cost"] - entry["p50"]) <= 0.3 * (entry["p50"] - off) + 0.5

    errors = sorted((entry["cost"] - fee) / max(entry["p50"] - fee, 1) - 1 for entry in entries)
    wide = sorted(entry["upper"] / entry["cost"] for entry in entries)
    at = [errors[int(part * (len(errors) - 1))] for part in (0.1, 0.5, 0.9)]
    return [
        str(len(entries)),
        share(lambda entry: entry["cost"] <= entry["upper"]),
        share(lambda entry: entry["cost"] <= entry["p95"]),
        share(lambda entry: near(entry, 0)),
        share(lambda entry: near(entry, fee)),
        " ".join(f"{error:+.0%}" for error in at),
        f"{wide[len(wide) // 2]:.3f}",
        share(lambda entry: entry["basis"] == "cold-start"),
    ]


def fill_archive(source: Path, *, data: Path) -> Path:
    """An archive of the series in `source`."""
    command = [
        str(Path(sys.executable).parent / "swath"),
        "archive",
        "init",
        "--data",
        str(data),
        "--from",
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return data / "archive"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="counted runs")
    parser.add_argument("--warm-up", type=int, default=30, help="runs before those that count")
    parser.add_argument("--minutes", type=float, default=60, help="begin no run after so long")
    parser.add_argument("--seed", type=int, default=1)
    folder = Path(os.environ.get("SWATH_DATA", ROOT / ".swath" / "data"))
    parser.add_argument("--archive", type=Path, default=folder / "archive", help="a filled archive")
    parser.add_argument(
        "--from", dest="source", type=Path, help="fill an archive with the series of this folder instead"
    )
    parser.add_argument("--python", type=Path, default=folder / "environments" / "eo" / "bin" / "python")
    parser.add_argument("--data", type=Path, help="a folder to keep, so that the bench can go on; by default none")
    parser.add_argument("--report", action="store_true", help="only print what the folder's journal holds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swath-quotes-") as scratch:
        data = (options.data or Path(scratch)).absolute()
        data.mkdir(parents=True, exist_ok=True)
        journal = Journal(data / "quotes.jsonl")
        if not options.report:
            source = options.source
            archive = fill_archive(source, data=data / "filled") if source else options.archive.absolute()
            bench(data, archive, journal, options)
        report(journal, warm_up=options.warm_up, prices=load_prices().lists[-1])


def bench(data: Path, archive: Path, journal: Journal, options: argparse.Namespace) -> None:
    """Start the services over `data` and make the runs."""
    say.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, seed {options.seed}")
    work = Workload(archive, seed=options.seed)
    settings = {"SWATH_MARKETPLACE_ARCHIVE": str(archive)}
    users = [AUTHOR, *CALLERS]
    swath = PlainSwath(
        data, python=options.python.absolute(), editable=False, users=users, slots_cpus=2, settings=settings
    )
    try:
        for service in ("quota", "marketplace"):
            swath.start(service)
        for service in ("quota", "marketplace"):
            swath.wait_ready(service)
        publish(swath)
        until = time.monotonic() + 60 * options.minutes
        drive(swath, work, journal, runs=options.warm_up + options.runs, until=until)
        with swath.client(AUTHOR) as http:
            told = http.get(swath.url("quota") + "quotes/coverage").json()
            say.print("published coverage, warm-up included:", told["overall"])
    finally:
        swath.close()


if __name__ == "__main__":
    main()
