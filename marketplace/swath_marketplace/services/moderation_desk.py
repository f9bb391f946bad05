"""What belongs to moderation, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.author_dashboard import AuthorDashboards
from swath_marketplace.services.moderation import Moderation
from swath_marketplace.services.operator_dashboard import OperatorDashboards
from swath_marketplace.services.reports import Reports
from swath_marketplace.services.review_desk import ReviewDesk


@dataclass(frozen=True, kw_only=True)
class ModerationDesk:
    """The services of moderation."""

    acts: Moderation
    reports: Reports
    reviews: ReviewDesk
    authors: AuthorDashboards
    operators: OperatorDashboards
