"""Favourites and follows: which algorithms a user keeps at hand, and what followers are told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.maturity import MaturityLevel


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An algorithm in a user's list."""

    owner: str
    name: str
    at: datetime
    """Since when."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follower:
    """Who follows an algorithm."""

    user: str
    at: datetime
    """Since when; nobody is told of what was before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a version, or was told of it last."""

    level: MaturityLevel
    gone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What happened to a version."""

    kind: NoticeKind
    version: AlgorithmVersion
    text: str
    at: datetime


def news_of(
    versions: Iterable[AlgorithmVersion],
    *,
    now: Mapping[str, Known],
    before: Mapping[str, Known],
    at: datetime,
) -> tuple[News, ...]:
    """What is new of `versions`, by what was `before` and is `now`, by digest; a version not in `before` is new."""
    found = []
    for version in versions:
        named, known, told = f"{version.path} {version.version}", now[version.digest], before.get(version.digest)
        if told is None:
            title = str(version.metadata.get("title") or version.name)
            text = f"{named} is published: {title}"
            if not known.gone:
                found.append(News(kind=NoticeKind.NEW_VERSION, version=version, text=text, at=at))
            continue
        if known.gone and not told.gone:
            revoked = version.revoked_at is not None
            kind, word = (NoticeKind.REVOKED, "revoked") if revoked else (NoticeKind.VERSION_YANKED, "yanked")
            text = f"{named} was {word}: {version.revoked_reason if revoked else version.yank_reason}"
            found.append(News(kind=kind, version=version, text=text, at=at))
        if known.level is not told.level and not known.gone:
            rose = known.level.rank > told.level.rank
            kind, word = (NoticeKind.LEVEL_ROSE, "rose") if rose else (NoticeKind.LEVEL_FELL, "fell")
            text = f"{named} {word} from {told.level.value} to {known.level.value}"
            found.append(News(kind=kind, version=version, text=text, at=at))
    return tuple(found)


def notices_of(news: Iterable[News], followers: Iterable[Follower]) -> tuple[Notice, ...]:
    """A notice of each of `news` to each of `followers`; the same news makes the same notices again."""
    told = list(followers)
    return tuple(
        Notice(
            id=_id(one, follower.user),
            user=follower.user,
            kind=one.kind,
            text=one.text,
            link=f"algorithms/{one.version.path}/versions/{one.version.version}",
            at=one.at,
        )
        for one in news
        for follower in told
    )


def _id(news: News, user: str) -> str:
    # A level may rise and fall again: each time is told. A version is new once, and gone once.
    once = news.kind in (NoticeKind.NEW_VERSION, NoticeKind.VERSION_YANKED, NoticeKind.REVOKED)
    when = "" if once else news.at.isoformat()
    key = f"{user}\n{news.kind.value}\n{news.version.algorithm_id}\n{news.version.digest}\n{when}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]
