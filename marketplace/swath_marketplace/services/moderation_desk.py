"""What belongs to moderation, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.moderation import Moderation


@dataclass(frozen=True, kw_only=True)
class ModerationDesk:
    """The services of moderation."""

    acts: Moderation
