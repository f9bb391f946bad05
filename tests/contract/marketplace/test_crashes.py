"""The service dies before or after any one effect, on both databases: nothing is lost, started or charged twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.executors.fake import finishing
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, make_world, notebook, user

BOB = user("bob")
POINTS = (
    "hold",
    "save:held",
    "handle:0",
    "handle:1",
    "save:starting",
    "save:running",
    "save:collecting",
    "collect",
    "save:settling",
    "settle",
    "save:terminal",
)


class Crash(BaseException):
    """The process dies here; nothing catches it."""


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("well", [True, False], ids=["finished", "lost"])
def test_a_crash_at_any_point_loses_nothing(
    data: Path, world: World, *, database_url: str, point: str, after: bool, well: bool
) -> None:
    world.fake.script = finishing(outputs={"double": b"6"}) if well else lambda run, folder: None
    world.registry.publish(user("ada"), notebook())
    assert _run_into(world, point, after=after)

    _mend(world)
    second = make_world(
        data,
        database_url=database_url,
        quota=world.quota,
        executor=world.fake,
        slots_cpus=4,
        slots_memory_mb=8192,
    )
    # In life the new process sees that the old one is dead; here both are the same process.
    second.made.context.run_store.let_go(world.made.reconciler.holder)
    run = _ask(second)
    done = second.look_until(run.id)

    assert done.status is (RunStatus.FINISHED if well else RunStatus.ERROR)
    assert world.fake.starts == [run.id], "started once"
    assert second.runs.list(BOB, limit=10, offset=0)[1] == 1, "one run for one key"
    hold = second.quota.get_hold(done.hold_id)
    assert hold is not None
    assert hold.captured == done.cost_millicredits
    assert (hold.captured > 0) == well
    assert second.quota.audit().breaches == ()
    wallet = second.quota.wallet("bob")
    assert (wallet.held, wallet.balance) == (0, 10_000_000 - hold.captured)
    assert (data / "marketplace" / "runs" / run.id / "results" / "double").exists() == well
    told = [event.status.value for event in second.made.context.run_store.status_events(run.id)]
    assert told == ["created", "queued", "running", "finished" if well else "error"], "each change is told once"
    second.made.database.dispose()


def _ask(world: World) -> Run:
    request = RunRequest(algorithm="ada/double@^1", parameters={"n": 3})
    run: Run = world.runs.create(BOB, request, key="k")[0]
    return run


def _run_into(world: World, point: str, *, after: bool) -> bool:
    """Whether the service died on its way."""
    _break(world, point, after=after)
    try:
        _ask(world)
        for _ in range(10):
            world.made.reconciler.look()
    except Crash:
        return True
    return False


def _crashing(function: Callable[..., Any], *, after: bool, when: Callable[..., bool] = lambda *_: True) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not when(*args):
            return function(*args, **kwargs)
        if after:
            function(*args, **kwargs)
        raise Crash

    return wrapped


def _break(world: World, point: str, *, after: bool) -> None:
    kind, _, which = point.partition(":")
    stepper = world.made.reconciler._stepper
    if kind in ("hold", "settle"):
        setattr(world.quota, kind, _crashing(getattr(world.quota, kind), after=after))
    elif kind == "save":
        store = stepper._store
        store.save = _crashing(  # type: ignore[method-assign]
            store.save, after=after, when=lambda run: run.stage.value == which
        )
    elif kind == "collect":
        collector = stepper._collector
        collector.collect = _crashing(collector.collect, after=after)  # type: ignore[method-assign]
    else:
        world.fake.start = _breaking_start(world.fake.start, which, after=after)  # type: ignore[method-assign]


def _breaking_start(start: Callable[..., Any], which: str, *, after: bool) -> Any:
    def broken(run: Run, package: Any) -> Any:
        for number, handle in enumerate(start(run, package)):
            if str(number) == which and not after:
                raise Crash
            yield handle
            if str(number) == which:
                raise Crash

    return broken


def _mend(world: World) -> None:
    """What outlives the service is whole again: only the service was broken."""
    for outliving in (world.quota, world.fake):
        for name in ("hold", "settle", "start"):
            outliving.__dict__.pop(name, None)
