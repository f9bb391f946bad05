"""What the rounds ask of the rest of the marketplace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Round
from swath_marketplace.domain.dossiers import Dossier

#: Is told of each round that has ended, at least once; whatever it does, it can do again.
RoundListener = Callable[[Round, AlgorithmVersion], None]
#: Ids of the collections in the archive next door.
Collections = Callable[[], Collection[str]]


class DossierSource(Protocol):
    """The dossiers of versions."""

    def latest(self, algorithm_id: str, digest: str) -> Dossier | None:
        """The dossier of a version that counts."""
        ...

    def of(self, algorithm_id: str, digest: str) -> Sequence[Dossier]:
        """Every dossier of a version, the first put first."""
        ...


class DossierFiles(Protocol):
    """The contents of dossiers."""

    def file(self, dossier: Dossier, path: str) -> bytes:
        """The file at `path`.

        Raises
        ------
        NotFound
            The dossier has no such file.
        ArtifactDamaged
        """
        ...
