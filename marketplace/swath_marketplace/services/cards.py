"""Cards of algorithms: everything by which somebody judges one, gathered for whoever may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swath.contract.interface import Interface
from swath_service.actor import Actor
from swath_service.errors import SwathError

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.cards import Card, Example, Price, VersionNote
from swath_marketplace.domain.changelog import CHANGELOG, between, bump_of, computed, section_of
from swath_marketplace.domain.citing import Citation
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.statistics import LAST, statistics_of
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.citations import Citations
from swath_marketplace.services.examples import Examples
from swath_marketplace.services.following import Following
from swath_marketplace.services.holds import Offer
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.services.reading_cards import CardFiles
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_ports import DossierSource
from swath_marketplace.services.runs import RunRequest, Runs
from swath_marketplace.store.run_samples import RunSamples

README = "README.md"
#: Runs that do not count are looked at as well: so many in all.
_SAMPLES = 2 * LAST
_VERSIONS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class CardSources:
    """Where the facts of a card come from."""

    registry: Registry
    maturity: Maturity
    added_values: AddedValues
    runs: Runs
    samples: RunSamples
    dossiers: DossierSource
    files: CardFiles
    examples: Examples
    citations: Citations
    following: Following


class Cards:
    """Cards of algorithms, for whoever may see the algorithm."""

    def __init__(self, sources: CardSources) -> None:
        self._from = sources

    @property
    def examples(self) -> Examples:
        """The examples of versions."""
        return self._from.examples

    def of(self, actor: Actor, path: str, *, version: str = "", url: str) -> Card:
        """The card of the algorithm `path` at a version: a number, a range, or by default the latest.

        Parameters
        ----------
        url
            What the addresses in a citation begin with: scheme, host and this service's base, without a last slash.

        Raises
        ------
        NotFound
            Also where every version was yanked and none is named.
        """
        algorithm = self._from.registry.get(actor, path)
        wanted = version or (algorithm.latest.version if algorithm.latest else _newest(algorithm))
        view = self._from.maturity.get(actor, f"{path}@{wanted}")
        chosen = view.version
        dossier = self._from.dossiers.latest(chosen.algorithm_id, chosen.digest)
        example = self._from.examples.of(chosen)
        favourite, follows = self._from.following.standing(actor, algorithm)
        return Card(
            algorithm=algorithm,
            version=chosen,
            interface=Interface.from_dict(chosen.interface),
            dossier=dossier,
            readme=self._from.files.text(dossier, README),
            standing=view.standing,
            reviews=view.reviews,
            example=example,
            versions=self._notes(algorithm),
            statistics=statistics_of(self._from.samples.of(chosen, limit=_SAMPLES)),
            price=self._price(actor, chosen, example),
            citation=self._citation(chosen, dossier, url=url),
            favourite=favourite,
            follows=follows,
        )

    def citation(self, actor: Actor, path: str, *, url: str) -> Citation:
        """How the version ``owner/name@version`` is cited.

        Raises
        ------
        NotFound
        """
        version = self._from.registry.version(actor, path)
        dossier = self._from.dossiers.latest(version.algorithm_id, version.digest)
        return self._citation(version, dossier, url=url)

    def picture(self, dossier: Dossier | None, path: str) -> bytes | None:
        """A file that a card's text shows; ``None`` where there is none."""
        return self._from.files.content(dossier, path)

    def _citation(self, version: AlgorithmVersion, dossier: Dossier | None, *, url: str) -> Citation:
        here = f"{url}/algorithms/{version.path}/versions/{version.version}"
        return self._from.citations.of(version, dossier, url=here)

    def _notes(self, algorithm: Algorithm) -> Sequence[VersionNote]:
        """Every version with what changed since the next lower one; the author's words stand in any later dossier."""
        versions = algorithm.versions[:_VERSIONS]
        levels = self._from.maturity.levels_of(versions)
        changelogs = self._changelogs(versions)
        notes = []
        for place, version in enumerate(versions):
            old = next(iter(algorithm.versions[place + 1 :]), None)
            changes = between(old, version) if old else None
            told = (section_of(text, version.version) for text in (changelogs[place], *changelogs))
            notes.append(
                VersionNote(
                    version=version,
                    level=levels[version.algorithm_id, version.digest],
                    changelog=next((words for words in told if words), ""),
                    computed=computed(old, version, changes),
                    predecessor=old,
                    changes=changes,
                    bump=bump_of(old.version, version.version) if old else None,
                )
            )
        return notes

    def _changelogs(self, versions: Sequence[AlgorithmVersion]) -> Sequence[str]:
        dossiers = [self._from.dossiers.latest(one.algorithm_id, one.digest) for one in versions]
        return [self._from.files.text(dossier, CHANGELOG) for dossier in dossiers]

    def _price(self, actor: Actor, version: AlgorithmVersion, example: Example | None) -> Price:
        """What is asked, and a quote for the example; without one for a call with nothing but defaults."""
        asked = self._from.added_values.price_of(actor, version.path).current
        parameters: Mapping[str, Any] = example.parameters if example else {}
        request = RunRequest(algorithm=f"{version.path}@{version.version}", parameters=parameters)
        try:
            _, offer = self._from.runs.quote(actor, request)
        except SwathError as error:
            return Price(asked=asked, quote=None, why_none=error.message)
        return Price(asked=asked, quote=_quote(offer))


def _quote(offer: Offer) -> Mapping[str, Any]:
    estimate, added = offer.estimate, offer.added_value
    return {
        "p50": estimate.p50 if estimate else None,
        "p95": estimate.p95 if estimate else None,
        "hold": offer.hold,
        "ceiling": offer.ceiling,
        "added_value": added.bound if added else 0,
        "basis": estimate.basis if estimate else None,
        "explanation": estimate.explanation if estimate else "",
    }


def _newest(algorithm: Algorithm) -> str:
    return algorithm.versions[0].version
