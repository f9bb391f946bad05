"""The public example of a version: a scenario that the platform has run, with the outputs that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swath_service.actor import Actor
from swath_service.errors import NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.cards import Example, ExampleOutput
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.runs import PLATFORM, OutputFile, Run, RunPurpose
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.gathering import RoundsOf
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_ports import DossierSource
from swath_marketplace.store.runs import RunStore

#: So many ended rounds back is looked for one whose files are still here.
_ROUNDS = 10


class Examples:
    """Examples of versions; whoever may see a version may see them.

    Only runs that the platform made of a scenario in the dossier are shown: their parameters stand there for everybody.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        rounds: RoundsOf,
        runs: RunStore,
        dossiers: DossierSource,
        folders: RunFolders,
    ) -> None:
        self._registry = registry
        self._rounds = rounds
        self._runs = runs
        self._dossiers = dossiers
        self._folders = folders

    def of(self, version: AlgorithmVersion) -> Example | None:
        """The example of `version`: of its latest rounds the first with a green scenario whose outputs are kept.

        Where none are kept any more, the latest green scenario without them; ``None`` where nothing was ever green.
        """
        dossier = self._dossiers.latest(version.algorithm_id, version.digest)
        rounds = self._rounds.of(version.algorithm_id, version.digest, limit=_ROUNDS)
        found = [made for one in reversed(rounds) if (made := self._of_round(one, dossier))]
        return next((one for one in found if any(output.kept for output in one.outputs)), next(iter(found), None))

    def output(self, actor: Actor, path: str, name: str) -> tuple[OutputFile, Path]:
        """One output of a version's example, and the file it is in.

        Raises
        ------
        NotFound
        """
        example = self.of(self._registry.version(actor, path))
        kept = [one.file for one in example.outputs if one.kept] if example else []
        file = next((one for one in kept if one.name == name), None)
        if example is None or file is None:
            raise NotFound(
                code="no-such-example",
                message="the version has no example with a kept output of that name",
                mend=f"its outputs: {', '.join(one.name for one in kept) or 'none'}",
            )
        return file, self._folders.of(example.run_id).result(name)

    def file_of(self, example: Example, name: str) -> Path | None:
        """Where an output of an example is kept; ``None`` where it is no more."""
        kept = any(one.kept and one.file.name == name for one in example.outputs)
        return self._folders.of(example.run_id).result(name) if kept else None

    def _of_round(self, one: Round, dossier: Dossier | None) -> Example | None:
        made = (self._of_result(one, result, dossier) for result in _shown(one))
        return next((example for example in made if example), None)

    def _of_result(self, one: Round, result: ScenarioResult, dossier: Dossier | None) -> Example | None:
        run = self._runs.get(result.run_ids[0])
        if run is None or not run.terminal or run.caller != PLATFORM or run.purpose is not RunPurpose.BENCHMARK:
            return None
        scenario = next((one for one in dossier.scenarios if one.name == result.scenario), None) if dossier else None
        if scenario is None:
            # Its author took it back.
            return None
        return Example(
            scenario=scenario.name,
            title=scenario.title,
            parameters=run.parameters,
            round_id=one.id,
            run_id=run.id,
            ended_at=run.ended_at or one.ended_at,
            outputs=tuple(self._output(run, output) for output in run.outputs),
            wall_seconds=run.usage.wall_seconds if run.usage else result.wall_seconds,
            cost_millicredits=run.cost_millicredits,
        )

    def _output(self, run: Run, output: OutputFile) -> ExampleOutput:
        return ExampleOutput(file=output, kept=self._folders.of(run.id).result(output.name).is_file())


def _shown(one: Round) -> Sequence[ScenarioResult]:
    """Green scenarios that brought something back; one that its author calls ``example`` first."""
    green = [result for result in one.results if result.outcome is ScenarioOutcome.GREEN and result.run_ids]
    return sorted(green, key=lambda result: (not result.scenario.startswith("example"), result.scenario))
