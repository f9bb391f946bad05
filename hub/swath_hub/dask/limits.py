"""Limits of each user, as the quota service has them; remembered for a while, and longer while it is silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from swath_service.errors import SwathError

from swath_hub.dask.quota import DaskQuota, limits_of
from swath_hub.dask.shares import Limits

log = logging.getLogger(__name__)


class UserLimits:
    """Asks once in `max_age_seconds` for each user; many requests at once wait for one answer.

    Parameters
    ----------
    fallback
        What holds where a user's tier names no limit.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, quota: DaskQuota, *, fallback: Limits, clock: Callable[[], float], max_age_seconds: float = 15
    ) -> None:
        self._quota, self._fallback, self._clock, self._max_age = quota, fallback, clock, max_age_seconds
        self._known: dict[str, tuple[float, Limits]] = {}
        self._asking = asyncio.Lock()

    async def of(self, user: str) -> Limits:
        """The limits of `user`; the last known ones when nobody answers now.

        Raises
        ------
        SwathError
            Nobody answers, or the answer is no, and nothing is known.
        """
        async with self._asking:
            known = self._known.get(user)
            if known is not None and self._clock() - known[0] < self._max_age:
                return known[1]
            try:
                found = limits_of(await asyncio.to_thread(self._quota.standing, user), self._fallback)
            except SwathError as error:
                if known is None:
                    raise
                log.warning("the limits of %s are those last known: %s", user, error)
                return known[1]
            self._known[user] = (self._clock(), found)
            return found
