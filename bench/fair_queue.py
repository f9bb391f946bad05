"""A thousand runs of twenty people, queued at once: in what order they start, and how quick the API is meanwhile.

People come one after the other, each with all their runs, which is the worst that a queue in order of arrival can be
given: its last person waits for everybody else's. Real services, the real sandbox; every run is a notebook.

How fair an order is: at each start, among those who still have runs waiting, how many runs the one who got most has got
beyond the one who got least. Nobody could do better than 1; in order of arrival it is what one person has.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from plain_swath import PlainSwath
from rich.console import Console
from rich.table import Table

_ENDS = {"finished", "error", "canceled"}
_AUTHOR = "author"
_PAUSE_SECONDS = 0.1
#: What people ask for while they wait; a list of runs, one run, the catalogue, a price.
DOORS = ("runs", "runs/{run}", "algorithms", "quotes")


def bench_fair(
    say: Console, *, python: Path, notebook: dict[str, Any], algorithm: str, users: int = 20, runs: int = 1000
) -> None:
    """Queue `runs` runs of `users` people, wait for their ends, print the order's fairness and the API's times.

    Parameters
    ----------
    notebook
        To publish; `algorithm` is the name it is published under.
    """
    people = [f"user{number:02d}" for number in range(users)]
    with tempfile.TemporaryDirectory(prefix="swath-fair-") as scratch:
        swath = PlainSwath(Path(scratch), python=python, editable=False, users=[_AUTHOR, *people], slots_cpus=2)
        try:
            for service in ("quota", "marketplace"):
                swath.start(service)
            for service in ("quota", "marketplace"):
                swath.wait_ready(service)
            with swath.client(_AUTHOR) as http:
                http.post("algorithms", json={"notebook": notebook}).raise_for_status()
                quiet = [seconds for door in DOORS for seconds in _idle(http, door)]
            path = f"{_AUTHOR}/{algorithm}"
            _measure(say, swath, people, path=path, each=runs // users, quiet=quiet)
        finally:
            swath.close()


def _idle(http: httpx.Client, door: str) -> list[float]:
    return [_ask(http, door, run="none") for _ in range(20)]


def _measure(
    say: Console, swath: PlainSwath, people: Sequence[str], *, path: str, each: int, quiet: Sequence[float]
) -> None:
    began = time.monotonic()
    queued = [run for person in people for run in _queue(swath, person, path=path, each=each)]
    say.print(f"{len(queued)} runs of {len(people)} people accepted in {time.monotonic() - began:.0f} s")
    over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(_people, swath, person, queued=queued, over=over) for person in people[:4]]
        ended = _wait(say, swath, people, total=len(queued))
        seconds = time.monotonic() - began
        over.set()
        asked = [one for future in asking for one in future.result()]
    _report(say, ended, asked=asked, quiet=quiet, seconds=seconds, each=each)


def _queue(swath: PlainSwath, person: str, *, path: str, each: int) -> list[str]:
    made = []
    with swath.client(person) as http:
        for number in range(each):
            body = {"algorithm": path, "parameters": {"n": number}}
            answer = http.post("runs", json=body)
            while answer.status_code == 429:
                time.sleep(float(answer.headers.get("Retry-After", "1")))
                answer = http.post("runs", json=body)
            answer.raise_for_status()
            made.append(str(answer.json()["id"]))
    return made


def _people(swath: PlainSwath, person: str, *, queued: Sequence[str], over: threading.Event) -> list[tuple[str, float]]:
    """Ask as somebody who waits does, until it is over; each door with how many seconds it took."""
    chance = random.Random(person)
    told = []
    with swath.client(person) as http:
        own = [run["id"] for run in http.get("runs", params={"limit": 50}).json()["runs"]]
        while not over.wait(_PAUSE_SECONDS):
            door = chance.choice(DOORS)
            told.append((door, _ask(http, door, run=chance.choice(own or list(queued)))))
    return told


def _ask(http: httpx.Client, door: str, *, run: str) -> float:
    began = time.perf_counter()
    if door == "quotes":
        listed = http.get("algorithms").json()["algorithms"][0]
        began = time.perf_counter()
        http.post("quotes", json={"algorithm": f"{listed['owner']}/{listed['name']}", "parameters": {"n": 1}})
    else:
        http.get(door.format(run=run))
    return time.perf_counter() - began


def _wait(say: Console, swath: PlainSwath, people: Sequence[str], *, total: int) -> list[dict[str, Any]]:
    """Every run, once all have ended."""
    told = 0
    while True:
        ended: list[dict[str, Any]] = []
        for person in people:
            with swath.client(person) as http:
                for start in range(0, total, 200):
                    page = http.get("runs", params={"limit": 200, "offset": start}).json()["runs"]
                    ended += [run for run in page if run["status"] in _ENDS]
                    if len(page) < 200:
                        break
        if len(ended) >= told + 100:
            told = len(ended)
            say.print(f"{told} runs have ended")
        if len(ended) == total:
            return ended
        time.sleep(5)


def unfairness(starts: Sequence[str], *, each: int, skipped: int = 0) -> int:
    """The most by which one was ahead of another who was still waiting; `starts` are the people, in order of starts.

    Whoever is not there yet has got nothing, so the first who come are ahead of the last; `skipped` starts are counted,
    but not looked at.
    """
    got: Counter[str] = Counter(dict.fromkeys(starts, 0))
    worst = 0
    for number, person in enumerate(starts):
        got[person] += 1
        waiting = [count for count in got.values() if count < each]
        if waiting and number >= skipped:
            worst = max(worst, max(got.values()) - min(waiting))
    return worst


def _report(
    say: Console,
    ended: Sequence[dict[str, Any]],
    *,
    asked: Sequence[tuple[str, float]],
    quiet: Sequence[float],
    seconds: float,
    each: int,
) -> None:
    ways = Counter(run["status"] for run in ended)
    starts = [run["caller"] for run in sorted(ended, key=lambda run: run["started_at"] or run["ended_at"])]
    say.print(f"{len(ended)} runs in {seconds:.0f} s, {json.dumps(ways)}; load {os.getloadavg()[0]:.1f}")
    say.print(
        f"unfairness of the starts: {unfairness(starts, each=each)}, once a quarter had started"
        f" {unfairness(starts, each=each, skipped=len(starts) // 4)}"
        f" (at best 1; in order of arrival {unfairness(sorted(starts), each=each)})"
    )
    table = Table("door", "asked", "median, ms", "p95, ms", title="the API meanwhile")
    for door in (*DOORS, "all"):
        times = sorted(took for one, took in asked if door in (one, "all"))
        if len(times) > 1:
            table.add_row(door, str(len(times)), *_figures(times))
    table.add_row("all, before", str(len(quiet)), *_figures(sorted(quiet)))
    say.print(table)


def _figures(times: Sequence[float]) -> tuple[str, str]:
    return f"{1000 * statistics.median(times):.0f}", f"{1000 * statistics.quantiles(times, n=20)[-1]:.0f}"
