"""The files of a dossier that people read on a card."""

from __future__ import annotations

import logging

from swath_service.errors import NotFound

from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.services.round_ports import DossierFiles
from swath_marketplace.store.artifacts import ArtifactDamaged

log = logging.getLogger(__name__)

_MOST_BYTES = 256 << 10


class CardFiles:
    """Reads texts and pictures of dossiers; what cannot be read is as if it were not there, and goes to the log."""

    def __init__(self, files: DossierFiles) -> None:
        self._files = files

    def text(self, dossier: Dossier | None, path: str) -> str:
        """The UTF-8 text at `path`, its first 256 kB; empty where there is none."""
        content = self.content(dossier, path)
        try:
            return content[:_MOST_BYTES].decode(errors="ignore").removeprefix("\ufeff") if content else ""
        except UnicodeDecodeError:
            return ""

    def content(self, dossier: Dossier | None, path: str) -> bytes | None:
        """The file at `path`; ``None`` where there is none."""
        if dossier is None or path not in dossier.files:
            return None
        try:
            return self._files.file(dossier, path)
        except (NotFound, ArtifactDamaged):
            log.exception("a file of a dossier cannot be read")
            return None
