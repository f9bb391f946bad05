"""The rates of a caller, from its standing: what a service's gate asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from swath_service.rate_policies import Policies, RatePolicy
from swath_service.rate_sources import CachedPolicies

from swath_quota.domain.limits import LimitState, Standing, Window

#: A gate's name of a policy, and the limit behind it.
RATES: Mapping[str, str] = {"api": "api.requests.minute", "runs": "runs.starts.minute"}


class StandingPolicies(CachedPolicies):
    """A `swath_service.rate_policies.PolicySource` over ``QuotaClient.standing``, which is asked in a thread."""

    def __init__(self, standing: Callable[[str], Standing], **settings: Any) -> None:
        async def ask(name: str) -> Policies:
            return policies_of(await asyncio.to_thread(standing, name))

        super().__init__(ask, **settings)


def policies_of(standing: Standing) -> Policies:
    """The policies in a standing; already smaller where the account is degraded."""
    found = {name: standing.limit(limit) for name, limit in RATES.items()}
    return {name: _policy(state) for name, state in found.items() if state is not None and state.hard is not None}


def _policy(state: LimitState) -> RatePolicy:
    assert state.window is Window.RATE
    assert state.seconds is not None
    # A rate of nothing cannot be counted: one in the window is the least.
    return RatePolicy(
        quota=max(1, state.hard or 0), window_seconds=state.seconds, burst=state.burst, limit_name=state.name
    )
