"""What a receipt adds to a run: signature, entry of the log and checkpoint, beside a bare commit on the same disk.

The floor is one durable transaction with one row, which is the least that could keep a receipt at all. A run has 20
inputs and four outputs, which is what the shipped algorithms have.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from postgres_scratch import ScratchCluster
from rich.console import Console
from rich.table import Table
from swath.contract.receipts import check_bundle
from swath.signatures import verify
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.services.receipt_audit import audit
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.run_rows import values_of
from swath_marketplace.store.signing_keys import KeyChainStore
from swath_marketplace.store.tables import runs as runs_table
from swath_marketplace.testing import World, make_world, notebook, user, write_environment


def bench_receipts(say: Console, *, runs: int) -> None:
    """Issue receipts one after the other, a bare commit after each, and print medians and 95th percentiles."""
    table = Table(
        "database", "bare commit, ms", "receipt, ms", "p95, ms", "receipt - commit, ms", "CPU, ms", "verify, ms"
    )
    table.title = f"receipts, {runs} runs, 20 inputs, 4 outputs; medians"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swath-bench-")))
        cluster = ScratchCluster(durable=True)
        stack.callback(cluster.stop)
        cluster.start()
        urls = {
            "SQLite": f"sqlite:///{folder}/bench.sqlite",
            "PostgreSQL": stack.enter_context(cluster.database()),
        }
        for name, url in urls.items():
            world = _world(folder / name, url)
            try:
                table.add_row(name, *_measured(world, _finished(world, runs)))
            finally:
                world.made.database.dispose()
    say.print(table)


def _world(data: Path, url: str) -> World:
    data.mkdir()
    write_environment(data, python=sys.executable)
    world = make_world(data, database_url=url, slots_cpus=4, slots_memory_mb=8192)
    world.registry.publish(user("ada"), notebook())
    # The runs are made before what is measured.
    world.made.reconciler._stepper._on_end = None
    return world


def _finished(world: World, count: int) -> list[Run]:
    """Finished runs of one that was brought to its end, each with an id of its own."""
    from swath_marketplace.executors.fake import finishing

    world.fake.script = finishing(outputs={"double": b"6"})
    made, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={"n": 1}))
    done = world.look_until(made.id)
    inputs = tuple(
        {"collection": "sentinel-2-l2a", "item": f"S2A_{number}", "asset": "B04", "sha256": f"{number:064x}"}
        for number in range(20)
    )
    found = []
    for number in range(count):
        outputs = tuple(
            OutputFile(name=name, media_type="image/tiff", bytes=1, sha256=f"{number:060x}{at:04x}")
            for at, name in enumerate(("median", "count", "notebook", "notebook-html"))
        )
        found.append(replace(done, id=f"{number:032x}", inputs=inputs, outputs=outputs))
    with world.made.database.write() as connection:
        row = connection.execute(sa.select(runs_table).where(runs_table.c.id == done.id)).one()
        for run in found:
            values = {**row._mapping, **values_of(run), "id": run.id, "idempotency_key": None}
            connection.execute(runs_table.insert().values(values))
    return found


def _measured(world: World, found: list[Run]) -> list[str]:
    database, trust = world.made.database, world.made.context.trust
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE bench_floor (id INTEGER PRIMARY KEY, content TEXT)"))
    bare, issued, believed, spent = [], [], [], []
    for number, run in enumerate(found):
        before = time.process_time()
        issued.append(_timed(lambda run=run: trust.issuer.on_end(run)))  # type: ignore[misc]
        spent.append(time.process_time() - before)
        bare.append(_timed(lambda number=number: _commit(world, number)))  # type: ignore[misc]
    keys = trust.keys.current()
    for run in found[:: max(1, len(found) // 50)]:
        bundle = trust.receipts.bundle(user("bob"), run.id)
        believed.append(_timed(lambda bundle=bundle: check_bundle(bundle, keys, verify)))  # type: ignore[misc]
    assert audit(trust.issuer.store, KeyChainStore(database)).ok
    floor, cost = statistics.median(bare), statistics.median(issued)
    p95 = statistics.quantiles(issued, n=20)[-1]
    return [
        f"{value * 1000:.2f}"
        for value in (floor, cost, p95, cost - floor, statistics.median(spent), statistics.median(believed))
    ]


def _commit(world: World, number: int) -> None:
    with world.made.database.write() as connection:
        connection.execute(sa.text("INSERT INTO bench_floor VALUES (:id, 'x')"), {"id": number})


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
