"""Breaks: a scenario of a version that went red, and what its author is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from swath_marketplace.domain.benchmarks import Order, ScenarioOutcome, ScenarioResult


class NoticeKind(StrEnum):
    """What a notice is about."""

    BENCHMARK_BROKEN = "benchmark-broken"
    BENCHMARK_MENDED = "benchmark-mended"
    BENCHMARK_SLOWER = "benchmark-slower"
    BENCHMARK_DEARER = "benchmark-dearer"
    NEW_VERSION = "new-version"
    """Of an algorithm that the user follows; the next three too."""
    LEVEL_ROSE = "level-rose"
    LEVEL_FELL = "level-fell"
    VERSION_YANKED = "version-yanked"
    WEBHOOK_DISABLED = "webhook-disabled"
    REVOKED = "revoked"
    HIDDEN = "hidden"
    """An algorithm of theirs was hidden, or is shown again."""
    REPORTED = "reported"
    ANSWERED = "answered"
    """A report of theirs has its answer."""
    REVIEW = "review"
    """A review of something of theirs, or a reply to theirs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that a user ought to know."""

    id: str
    user: str
    kind: NoticeKind
    text: str
    link: str
    """Below the service's address, without a leading slash; empty for none."""
    at: datetime
    read_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """That a scenario of a version went red; open until it is green again, or gone."""

    id: str
    algorithm_id: str
    owner: str
    name: str
    version: str
    version_digest: str
    scenario: str
    round_id: str
    """The round that found it."""
    opened_at: datetime
    result: ScenarioResult
    """As it was found: the failing output or cell, the comparison, the runs."""
    closed_by: str | None = None
    """The round that found it green again."""
    closed_at: datetime | None = None
    closed_why: str | None = None
    """``green`` or ``withdrawn``: the scenario is no more in the dossier."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What a round changed."""

    opened: tuple[Break, ...]
    closed: tuple[Break, ...]
    notices: tuple[Notice, ...]


NOTHING = Changes(opened=(), closed=(), notices=())


def changes(
    order: Order, results: Sequence[ScenarioResult], *, still_open: Mapping[str, Break], at: datetime
) -> Changes:
    """What the end of a round changes: which breaks it opens and closes, and what the author is told of it.

    What is passed over or unknown leaves a break as it was.

    Parameters
    ----------
    still_open
        Breaks of this version that are open, by scenario.
    """
    opened = [
        _break(order, result, at=at)
        for result in results
        if result.outcome is ScenarioOutcome.RED and result.scenario not in still_open
    ]
    by_name = {result.scenario: result for result in results}
    closed = []
    for scenario, found in still_open.items():
        result = by_name.get(scenario)
        if result is None or result.outcome is ScenarioOutcome.GREEN:
            why = "withdrawn" if result is None else "green"
            closed.append(replace(found, closed_by=order.id, closed_at=at, closed_why=why))
    notices = [_broken(order, one, at=at) for one in opened]
    notices += [_mended(order, one, at=at) for one in closed if one.closed_why == "green"]
    return Changes(opened=tuple(opened), closed=tuple(closed), notices=tuple(notices))


def notice(order: Order, *, kind: NoticeKind, scenario: str, text: str, at: datetime) -> Notice:
    """A notice to the author; the same round tells the same thing under the same id."""
    known = hashlib.sha256(f"{order.id}:{kind.value}:{scenario}".encode()).hexdigest()
    return Notice(id=known[:32], user=order.owner, kind=kind, text=text, link=f"rounds/{order.id}", at=at)


def _break(order: Order, result: ScenarioResult, *, at: datetime) -> Break:
    return Break(
        id=hashlib.sha256(f"{order.id}:{result.scenario}".encode()).hexdigest()[:32],
        algorithm_id=order.algorithm_id,
        owner=order.owner,
        name=order.name,
        version=order.version,
        version_digest=order.version_digest,
        scenario=result.scenario,
        round_id=order.id,
        opened_at=at,
        result=result,
    )


def _broken(order: Order, one: Break, *, at: datetime) -> Notice:
    text = f"{order.path} {order.version}: scenario {one.scenario} is red: {one.result.message}"
    return notice(order, kind=NoticeKind.BENCHMARK_BROKEN, scenario=one.scenario, text=text, at=at)


def _mended(order: Order, one: Break, *, at: datetime) -> Notice:
    text = f"{order.path} {order.version}: scenario {one.scenario} is green again"
    return notice(order, kind=NoticeKind.BENCHMARK_MENDED, scenario=one.scenario, text=text, at=at)
