"""How versions are cited, by what they and their dossiers say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.citing import Citation, creators_of, doi_of
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.services.reading_cards import CardFiles

#: The file of a dossier in which an author says who is to be named.
CITATION = "CITATION.cff"
_PUBLISHER = "Swath"


class Citations:
    """Citations of versions.

    Parameters
    ----------
    files
        Reads the files of dossiers.
    """

    def __init__(self, *, files: CardFiles) -> None:
        self._files = files

    def of(self, version: AlgorithmVersion, dossier: Dossier | None, *, url: str) -> Citation:
        """The citation of `version`.

        Parameters
        ----------
        url
            The version's address, absolute.
        """
        told = _parsed(self._files.text(dossier, CITATION))
        return Citation(
            version=version,
            creators=creators_of(told, owner=version.owner),
            url=url,
            publisher=_PUBLISHER,
            doi=doi_of(told),
        )


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return


def _parsed(text: str) -> Any:
    # Aliases could make a small file large, and a citation needs none.
    if not text or any(isinstance(event, yaml.AliasEvent) for event in _events(text)):
        return None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
