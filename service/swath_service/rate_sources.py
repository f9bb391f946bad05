"""Where a gate learns its callers' rates: asked for once in a while, kept, and never waited for long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from swath_service.actor import Actor
from swath_service.rate_policies import Policies, RatePolicy

log = logging.getLogger(__name__)
#: Held where nobody has answered yet: generous, because silence is not the caller's fault, and not nothing.
DEFAULT: Policies = {
    "api": RatePolicy(quota=1200, window_seconds=60),
    "runs": RatePolicy(quota=60, window_seconds=60, limit_name="runs.starts.minute"),
}
_BELIEVED_SECONDS = 30.0
_SILENT_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    policies: Policies
    until: float


class CachedPolicies:
    """A `swath_service.rate_policies.PolicySource` over whoever knows.

    An answer is believed for `believed_seconds`, at most 30. Silence holds nobody up: after `patience_seconds` the
    request goes on under what was last known of the caller, or the default.

    Parameters
    ----------
    ask
        Tells the policies of a name; what it raises is silence. Asked once at a time for each name.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Policies]],
        *,
        default: Policies = DEFAULT,
        believed_seconds: float = _BELIEVED_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._ask = ask
        self._default = default
        self._believed_seconds = min(believed_seconds, _BELIEVED_SECONDS)
        self._patience_seconds = patience_seconds
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Policies]] = {}

    async def __call__(self, actor: Actor) -> Policies:
        known = self._known.get(actor.name)
        if known and known.until > time.monotonic():
            return known.policies
        asking = self._asking.get(actor.name)
        if asking is None:
            asking = self._asking[actor.name] = asyncio.create_task(self._learn(actor.name))
        # A wait, not a wait_for: who gives up, or goes away, must not stop the asking that others wait for.
        done, _ = await asyncio.wait({asking}, timeout=self._patience_seconds)
        if done:
            return asking.result()
        return known.policies if known else self._default

    async def _learn(self, name: str) -> Policies:
        """What is told of `name`, kept for the next; never raises."""
        known = self._known.get(name)
        try:
            policies = await self._ask(name)
            until = time.monotonic() + self._believed_seconds
        except Exception as error:
            # Whatever is wrong over there, requests here go on.
            log.warning("quota tells no rates: %s", type(error).__name__)
            policies = known.policies if known else self._default
            until = time.monotonic() + _SILENT_SECONDS
        finally:
            self._asking.pop(name, None)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[name] = _Known(policies, until)
        return policies


def over_http(url: str, token: str) -> Callable[[str], Awaitable[Policies]]:
    """An `ask` for `CachedPolicies` of a service at ``{url}limits/rates``, for rooms that may not know that service.

    Parameters
    ----------
    token
        A JupyterHub token with the scope ``custom:swath:standing``.
    """
    # trust_env=False: a proxy named in the environment must not see the token.
    client = httpx.AsyncClient(
        base_url=url.rstrip("/") + "/", headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False
    )

    async def ask(name: str) -> Policies:
        answer = await client.get("limits/rates", params={"account": name})
        answer.raise_for_status()
        return {
            told["name"]: RatePolicy(
                quota=told["quota"],
                window_seconds=told["window_seconds"],
                burst=told["burst"],
                limit_name=told["limit_name"],
            )
            for told in answer.json()["rates"]
        }

    return ask
