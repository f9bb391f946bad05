"""What it costs to know from outside what a run read and ran in: files opened a second with and without the watch, the
start of a sandbox with and without it, and a look at an environment.

The same warden, bubblewrap and control group as a run has; the watch is all that differs. Rounds are interleaved.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.file_hashes import FileHashes
from swath_marketplace.store.inventories import InventoryStore
from swath_sandbox import Job, Limits, Sandbox, warden
from swath_sandbox.checks import check_watch

_FILES = 5_000
_OPENS = 50_000
_UID = 1_900_000_001
_CODE = """
import os, sys, time
names = ['/archive/' + name for name in os.listdir('/archive')][: int(sys.argv[1])]
began, flags, left = time.perf_counter(), os.O_RDONLY, int(sys.argv[2])
while left > 0:
    for name in names:
        os.close(os.open(name, flags))
    left -= len(names)
print(time.perf_counter() - began)
"""
#: Files, and how often one of them is opened in all.
_CASES = {
    "one file again and again": (1, _OPENS),
    "100 files in turn": (100, _OPENS),
    "each file once": (_FILES, _FILES),
}


def bench_inputs(say: Console, *, python: Path, rounds: int) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="swath-bench-", dir="/var/tmp") as scratch:
        place = Path(scratch)
        place.chmod(0o755)
        _watch(say, place, rounds=rounds)
        _inventory(say, place, python=python, rounds=rounds)


def _watch(say: Console, place: Path, *, rounds: int) -> None:
    check = check_watch()
    if not check.ok:
        say.print(f"no watch here: {check.detail}")
        return
    archive = place / "archive"
    archive.mkdir()
    for number in range(_FILES):
        (archive / f"{number}.tif").write_bytes(b"scene")
    rates: Mapping[tuple[str, bool], list[float]] = defaultdict(list)
    starts: Mapping[bool, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for watched in (False, True):
            for name, (files, opens) in _CASES.items():
                argv = ["/usr/bin/python3", "-I", "-c", _CODE, str(files), str(opens)]
                folder, _ = _run(place, archive, argv, watched=watched)
                rates[name, watched].append(opens / float((folder / "stderr.log").read_text()))
            starts[watched].append(_run(place, archive, ["/bin/true"], watched=watched)[1])
    table = Table("", "not watched", "watched", "costs", title=f"inputs, {rounds} rounds, medians")
    for name in _CASES:
        without, with_it = (statistics.median(rates[name, watched]) for watched in (False, True))
        more = 1e6 / with_it - 1e6 / without
        table.add_row(f"{name}, opens/s", f"{without:,.0f}", f"{with_it:,.0f}", f"{more:+.2f} µs an open")
    without, with_it = (statistics.median(starts[watched]) * 1000 for watched in (False, True))
    table.add_row("launch to exit of `true`, ms", f"{without:.1f}", f"{with_it:.1f}", f"{with_it - without:+.1f} ms")
    say.print(table)


def _run(place: Path, archive: Path, argv: list[str], *, watched: bool) -> tuple[Path, float]:
    """The warden's folder, and seconds from launch to exit."""
    folder = place / uuid.uuid4().hex[:12]
    spec = Sandbox(
        argv=argv,
        uid=_UID if os.geteuid() == 0 else None,
        ro_binds=[(archive, Path("/archive"))],
        env={"PATH": "/usr/bin:/bin"},
    )
    limits = Limits(memory_bytes=512 << 20, pids=32, cpus=2)
    job = Job(sandbox=spec, group=f"bench-{folder.name}", limits=limits, watch="/archive" if watched else None)
    warden.prepare(folder, job)
    began = time.perf_counter()
    warden.launch(folder)
    while not (folder / "exit.json").exists():
        time.sleep(0.0005)
    took = time.perf_counter() - began
    ended = warden.read_exit(folder)
    if ended is None or ended.exit_code != 0:
        raise RuntimeError(f"a command of the bench ended as {ended}")
    return folder, took


def _inventory(say: Console, place: Path, *, python: Path, rounds: int) -> None:
    environment = Environment(name="eo", title="", lock_sha256="0" * 64, python=str(python))
    store = InventoryStore(artifacts=ArtifactStore(place / "artifacts"), hashes=FileHashes(place / "hashes.sqlite"))

    def look(after: float | None = None) -> float:
        began = time.perf_counter()
        store.now(environment, after=after)
        return time.perf_counter() - began

    first = look()
    quick = [look() for _ in range(3 * rounds)]
    whole = [look(time.time()) for _ in range(rounds)]
    packages = len(store.read(store.now(environment).inventory_sha256).distributions)
    table = Table("a look at an environment", "ms", title=f"inventory of {packages} packages, medians")
    table.add_row("the first, every file read", f"{first * 1000:.0f}")
    table.add_row("every file looked at", f"{statistics.median(whole) * 1000:.1f}")
    table.add_row("a run start, nothing changed", f"{statistics.median(quick) * 1000:.2f}")
    say.print(table)
