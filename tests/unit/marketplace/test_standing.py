"""The level as a pure function of assessments, a mark and the time: it rises, falls with a reason, and expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.domain.assessments import Assessment, Cause, Reason, Result, Standing, stand
from swath_marketplace.domain.maturity import LOWEST, MaturityLevel, MaturityMark

START = datetime(2026, 12, 1, tzinfo=UTC)
LEVELS = list(MaturityLevel)
PROTOTYPE, INCUBATING, VERIFIED, VALIDATED, OPERATIONAL = LEVELS


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def assessment(
    up_to: MaturityLevel, *, at: float = 0, green: float | None = 0, fresh: dict[MaturityLevel, int] | None = None
) -> Assessment:
    """One that meets every level up to `up_to`; each level asks for one thing."""
    results = tuple(
        Result(
            level=level,
            criterion=f"of-{level.value}",
            title=f"What {level.value} asks",
            met=level.rank <= up_to.rank,
            told="it is so" if level.rank <= up_to.rank else "it is not so",
            mend="" if level.rank <= up_to.rank else "do it",
        )
        for level in MaturityLevel
    )
    return Assessment(
        algorithm_id="a",
        version_digest="sha256:1",
        sequence=1,
        dossier_digest="sha256:d",
        environment_lock_sha256="cd" * 32,
        criteria_version="2026-12",
        criteria_sha256="ab" * 32,
        cause=Cause.ROUND,
        results=results,
        fresh_days={VERIFIED: 30} if fresh is None else fresh,
        green_at=None if green is None else day(green),
        at=day(at),
    )


def mark(level: MaturityLevel, reason: str = "a recall") -> MaturityMark:
    return MaturityMark(
        algorithm_id="a", digest="sha256:1", sequence=1, level=level, reason=reason, set_by="root", at=START
    )


def standing(*assessments: Assessment, now: float = 0, **more: Any) -> Standing:
    return stand(assessments, **{"mark": None, "now": day(now), **more})


def test_a_version_that_nobody_assessed_is_a_prototype() -> None:
    found = standing()
    assert (found.level, found.reason, found.told) == (PROTOTYPE, Reason.UNASSESSED, "it was never assessed")


def test_it_expires_by_itself_and_a_green_round_brings_it_back() -> None:
    verified = assessment(VERIFIED)
    assert standing(verified).expires_at == day(30)
    assert standing(verified, now=29.999).level is VERIFIED
    expired = standing(verified, now=30)
    assert (expired.level, expired.reason) == (INCUBATING, Reason.EXPIRED)
    assert expired.told == "every criterion of verified is met, but the last green round ended on 2026-12-01"
    assert [one.criterion for one in expired.missing] == ["fresh-round"]
    assert (expired.next_level, expired.expires_at) == (VERIFIED, None)
    again = standing(verified, assessment(VERIFIED, at=31, green=31), now=31)
    assert (again.level, again.reason, again.expires_at) == (VERIFIED, Reason.EARNED, day(61))


def test_what_never_was_green_is_not_fresh() -> None:
    found = standing(assessment(OPERATIONAL, green=None))
    assert (found.level, found.reason) == (INCUBATING, Reason.EXPIRED)
    assert found.told.endswith("but no round was green")


def test_it_falls_with_a_reason_and_rises_again() -> None:
    operational, broken = assessment(OPERATIONAL), assessment(INCUBATING, at=2)
    fell = standing(operational, broken, now=2)
    assert (fell.level, fell.reason) == (INCUBATING, Reason.FELL)
    assert fell.told == "fell from operational on 2026-12-03: What verified asks: it is not so; " + (
        "What validated asks: it is not so; What operational asks: it is not so"
    )
    later = standing(operational, broken, assessment(INCUBATING, at=3), now=3)
    assert later.told == fell.told, "the day on which it fell stays"
    mended = standing(operational, broken, assessment(OPERATIONAL, at=4, green=4), now=4)
    assert (mended.level, mended.reason, mended.told) == (
        OPERATIONAL,
        Reason.EARNED,
        "every criterion of operational is met",
    )
    assert (mended.next_level, mended.missing) == (None, ())


def test_it_rises_without_a_ticket() -> None:
    levels = [standing(*(assessment(one) for one in LEVELS[: count + 1])) for count in range(len(LEVELS))]
    assert [one.level for one in levels] == LEVELS
    assert {one.reason for one in levels} == {Reason.EARNED}


def test_what_is_missing_is_that_of_the_next_level() -> None:
    found = standing(assessment(INCUBATING))
    assert found.next_level is VERIFIED
    assert [(one.criterion, one.mend) for one in found.missing] == [("of-verified", "do it")]


def test_a_prototype_lacks_what_a_prototype_asks_first() -> None:
    from dataclasses import replace

    bare = assessment(PROTOTYPE)
    bare = replace(bare, results=(replace(bare.results[0], met=False), *bare.results[1:]))
    found = standing(bare)
    assert (found.level, found.told) == (PROTOTYPE, "prototype is where every version begins")
    assert [one.level for one in found.missing] == [PROTOTYPE, INCUBATING]


def test_a_mark_lowers_and_never_raises() -> None:
    for level in LEVELS:
        found = standing(assessment(VALIDATED), mark=mark(level))
        assert found.level is min(level, VALIDATED, key=lambda one: one.rank)
        if level.rank < VALIDATED.rank:
            assert (found.reason, found.told) == (Reason.MARKED, f"held down to {level.value} by an operator: a recall")
        else:
            assert found.reason is Reason.EARNED
    assert standing(mark=mark(OPERATIONAL)).level is PROTOTYPE


def test_an_operator_can_let_marks_raise() -> None:
    found = standing(assessment(INCUBATING), mark=mark(OPERATIONAL), marks_raise=True)
    assert (found.level, found.reason, found.expires_at) == (OPERATIONAL, Reason.MARKED, None)
    assert standing(assessment(OPERATIONAL), mark=mark(VERIFIED), marks_raise=True).level is VERIFIED


@given(
    met=st.sampled_from(LEVELS),
    green=st.none() | st.floats(-100, 100),
    now=st.floats(-50, 200),
    fresh=st.dictionaries(st.sampled_from(LEVELS), st.integers(1, 60)),
    ceiling=st.none() | st.sampled_from(LEVELS),
)
def test_the_rule(
    met: MaturityLevel,
    green: float | None,
    now: float,
    fresh: dict[MaturityLevel, int],
    ceiling: MaturityLevel | None,
) -> None:
    found = standing(assessment(met, green=green, fresh=fresh), now=now, mark=mark(ceiling) if ceiling else None)
    # The rule of the module, word by word.
    fits = [
        level
        for level in LEVELS
        if level.rank <= met.rank
        and (ceiling is None or level.rank <= ceiling.rank)
        and all(
            green is not None and day(now) < day(green) + timedelta(days=days)
            for one, days in fresh.items()
            if one.rank <= level.rank
        )
    ]
    expected = fits[-1] if fits else LOWEST
    assert found.level is expected
    if found.expires_at and found.reason is not Reason.MARKED and expected is not LOWEST:
        assert found.expires_at > day(now)


@pytest.mark.parametrize("level", LEVELS)
def test_only_from_verified_may_be_earned(level: MaturityLevel) -> None:
    assert standing(assessment(level)).level.may_earn is (level.rank >= VERIFIED.rank)
