"""What a scenario's outputs are compared with: references out of the dossier, results out of the runs' folders."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from swath.contract.comparison import Comparison, Verdict
from swath.contract.scenarios import Scenario
from swath_service.errors import NotFound

from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.executors.comparer import Comparer, ComparerUnavailable, Pair
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.round_ports import DossierFiles


class ReferenceWrong(Exception):
    """A reference is not in the dossier, or not the file that the scenario says; the message is for the author."""


class ScenarioFiles:
    """Compares the outputs of a scenario's runs.

    Parameters
    ----------
    comparer
        ``None`` where nothing but the very same bytes can be told.
    pictures
        Folder for the pictures of differences: ``<round>/<scenario>/{reference,repeat}/``.
    """

    def __init__(self, *, files: DossierFiles, folders: RunFolders, comparer: Comparer | None, pictures: Path) -> None:
        self._files = files
        self._folders = folders
        self._comparer = comparer
        self._pictures = pictures

    def with_references(
        self, round_id: str, dossier: Dossier, scenario: Scenario, run: Run
    ) -> Mapping[str, Comparison]:
        """The outputs of `run` against the references.

        Raises
        ------
        ReferenceWrong, ArtifactDamaged, ComparerUnavailable
        """
        found = _outputs(run)
        references = {name: self._reference(dossier, scenario, name) for name in scenario.outputs}
        same, others = _split({name: (expected.sha256, found[name]) for name, expected in scenario.outputs.items()})
        with self._written(scenario, {name: references[name] for name in others}) as paths:
            pairs = [self._pair(scenario, run, found[name], expected=paths[name]) for name in others]
            return {**same, **self._compare(pairs, self.pictures_of(round_id, scenario.name) / "reference")}

    def with_each_other(self, round_id: str, scenario: Scenario, first: Run, second: Run) -> Mapping[str, Comparison]:
        """The outputs of `second` against those of `first`.

        Raises
        ------
        ComparerUnavailable
        """
        before, found = _outputs(first), _outputs(second)
        same, others = _split({name: (before[name].sha256, found[name]) for name in scenario.outputs})
        kept = self._folders.of(first.id)
        pairs = [self._pair(scenario, second, found[name], expected=kept.result(name)) for name in others]
        return {**same, **self._compare(pairs, self.pictures_of(round_id, scenario.name) / "repeat")}

    def pictures_of(self, round_id: str, scenario: str) -> Path:
        """Where the pictures of a scenario's differences are."""
        if not round_id.isalnum():
            raise ValueError("a round's id is letters and digits")
        return self._pictures / round_id / scenario

    def drop_pictures(self, round_id: str) -> None:
        """Remove the pictures of a round's differences."""
        shutil.rmtree(self.pictures_of(round_id, ""), ignore_errors=True)

    def _compare(self, pairs: list[Pair], pictures: Path) -> Mapping[str, Comparison]:
        if not pairs:
            return {}
        if self._comparer is None:
            raise ComparerUnavailable("this installation compares nothing but bytes")
        pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._comparer.compare(pairs, pictures=pictures)

    def _pair(self, scenario: Scenario, run: Run, output: OutputFile, *, expected: Path) -> Pair:
        return Pair(
            name=output.name,
            expected=expected,
            found=self._folders.of(run.id).result(output.name),
            media_type=output.media_type,
            tolerance=scenario.outputs[output.name].tolerance,
        )

    def _reference(self, dossier: Dossier, scenario: Scenario, output: str) -> bytes:
        expected = scenario.outputs[output]
        try:
            content = self._files.file(dossier, expected.reference)
        except NotFound:
            raise ReferenceWrong(f"output {output}: the dossier has no file {expected.reference}") from None
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise ReferenceWrong(f"output {output}: {expected.reference} has another sha256 than the scenario says")
        return content

    @contextmanager
    def _written(self, scenario: Scenario, references: Mapping[str, bytes]) -> Iterator[Mapping[str, Path]]:
        """The references as files, in a folder of their own for as long as they are needed."""
        self._pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix=".references-", dir=self._pictures))
        try:
            paths = {}
            for name, content in references.items():
                suffix = PurePosixPath(scenario.outputs[name].reference).suffix
                paths[name] = folder / f"{name}{suffix}"
                paths[name].write_bytes(content)
            yield paths
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _outputs(run: Run) -> dict[str, OutputFile]:
    return {output.name: output for output in run.outputs}


def _split(wanted: Mapping[str, tuple[str, OutputFile]]) -> tuple[dict[str, Comparison], list[str]]:
    """What the hashes, which were taken outside the sandbox, tell already; and what has to be looked into."""
    same = {
        name: Comparison(verdict=Verdict.IDENTICAL, kind="bytes", message="the same bytes", compared=output.bytes)
        for name, (sha256, output) in wanted.items()
        if output.sha256 == sha256
    }
    return same, [name for name in wanted if name not in same]
