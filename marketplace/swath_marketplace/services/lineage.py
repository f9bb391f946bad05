"""Who may see where a result comes from: whoever called its run, and operators; others' runs are told without names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Invalid, NotFound

from swath_marketplace.domain.lineage import DEEPEST, MOST_NODES, MOST_RUNS, Direction, Flow, Lineage, RunFacts
from swath_marketplace.domain.lineage_graph import downstream, source_alone, upstream
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.lineage import LineageStore

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Lineages:
    """Answers where results come from, and what was made of them."""

    def __init__(self, *, store: LineageStore, runs: Runs) -> None:
        self._store = store
        self._runs = runs

    def of_run(
        self, actor: Actor, run_id: str, *, direction: Direction = Direction.UP, depth: int = DEEPEST
    ) -> Lineage:
        """The lineage of a run of the caller's.

        Raises
        ------
        NotFound
            Also when it is another caller's.
        """
        run: Run = self._runs.get(actor, run_id)
        sees, roots = _seer(actor, run.id), [run.id]
        if direction is Direction.UP:
            return upstream(self._store.up(roots), roots=roots, sees=sees, depth=depth, most=MOST_NODES)
        return downstream(self._store.down(roots), roots=roots, sees=sees, depth=depth, most=MOST_NODES)

    def of_file(
        self, actor: Actor, sha256: str, *, direction: Direction = Direction.UP, depth: int = DEEPEST
    ) -> Lineage:
        """The lineage of the bytes that have this sha256, which a run of the caller's made or read.

        Raises
        ------
        Invalid
            It is no sha256.
        NotFound
            No run of the caller's made or read such bytes; also when another's did.
        """
        actor.require(Scope.READ)
        if not _SHA256.fullmatch(sha256):
            raise Invalid(
                code="bad-sha256",
                message="a file is named by its sha256, 64 hexadecimal digits in lower case",
                mend="`sha256sum FILE` prints it",
                findings=[{"field": "sha256", "message": "not a sha256", "mend": "send 64 hexadecimal digits"}],
            )
        if direction is Direction.UP:
            return self._file_up(actor, sha256, depth=depth)
        return self._file_down(actor, sha256, depth=depth)

    def _file_up(self, actor: Actor, sha256: str, *, depth: int) -> Lineage:
        names = {
            make.run_id: make.name
            for make, caller in self._store.makers(sha256, ahead=actor.name)
            if _mine(actor, caller)
        }
        sees = _seer(actor)
        if names:
            trail = self._store.up(list(names))
            return upstream(trail, roots=list(names), sees=sees, file=(sha256, names), depth=depth, most=MOST_NODES)
        used = next((use for use, caller in self._store.users(sha256, ahead=actor.name) if _mine(actor, caller)), None)
        if used is None:
            raise _unknown()
        # Another's result, which a run of the asker's read: told as that run's lineage tells it.
        trail = self._store.up([used.run_id])
        flow = next((flow for flow in trail.flows if flow.use == used), None)
        if flow is None or flow.maker is None or not used.observed:
            return source_alone(used, Direction.UP)
        root = (sha256, {flow.maker: flow.output or ""})
        return upstream(
            self._store.up([flow.maker]), roots=[flow.maker], sees=sees, file=root, depth=depth, most=MOST_NODES
        )

    def _file_down(self, actor: Actor, sha256: str, *, depth: int) -> Lineage:
        users = self._store.users(sha256, ahead=actor.name)
        sees = _seer(actor)
        if any(_mine(actor, caller) for _, caller in users):
            first = [Flow(use=use) for use, _ in users]
            roots = [use.run_id for use, _ in users]
            trail = self._store.down(roots)
            # Of a scene that everybody reads there may be more than a walk begins with.
            trail = replace(trail, cut_off=trail.cut_off or len(users) >= MOST_RUNS)
            return downstream(trail, roots=roots, sees=sees, file=first, depth=depth, most=MOST_NODES)
        made = next(
            (make for make, caller in self._store.makers(sha256, ahead=actor.name) if _mine(actor, caller)), None
        )
        if made is None:
            raise _unknown()
        return downstream(self._store.down([made.run_id]), roots=[made.run_id], sees=sees, depth=depth, most=MOST_NODES)


def _unknown() -> NotFound:
    return NotFound(
        code="no-such-file",
        message="no run of yours made or read a file with these bytes",
        mend="see that the file was not changed; the lineage of a run is at GET runs/{id}/lineage",
    )


def _mine(actor: Actor, caller: str) -> bool:
    return actor.is_operator or (actor.kind is ActorKind.USER and actor.name == caller)


def _seer(actor: Actor, root: str = "") -> Callable[[RunFacts], bool]:
    """Whose runs are told in full; also `root`, which `Runs` let the actor see."""
    return lambda facts: facts.id == root or _mine(actor, facts.caller)
