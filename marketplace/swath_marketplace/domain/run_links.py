"""Links to a run: its maker lets whoever has one, and is signed in, look at that run for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: How long a link may last.
MOST_DAYS = 90
#: Links of one run that hold at the same time.
MOST_LINKS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLink:
    """One link. Its secret is known to who made it; kept is its sha256 alone."""

    id: str
    run_id: str
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and now < self.expires_at
