"""What people judge algorithms with: cards, favourites and follows, entries of other platforms."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.cards import Cards
from swath_marketplace.services.externals import Externals
from swath_marketplace.services.following import Following, FollowKeeper


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The services."""

    cards: Cards
    following: Following
    follow_keeper: FollowKeeper
    externals: Externals
