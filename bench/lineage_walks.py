"""How long a lineage of a thousand runs takes: deep, wide, and both; beside a bare walk over the same edges.

``make bench ARGS="lineage"`` runs this. The graphs lie in a real database, among as many runs again that have nothing
to do with them. *service* is the whole answer a caller gets (walk, what may be seen, JSON); the floor is a breadth
first search over the same edges, kept in dicts of this process, and knows neither times nor who may see what.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from postgres_scratch import PostgresMissing, ScratchCluster
from rich.console import Console
from rich.table import Table
from swath_marketplace.api.lineage import shaped
from swath_marketplace.domain.lineage import Direction, makes_of, uses_of
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store import tables
from swath_marketplace.store.lineage_tables import makes, uses
from swath_marketplace.testing import make_world, notebook, user, write_environment
from swath_service.actor import Actor

RUNS = 1_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
#: Name of a graph -> its root, and each run with the runs whose results it read.
Graph = tuple[str, Mapping[str, Sequence[str]]]


def deep() -> Graph:
    """A chain: each run read the result of the one before."""
    return f"deep{RUNS - 1}", {f"deep{n}": [f"deep{n - 1}"] if n else [] for n in range(RUNS)}


def wide() -> Graph:
    """One run that read the results of all others."""
    return "wide0", {"wide0": [f"wide{n}" for n in range(1, RUNS)], **{f"wide{n}": [] for n in range(1, RUNS)}}


def lattice() -> Graph:
    """32 runs abreast, 31 times behind each other, each of which read eight of those before it; one read the last."""
    layers = [[f"grid{layer}x{n}" for n in range(32)] for layer in range(31)]
    graph: dict[str, Sequence[str]] = {name: [] for name in layers[0]}
    for before, layer in itertools.pairwise(layers):
        graph |= {name: [before[(n + step) % 32] for step in range(8)] for n, name in enumerate(layer)}
    return "grid", {**graph, "grid": layers[-1]}


def sha(name: str) -> str:
    """Of the result of the run of that name."""
    return hashlib.sha256(name.encode()).hexdigest()


def run_id(name: str) -> str:
    """A run's id, as long as real ones are."""
    return hashlib.sha256(b"run" + name.encode()).hexdigest()[:32]


class Book:
    """A marketplace's database with graphs of runs in it."""

    def __init__(self, folder: Path, url: str | None) -> None:
        write_environment(folder, python=sys.executable)
        executor = FakeExecutor(RunFolders(folder / "marketplace" / "runs"))
        self.world = make_world(folder, database_url=url, executor=executor, slots_cpus=4, slots_memory_mb=8192)
        self.world.registry.publish(user("ada"), notebook(), version="1.0.0")
        seed, _ = self.world.runs.create(user("bob"), _request())
        with self.world.made.database.read() as connection:
            self._row = dict(connection.execute(tables.runs.select().where(tables.runs.c.id == seed.id)).one()._mapping)

    def add(self, graph: Mapping[str, Sequence[str]], *, caller: str = "bob") -> None:
        """Store `graph` as ended runs; each began after those it read from had ended, and read a scene as well."""
        rows, used, made = [], [], []
        order = _order(graph)
        for number, name in enumerate(order):
            run = self._run(name, graph[name], at=NOON + timedelta(seconds=2 * number), caller=caller)
            ended = {"stage": "terminal", "outcome": "finished", "settlement": "captured", "cost_millicredits": 0}
            asked = {"id": run.id, "caller": caller, "started_at": run.started_at, "ended_at": run.ended_at}
            rows.append({**self._row, **ended, **asked, "idempotency_key": None, "lease_holder": None})
            used += [{key: getattr(one, key) for key in uses.c.keys()} for one in uses_of(run)]  # noqa: SIM118
            made += [{key: getattr(one, key) for key in makes.c.keys()} for one in makes_of(run)]  # noqa: SIM118
        with self.world.made.database.write() as connection:
            for table, values in ((tables.runs, rows), (uses, used), (makes, made)):
                connection.execute(table.insert(), values)

    def _run(self, name: str, reads: Sequence[str], *, at: datetime, caller: str) -> Run:
        scene = {"collection": "s2", "item": f"S-{name}", "asset": "B04", "sha256": sha(f"scene of {name}")}
        results = [{"collection": "made", "item": one, "asset": "data", "sha256": sha(one)} for one in reads]
        stored = self.world.made.context.run_store.get(self._row["id"])
        assert stored is not None
        values = {key: getattr(stored, key) for key in stored.__slots__}
        output = OutputFile(name="mean", media_type="image/tiff", bytes=1, sha256=sha(name))
        values |= {"id": run_id(name), "caller": caller, "started_at": at, "ended_at": at + timedelta(seconds=1)}
        return Run(**{**values, "inputs": (scene, *results), "outputs": (output,)})

    def ask(self, who: Actor, root: str, direction: Direction) -> dict[str, Any]:
        """What a caller gets, read from its JSON."""
        found = self.world.made.context.lineages.of_run(who, run_id(root), direction=direction)
        told: dict[str, Any] = json.loads(json.dumps(shaped(found)))
        return told

    def close(self) -> None:
        self.world.made.database.dispose()


def _request() -> Any:
    from swath_marketplace.services.runs import RunRequest

    return RunRequest(algorithm="ada/double", parameters={})


def _order(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Runs after those they read from."""
    waiting = {name: len(reads) for name, reads in graph.items()}
    readers: dict[str, list[str]] = defaultdict(list)
    for name, reads in graph.items():
        for one in reads:
            readers[one].append(name)
    queue = deque(name for name, count in waiting.items() if not count)
    found = []
    while queue:
        found.append(name := queue.popleft())
        for reader in readers[name]:
            waiting[reader] -= 1
            if not waiting[reader]:
                queue.append(reader)
    return found


def floor(root: str, following: Mapping[str, Sequence[str]]) -> int:
    """Runs that a bare breadth-first search finds."""
    seen, queue = {root}, deque([root])
    while queue:
        for other in following[queue.popleft()]:
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return len(seen)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


@contextmanager
def _databases() -> Iterator[dict[str, str | None]]:
    cluster = None
    try:
        cluster = ScratchCluster(durable=True)
        cluster.start()
        with cluster.database() as url:
            yield {"SQLite": None, "PostgreSQL": url}
    except PostgresMissing as error:
        Console().print(f"PostgreSQL is left out: {error}")
        yield {"SQLite": None}
    finally:
        if cluster:
            cluster.stop()


def bench_lineage(say: Console, *, rounds: int) -> None:
    """Print a table of medians."""
    table = Table(
        *("database", "graph", "way", "runs", "edges", "service, ms", "most, ms", "floor, ms"),
        title=f"lineage, {rounds} rounds, medians; floor: breadth-first in memory over the same edges",
    )
    with tempfile.TemporaryDirectory(prefix="swath-bench-") as scratch, _databases() as databases:
        for name, url in databases.items():
            folder = Path(scratch) / name
            folder.mkdir()
            book = Book(folder, url)
            try:
                _bench(table, name, book, rounds=rounds)
            finally:
                book.close()
    say.print(table)


def _bench(table: Table, database: str, book: Book, *, rounds: int) -> None:
    graphs = {"deep": deep(), "wide": wide(), "deep and wide": lattice()}
    for _, graph in graphs.values():
        book.add(graph)
        # As many again that lead nowhere, of somebody else.
        book.add({f"eve-{name}": [f"eve-{one}" for one in reads] for name, reads in graph.items()}, caller="eve")
    for name, (root, graph) in graphs.items():
        forward: dict[str, list[str]] = defaultdict(list)
        for reader, reads in graph.items():
            for one in reads:
                forward[one].append(reader)
        first = next(key for key, reads in graph.items() if not reads)
        ways = {Direction.UP: (root, graph), Direction.DOWN: (first, forward)}
        for way, (start, following) in ways.items():
            took = []
            for _ in range(rounds):
                seconds, found = _timed(lambda start=start, way=way: book.ask(user("bob"), start, way))
                bare, count = _timed(lambda start=start, following=following: floor(start, following))
                told = sum(node["kind"] == "run" for node in found["nodes"])
                if told != count or found["cut_off"]:
                    raise RuntimeError(f"{name} {way}: {told} runs told, {count} there")
                took.append((seconds, bare))
            ours, bare = (statistics.median(column) * 1e3 for column in zip(*took, strict=True))
            most = max(seconds for seconds, _ in took) * 1e3
            table.add_row(
                database,
                name,
                way.value,
                str(count),
                str(len(found["edges"])),
                f"{ours:.0f}",
                f"{most:.0f}",
                f"{bare:.2f}",
            )
