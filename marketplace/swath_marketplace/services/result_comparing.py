"""The outputs of a run beside those of the run it was made after."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swath.contract.comparison import EXACT, Comparison, Verdict
from swath.contract.interface import GIVEN_OUTPUTS

from swath_marketplace.domain.origins import OriginOutput
from swath_marketplace.domain.reproductions import Cause, CauseCode, Reproduction
from swath_marketplace.domain.runs import OutputFile, Run
from swath_marketplace.executors.comparer import Comparer, Pair
from swath_marketplace.run_folder import RunFolders

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What was found."""

    comparisons: Mapping[str, Comparison]
    causes: Sequence[Cause] = ()


class ResultComparing:
    """Compares by hash, and where those differ by content, if the original's files are there for who asked.

    Parameters
    ----------
    comparer
        ``None``: nothing here can compare contents.
    pictures
        Root of the folders for pictures of differences, one for each reproduction.
    """

    def __init__(self, *, comparer: Comparer | None, folders: RunFolders, pictures: Path) -> None:
        self._comparer = comparer
        self._folders = folders
        self._pictures = pictures

    def compare(self, one: Reproduction, run: Run, *, by_hash: bool = False) -> Compared:
        """Each output of the original, without the executed notebook, which tells times; and what is new.

        Parameters
        ----------
        by_hash
            Nothing is there that could compare contents.

        Raises
        ------
        ComparerUnavailable
        """
        by_hash = by_hash or self._comparer is None
        found = {output.name: output for output in run.outputs if output.name not in GIVEN_OUTPUTS}
        expected = {output.name: output for output in one.origin.outputs if output.name not in GIVEN_OUTPUTS}
        told: dict[str, Comparison] = {}
        pairs: list[Pair] = []
        lacking: list[str] = []
        for name, original in expected.items():
            again = found.get(name)
            if again is None:
                told[name] = _differs("the run did not make this output again")
            elif again.sha256 == original.sha256:
                told[name] = Comparison(verdict=Verdict.IDENTICAL, kind="bytes", message="the same bytes")
            elif by_hash:
                told[name] = _differs("other bytes; nothing could compare them")
            elif pair := self._pair(one, run, original, again):
                pairs.append(pair)
            else:
                lacking.append(name)
                told[name] = _differs("other bytes; where they differ cannot be said without the original's file")
        for name in found.keys() - expected.keys():
            told[name] = _differs("the original did not make this output")
        if pairs and self._comparer:
            told |= self._comparer.compare(pairs, pictures=self.pictures_of(one))
        order = [*expected, *sorted(found.keys() - expected.keys())]
        causes = _lack(one, lacking)
        if by_hash and any(not result.verdict.same for result in told.values()):
            message = "the contents could not be compared at the time, only their hashes"
            causes.append(Cause(code=CauseCode.NOT_COMPARED, message=message))
        return Compared(comparisons={name: told[name] for name in order if name in told}, causes=causes)

    def pictures_of(self, one: Reproduction) -> Path:
        """The folder of a reproduction's pictures, made or not."""
        return self._pictures / one.id

    def _pair(self, one: Reproduction, run: Run, original: OriginOutput, again: OutputFile) -> Pair | None:
        """The two files; ``None`` when the original's is gone, was changed, or is not for who asked."""
        if not one.sees_original or not one.origin.run_id.isalnum():
            return None
        expected = self._folders.of(one.origin.run_id).result(original.name)
        if not expected.is_file() or _sha256(expected) != original.sha256:
            return None
        return Pair(
            name=original.name,
            expected=expected,
            found=self._folders.of(run.id).result(again.name),
            media_type=again.media_type,
            tolerance=one.tolerances.get(original.name, EXACT),
        )


def _differs(message: str) -> Comparison:
    return Comparison(verdict=Verdict.DIFFERS, kind="bytes", message=message)


def _lack(one: Reproduction, names: Sequence[str]) -> list[Cause]:
    if not names:
        return []
    why = "are not there any more as they were" if one.sees_original else "are not for the holder of a receipt"
    return [Cause(code=CauseCode.ORIGINAL_GONE, message=f"the original's files of {', '.join(names)} {why}")]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
