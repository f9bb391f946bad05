"""How mature versions are, why, and what people say of them; for whoever may see or say it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from swath.contract.semver import VersionRange
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.assessments import Assessment, Cause, Standing, stand
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.maturity import MaturityLevel, MaturityMark
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.domain.reviews import LEAST_CHARACTERS, MOST_CHARACTERS, Review, ReviewKind, ReviewVerdict
from swath_marketplace.services.assessing import Assessor
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.added_value import MarkStore
from swath_marketplace.store.assessments import AssessmentStore, Key, ReviewStore, key_of

#: An assessment that somebody looks at is no older.
_FRESH_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MaturityView:
    """A version, its level and everything that bears on it."""

    version: AlgorithmVersion
    standing: Standing
    marks: Sequence[MaturityMark]
    reviews: Sequence[Review]


class Maturity:
    """A `swath_marketplace.domain.maturity.MaturitySource` of what assessments and marks say.

    Parameters
    ----------
    reviewers
        Names whose reviews count, besides operators'.
    marks_raise
        Whether an operator's mark may say more than the evidence does.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        assessor: Assessor,
        assessments: AssessmentStore,
        reviews: ReviewStore,
        marks: MarkStore,
        reviewers: Collection[str],
        marks_raise: bool,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._assessor = assessor
        self._assessments = assessments
        self._reviews = reviews
        self._marks = marks
        self._reviewers = frozenset(reviewers)
        self._marks_raise = marks_raise
        self._clock = clock
        self._listeners: list[Callable[[AlgorithmVersion, Review], None]] = []

    def add_listener(self, listener: Callable[[AlgorithmVersion, Review], None]) -> None:
        """Have `listener` called after each new review is stored."""
        self._listeners.append(listener)

    def level_of(self, version: AlgorithmVersion) -> MaturityLevel:
        """The level of `version` now."""
        return self.levels_of([version])[key_of(version)]

    def levels_of(self, versions: Iterable[AlgorithmVersion]) -> Mapping[Key, MaturityLevel]:
        """The level of each version now, by algorithm and digest; two questions to the database however many."""
        return {key: standing.level for key, standing in self.standings_of(versions).items()}

    def standings_of(self, versions: Iterable[AlgorithmVersion]) -> Mapping[Key, Standing]:
        """The level of each version now, and what is missing for the next, without assessing any anew."""
        wanted = list(versions)
        if not wanted:
            return {}
        assessments, marks = self._assessments.latest(wanted), self._marks.latest(wanted)
        now = self._clock()
        return {
            key: self._stand([assessments[key]] if key in assessments else [], mark=marks.get(key), now=now)
            for key in map(key_of, wanted)
        }

    def get(self, actor: Actor, path: str) -> MaturityView:
        """The level of a version, why, and what is missing for the next.

        Raises
        ------
        NotFound
        """
        version = self._registry.version(actor, path)
        # Who looks has often just run it, and wants to see that it counts.
        self._assessor.refresh(version, stale_seconds=_FRESH_SECONDS)
        marks = self._marks.of(version)
        standing = self._stand(self._assessments.telling(version), mark=marks[-1] if marks else None, now=self._clock())
        return MaturityView(version=version, standing=standing, marks=marks, reviews=self._reviews.of(version))

    def history(
        self, actor: Actor, path: str, *, limit: int, offset: int = 0, before: int | None = None
    ) -> tuple[Sequence[Assessment], int]:
        """A page of the assessments of a version, newest first, and how many there are in all.

        Raises
        ------
        NotFound
        """
        return self._assessments.of(self._registry.version(actor, path), limit=limit, offset=offset, before=before)

    def reviews_of(
        self, actor: Actor, path: str, *, limit: int, offset: int = 0, before: int | None = None
    ) -> tuple[Sequence[Review], int]:
        """A page of the reviews of a version, newest first, and how many there are in all.

        Raises
        ------
        NotFound
        """
        known = self._reviews.of(self._registry.version(actor, path))
        page = [one for one in reversed(known) if before is None or one.sequence < before]
        return page[offset : offset + limit], len(known)

    def mark(self, actor: Actor, path: str, *, level: MaturityLevel, reason: str) -> MaturityMark:
        """Bound the level of one version. For operators.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.ADMINISTER)
        version = self._exact(actor, path, what="a mark")
        return self._marks.add(
            MaturityMark(
                algorithm_id=version.algorithm_id,
                digest=version.digest,
                sequence=0,
                level=level,
                reason=reason,
                set_by=actor.name,
                at=self._clock(),
            )
        )

    def review(
        self, actor: Actor, path: str, *, kind: ReviewKind, verdict: ReviewVerdict, text: str
    ) -> tuple[Review, bool]:
        """Say of one version what one thinks of it: anybody but its author.

        It counts when the one who says it is among the operator's reviewers, or an operator; another's is kept as a
        remark. Of each reviewer the latest counts.

        Returns
        -------
        tuple
            The review, and whether it is new: the same words again are one review.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.PUBLISH)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only",
                message="reviews are people's, and this token is a service's",
                mend="use a user's token",
            )
        version = self._exact(actor, path, what="a review")
        if actor.name == version.owner:
            raise Forbidden(
                code="own-version",
                message=f"{version.path} is yours, and nobody reviews their own work",
                mend="ask somebody else",
            )
        words = " ".join(text.split())
        if not LEAST_CHARACTERS <= len(words) <= len(text.strip()) <= MOST_CHARACTERS:
            raise _invalid("text", f"a review has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, spaces aside")
        made, created = self._reviews.add(
            Review(
                algorithm_id=version.algorithm_id,
                digest=version.digest,
                sequence=0,
                kind=kind,
                verdict=verdict,
                text=text.strip(),
                reviewer=actor.name,
                counts=actor.is_operator or actor.name in self._reviewers,
                at=self._clock(),
            )
        )
        if created and made.counts:
            self._assessor.assess(version, Cause.REVIEW)
        for listener in self._listeners if created else ():
            listener(version, made)
        return made, created

    def _stand(self, assessments: Sequence[Assessment], **more: object) -> Standing:
        return stand(assessments, marks_raise=self._marks_raise, **more)  # type: ignore[arg-type]

    def _exact(self, actor: Actor, path: str, *, what: str) -> AlgorithmVersion:
        reference = parse_reference(path)
        try:
            exact = VersionRange.parse(reference.range).exact
        except ValueError:
            exact = None
        if exact is None:
            raise Invalid(code="not-a-version", message=f"{what} names one exact version", mend="for example 1.2.0")
        return self._registry.version(actor, path)


def _invalid(field: str, message: str) -> Invalid:
    mend = "say what was looked at, and why the verdict is what it is"
    return Invalid(
        code="review-invalid",
        message=message,
        mend=mend,
        findings=[{"field": field, "message": message, "mend": mend}],
    )
