"""Two runs compared, for whoever may see both."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swath.contract.comparison import EXACT, Comparison, Tolerance, Verdict, one_sided
from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.interface import GIVEN_OUTPUTS
from swath.contract.media import Kind, named_kind, told_as
from swath_service.actor import Actor
from swath_service.errors import Invalid, NotFound, Unavailable

from swath_marketplace.domain.comparisons import RunComparison
from swath_marketplace.domain.errors import RunNotTerminal
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.executors.comparer import Comparer, ComparerUnavailable, Pair
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.comparisons import ComparisonCache
from swath_marketplace.store.dossiers import DossierStore

log = logging.getLogger(__name__)

#: Of the rules by which results are compared: what was found by others is not taken for theirs.
_RULES = 2
#: Requests that wait for a comparison at a time, in all and of one caller; each holds a thread of the service.
_MOST_WAITING = 4
_MOST_OF_ONE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonRequest:
    """What a caller asks for."""

    run_id: str
    """The run that is held against the other."""
    with_id: str
    """The run that counts as right."""
    tolerance: Tolerance | None = None
    """Of every output; ``None``: the scenario's, or nothing may be apart."""
    scenario: str | None = None
    """Of the latest dossier beside the version of `with_id`: its tolerances hold."""
    names: Sequence[str] = ()
    """Only these outputs; by default all but the executed notebooks."""


class Comparisons:
    """Comparisons of runs; each is made once and kept, because outputs never change."""

    def __init__(self, *, runs: Runs, comparer: Comparer, dossiers: DossierStore, cache: ComparisonCache) -> None:
        self._runs = runs
        self._comparer = comparer
        self._dossiers = dossiers
        self._cache = cache
        self._waiting: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._turn = threading.Lock()

    def of(self, actor: Actor, request: ComparisonRequest) -> RunComparison:
        """Hold one run against another, output by output.

        Raises
        ------
        NotFound
            The caller may not see one of the runs; there is no such output, dossier or scenario.
        RunNotTerminal
            One of them goes on.
        Invalid
            Both a tolerance and a scenario are given.
        Unavailable
            Nothing can be compared at the moment.
        """
        expected, found = self._both(actor, request)
        sides = [_chosen(run, request.names) for run in (expected, found)]
        _check_names(request.names, sides, expected, found)
        tolerances = self._tolerances(expected, request, sorted(sides[0].keys() | sides[1].keys()))
        return self._told(expected, found, tolerances, sides=sides, scenario=request.scenario, caller=actor.name)

    def between(
        self,
        expected: Run,
        found: Run,
        *,
        caller: str,
        tolerances: Mapping[str, Tolerance],
        scenario: str | None = None,
    ) -> RunComparison:
        """Hold `found` against `expected`, for a service that looked after who may know of it.

        Parameters
        ----------
        caller
            Who waits for it.
        tolerances
            By output; where there is none nothing may be apart.

        Raises
        ------
        Unavailable
        """
        sides = [_chosen(run, ()) for run in (expected, found)]
        every = {name: tolerances.get(name, EXACT) for name in sorted(sides[0].keys() | sides[1].keys())}
        return self._told(expected, found, every, sides=sides, scenario=scenario, caller=caller)

    def _told(
        self,
        expected: Run,
        found: Run,
        tolerances: Mapping[str, Tolerance],
        *,
        sides: Sequence[Mapping[str, OutputFile]],
        scenario: str | None,
        caller: str,
    ) -> RunComparison:
        told: dict[str, Comparison] = {}
        left: dict[str, Tolerance] = {}
        for name, tolerance in tolerances.items():
            mine, other = sides[0].get(name), sides[1].get(name)
            if mine is None or other is None:
                told[name] = one_sided(found=other is not None)
            elif known := _known(mine, other) or self._cache.get(_key(mine, other, tolerance)):
                told[name] = known
            else:
                left[name] = tolerance
        if left:
            told |= self._compare(expected, found, left, sides=sides, caller=caller)
        return RunComparison(
            expected=expected,
            found=found,
            comparisons={name: told[name] for name in tolerances},
            tolerances=tolerances,
            scenario=scenario,
        )

    def picture(self, actor: Actor, request: ComparisonRequest, name: str) -> tuple[Path, str]:
        """The picture of one output's difference, and a tag of its content; compares when that is yet to be done.

        Raises
        ------
        NotFound
            As `of`, and when there is no picture.
        RunNotTerminal, Invalid, Unavailable
        """
        compared = self.of(actor, request)
        one = compared.comparisons.get(name)
        if one is None or not one.picture:
            raise _no_picture()
        return self._kept(compared, name, found_by=self._cache.picture)

    def sides(self, compared: RunComparison, name: str) -> tuple[Path, str]:
        """The picture of both sides and their difference, and a tag of its content, of what the caller may know of.

        Raises
        ------
        NotFound
            There is none of that output.
        """
        one = compared.comparisons.get(name)
        if one is None or not one.sides:
            raise _no_picture()
        return self._kept(compared, name, found_by=self._cache.sides)

    def _kept(self, compared: RunComparison, name: str, *, found_by: Callable[[str], Path | None]) -> tuple[Path, str]:
        outputs = [next(output for output in run.outputs if output.name == name) for run in _runs(compared)]
        key = _key(outputs[0], outputs[1], compared.tolerances[name])
        path = found_by(key)
        if path is None:
            raise _no_picture()
        return path, key

    def file_of(self, run: Run, name: str) -> Path:
        """Where an output is kept, of a run the caller may know of."""
        return self._runs.kept(run, name)

    def _both(self, actor: Actor, request: ComparisonRequest) -> tuple[Run, Run]:
        runs = self._runs.get(actor, request.with_id), self._runs.get(actor, request.run_id)
        for run in runs:
            if not run.terminal:
                raise RunNotTerminal(
                    code="run-not-over",
                    message=f"the run {run.id} is {run.status.value}; outputs are there when it has ended",
                    mend="wait until the status of both is finished, error or canceled",
                )
        return runs

    def _tolerances(self, expected: Run, request: ComparisonRequest, names: Sequence[str]) -> Mapping[str, Tolerance]:
        if request.scenario is None:
            return dict.fromkeys(names, request.tolerance or EXACT)
        if request.tolerance is not None:
            message = "a scenario has its own tolerances"
            raise Invalid(
                code="tolerance-twice",
                message=message,
                mend="give either a scenario or tolerances",
                findings=[{"field": "scenario", "message": message, "mend": "leave one of them out"}],
            )
        dossier = self._dossiers.latest(expected.algorithm_id, expected.digest)
        scenarios = {scenario.name: scenario for scenario in dossier.scenarios} if dossier else {}
        if request.scenario not in scenarios:
            raise NotFound(
                code="no-such-scenario",
                message=f"no scenario of that name stands beside {expected.owner}/{expected.name} {expected.version}",
                mend=f"there are: {', '.join(scenarios) or 'none'}",
            )
        outputs = scenarios[request.scenario].outputs
        return {name: outputs[name].tolerance if name in outputs else EXACT for name in names}

    def _compare(
        self,
        expected: Run,
        found: Run,
        tolerances: Mapping[str, Tolerance],
        *,
        sides: Sequence[Mapping[str, OutputFile]],
        caller: str,
    ) -> Mapping[str, Comparison]:
        keys = {name: _key(sides[0][name], sides[1][name], tolerance) for name, tolerance in tolerances.items()}
        with self._in_turn(caller), tempfile.TemporaryDirectory(prefix="swath-comparison-") as folder:
            # Somebody who asked for the same may have been before us in the queue.
            told = {name: kept for name, key in keys.items() if (kept := self._cache.get(key))}
            pairs = [
                Pair(
                    name=name,
                    expected=self._runs.kept(expected, name),
                    found=self._runs.kept(found, name),
                    media_type=sides[1][name].media_type,
                    tolerance=tolerance,
                )
                for name, tolerance in tolerances.items()
                if name not in told
            ]
            pictures = Path(folder)
            try:
                made = self._comparer.compare(pairs, pictures=pictures) if pairs else {}
            except ComparerUnavailable as error:
                log.error("results cannot be compared: %s", error)
                raise _unavailable("comparison-unavailable", "results cannot be compared here at the moment") from error
            for name, one in made.items():
                self._cache.put(
                    keys[name],
                    one,
                    picture=pictures / one.picture if one.picture else None,
                    sides=pictures / f"{name}.sides.png" if one.sides else None,
                )
        return {**told, **made}

    @contextlib.contextmanager
    def _in_turn(self, caller: str) -> Iterator[None]:
        with self._counting:
            if self._waiting[caller] >= _MOST_OF_ONE or self._waiting.total() >= _MOST_WAITING:
                who = "you wait for comparisons" if self._waiting[caller] >= _MOST_OF_ONE else "others wait for theirs"
                raise _unavailable("comparisons-busy", f"{who} already")
            self._waiting[caller] += 1
        try:
            with self._turn:
                yield
        finally:
            with self._counting:
                self._waiting -= Counter([caller])


def _no_picture() -> NotFound:
    return NotFound(
        code="no-such-picture",
        message="this comparison has no picture of that output",
        mend="rasters and pictures that differ have one",
    )


def _unavailable(code: str, message: str) -> Unavailable:
    return Unavailable(
        code=code, message=message, mend="ask again in a moment; nothing was changed", headers={"Retry-After": "10"}
    )


def _chosen(run: Run, names: Sequence[str]) -> dict[str, OutputFile]:
    return {
        output.name: output
        for output in run.outputs
        if (output.name in names if names else output.name not in GIVEN_OUTPUTS)
    }


def _check_names(names: Sequence[str], sides: Sequence[Mapping[str, OutputFile]], expected: Run, found: Run) -> None:
    unknown = [name for name in names if not any(name in side for side in sides)]
    if unknown:
        there = sorted({output.name for run in (expected, found) for output in run.outputs})
        raise NotFound(
            code="no-such-output",
            message=f"neither run has an output {unknown[0][:64]!a}",
            mend=f"their outputs: {', '.join(there) or 'none'}",
        )


def _known(expected: OutputFile, found: OutputFile) -> Comparison | None:
    if expected.sha256 != found.sha256:
        return None
    kind = told_as(named_kind(found.media_type) or Kind.BYTES)
    return Comparison(verdict=Verdict.IDENTICAL, kind=kind, message="the same bytes")


def _key(expected: OutputFile, found: OutputFile, tolerance: Tolerance) -> str:
    """What a comparison depends on, and nothing of who asked for it."""
    return sha256_bytes(
        canonical_json(
            {
                "rules": _RULES,
                "name": found.name,
                "expected": expected.sha256,
                "found": found.sha256,
                "media_type": found.media_type,
                "tolerance": tolerance.as_dict(),
            }
        )
    ).removeprefix("sha256:")


def _runs(compared: RunComparison) -> tuple[Run, Run]:
    return compared.expected, compared.found
