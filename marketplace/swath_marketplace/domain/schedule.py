"""Which versions are benchmarked, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from swath.contract.semver import Version

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Order, Round, RoundState, ScenarioOutcome, Trigger
from swath_marketplace.domain.catalogue import newest_first

#: A round that the platform spoilt is made again sooner.
AGAIN_AFTER = timedelta(hours=1)
#: Rounds of one algorithm that begin within a day, whoever's: the platform's wallet is everybody's.
MOST_A_DAY = 40
_ORDER = {Trigger.PUBLISH: 0, Trigger.ASKED: 0, Trigger.SCHEDULE: 1}


def listed(versions: Sequence[AlgorithmVersion]) -> list[AlgorithmVersion]:
    """Those of one algorithm's versions that a range of numbers finds: of each ``major.minor`` the highest one.

    ``latest``, ``^1``, ``~1.2`` and ``>=1,<2`` all end at one of them. Yanked ones are found by none, and a
    pre-release by its own number alone; it is listed where there is nothing else.
    """
    offered = [version for version in newest_first(versions) if version.yanked_at is None]
    released = [version for version in offered if not Version.parse(version.version).prerelease]
    lines: dict[tuple[int, int], AlgorithmVersion] = {}
    for version in released:
        number = Version.parse(version.version)
        lines.setdefault((number.major, number.minor), version)
    return list(lines.values()) or offered[:1]


def due(last: Order | None, ended: Sequence[Round], *, dossier_digest: str, now: datetime, period: timedelta) -> bool:
    """Whether a version with the dossier `dossier_digest` is to be benchmarked again.

    Parameters
    ----------
    last
        The latest round that was asked for, ended or not.
    ended
        The latest rounds that have ended, newest last. What the platform spoilt is made again after an hour, then after
        twice the time for each that it spoils in a row.
    """
    if last is None or last.dossier_digest != dossier_digest:
        return True
    if last.state is not RoundState.ENDED or not ended:
        return False
    spoilt = len(list(takewhile(_is_spoilt, reversed(ended))))
    wait = min(period, AGAIN_AFTER * 2 ** (spoilt - 1)) if spoilt else period
    # One that began in the future was dated by a wrong clock, and must not keep the next ones back.
    return not timedelta(0) <= now - ended[-1].started_at < wait


def _is_spoilt(one: Round) -> bool:
    return any(result.outcome is ScenarioOutcome.UNKNOWN for result in one.results)


def next_of(waiting: Sequence[Order]) -> Order | None:
    """The round to begin next: what somebody waits for before what the clock wants, then the first asked for."""
    return min(waiting, key=lambda order: (_ORDER[order.trigger], order.asked_at, order.id), default=None)
