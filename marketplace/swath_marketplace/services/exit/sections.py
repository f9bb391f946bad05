"""What belongs to an account beside algorithms and runs: lists that its user keeps, as they stand in the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from swath.contract.times import moment

from swath_marketplace.domain.following import Kept
from swath_marketplace.domain.hooks import Webhook
from swath_marketplace.services.exit.exporting import Section
from swath_marketplace.store.database import Database
from swath_marketplace.store.following import FollowingStore
from swath_marketplace.store.webhooks import WebhookStore


def sections_of(database: Database) -> Mapping[str, Section]:
    """By its name in the archive, what answers a user's part of each."""
    following, webhooks = FollowingStore(database), WebhookStore(database)
    return {
        "favourites": lambda owner: _kept(following.favourites(owner)),
        "follows": lambda owner: _kept(following.followed(owner)),
        "webhooks": lambda owner: [_webhook(one) for one in webhooks.list(owner)],
    }


def _kept(some: Sequence[Kept]) -> list[dict[str, Any]]:
    return [{"algorithm": f"{one.owner}/{one.name}", "since": moment(one.at)} for one in some]


def _webhook(one: Webhook) -> dict[str, Any]:
    """Without its secret; and of its address no more than the host, as the rest may be a secret of its own."""
    parts = urlsplit(one.url)
    return {
        "host": f"{parts.scheme}://{parts.hostname}",
        "topics": [topic.value for topic in one.topics],
        "algorithm": one.algorithm,
        "description": one.description,
        "created_at": moment(one.created_at),
    }
