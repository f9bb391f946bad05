"""Dossiers: what an author puts beside a version, for whoever may put or read it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swath.contract.interface import Interface
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier, dossier_digest
from swath_marketplace.services.reading_dossiers import read_dossier
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.dossiers import DossierStore

log = logging.getLogger(__name__)

Listener = Callable[[Dossier, AlgorithmVersion], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutDossier:
    """The answer to a dossier that was put."""

    version: AlgorithmVersion
    dossier: Dossier
    created: bool
    """False when the latest one is the same."""


class Dossiers:
    """Dossiers of versions. Everybody who may see a version may read its dossier."""

    def __init__(self, *, registry: Registry, store: DossierStore, artifacts: ArtifactStore, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._artifacts = artifacts
        self._clock = clock
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called after each new dossier is stored; what it raises goes to the log."""
        self._listeners.append(listener)

    def announce(self, version: AlgorithmVersion) -> None:
        """Tell the listeners of the dossier of a version that came here otherwise than by `put`, if it has one."""
        if dossier := self._store.latest(version.algorithm_id, version.digest):
            self._tell(dossier, version)

    def put(self, actor: Actor, path: str, files: Mapping[str, bytes]) -> PutDossier:
        """Put `files`, contents by path, beside the version `path` (``owner/name@version``); its author or an operator.

        The same files again change nothing. Files that were put before and are not among `files` no longer count.

        Raises
        ------
        Invalid
            With every finding; nothing is stored then.
        Forbidden, NotFound
        """
        actor.require(Scope.PUBLISH)
        version = self._registry.version(actor, path)
        if not (actor.is_operator or (actor.kind is ActorKind.USER and actor.name == version.owner)):
            raise Forbidden(
                code="not-the-owner", message=f"{version.path} is not yours", mend="ask its author or an operator"
            )
        scenarios, findings = read_dossier(files, Interface.from_dict(version.interface))
        if findings:
            raise Invalid(
                code="dossier-invalid",
                message=f"these files cannot stand beside {version.path} {version.version}",
                mend="mend what the findings name; nothing was stored",
                findings=findings,
            )
        addresses = {name: self._artifacts.put(content) for name, content in files.items()}
        dossier, created = self._store.add(
            Dossier(
                algorithm_id=version.algorithm_id,
                version_digest=version.digest,
                sequence=0,
                digest=dossier_digest(addresses),
                files=addresses,
                scenarios=scenarios,
                put_by=actor.name,
                put_at=self._clock(),
            )
        )
        if created:
            self._tell(dossier, version)
        return PutDossier(version=version, dossier=dossier, created=created)

    def get(self, actor: Actor, path: str) -> tuple[AlgorithmVersion, Dossier]:
        """A version and the dossier that counts for it.

        Raises
        ------
        NotFound
        """
        version = self._registry.version(actor, path)
        dossier = self._store.latest(version.algorithm_id, version.digest)
        if dossier is None:
            raise NotFound(
                code="no-dossier",
                message=f"nothing stands beside {version.path} {version.version}",
                mend="its author puts card, scenarios and references there with `swath publish FOLDER`",
            )
        return version, dossier

    def history(self, actor: Actor, path: str) -> Sequence[Dossier]:
        """Every dossier of a version, the first put first."""
        version = self._registry.version(actor, path)
        return self._store.of(version.algorithm_id, version.digest)

    def file(self, dossier: Dossier, path: str) -> bytes:
        """The content of one file.

        Raises
        ------
        NotFound
            The dossier has no file of that path.
        ArtifactDamaged
        """
        address = dossier.files.get(path)
        if address is None:
            raise NotFound(
                code="no-such-file",
                message="the dossier has no file of this path",
                mend="see its list of files",
            )
        return self._artifacts.read(address)

    def _tell(self, dossier: Dossier, version: AlgorithmVersion) -> None:
        for listener in self._listeners:
            try:
                listener(dossier, version)
            except Exception:
                # The dossier stands whatever others make of it.
                log.exception("what follows a dossier of %s %s failed", version.path, version.version)
