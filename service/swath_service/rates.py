"""Rates of requests: GCRA by throttled-py, in this process's memory or in a Redis that several processes share.

Every answer tells the caller where it stands, in the fields of draft-ietf-httpapi-ratelimit-headers; what is too much
gets 429 with the draft's problem members and ``Retry-After``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from throttled.asyncio import MemoryStore, RedisStore, Throttled
from throttled.rate_limiter import per_duration

from swath_service.actor import Actor, ActorKind
from swath_service.app import RequestId
from swath_service.errors import Unavailable
from swath_service.identity import Identity, token_of
from swath_service.page_keys import PageKeys, is_page_key
from swath_service.problems import problem
from swath_service.rate_policies import Policies, PolicySource, RatePolicy

log = logging.getLogger(__name__)
#: Callers whose rates are remembered; the least recently seen is forgotten first.
_KEYS = 65_536
#: Of requests without a token that the hub knows, for each client address.
ANONYMOUS = RatePolicy(quota=120, window_seconds=60, mend="send a token, or wait")


@dataclass(frozen=True, kw_only=True, slots=True)
class RateState:
    """What one policy says to one request."""

    name: str
    policy: RatePolicy
    allowed: bool
    remaining: int
    more_in_seconds: float
    """When there is more: when the same request passes, where it was refused."""

    @property
    def seconds(self) -> int:
        """`more_in_seconds` for a header: who waits so long is not too early."""
        return max(1, ceil(self.more_in_seconds))


@dataclass(frozen=True, kw_only=True, slots=True)
class RateRule:
    """Which requests a policy beside the one of every request counts."""

    policy: str
    method: str
    path: str
    """``*`` stands for one step, whatever is in it."""

    def matches(self, method: str, path: str) -> bool:
        """Whether a request of `method` to `path` counts."""
        wanted, given = self.path.split("/"), path.split("/")
        alike = all(step in ("*", other) for step, other in zip(wanted, given, strict=False))
        return self.method == method and len(wanted) == len(given) and alike


class RateWindows:
    """Counts by key and policy.

    Parameters
    ----------
    url
        ``redis://…`` where several processes of a service are to count together; by default each counts alone. A
        process's own clock is monotonic, so that no step of the machine's clock gives or takes anything.
    """

    def __init__(self, url: str | None = None) -> None:
        self._store: Any = RedisStore(server=url) if url else MemoryStore(options={"MAX_SIZE": _KEYS})
        self._limiter = lru_cache(maxsize=256)(self._make)

    async def hit(self, key: str, policy: RatePolicy, *, name: str = "api", cost: int = 1) -> RateState:
        """Count `cost` requests of `key`, all or none.

        A Redis that does not answer lets everything pass: a rate protects the service, and must not be what stops it.
        """
        try:
            result = await self._limiter(policy.quota, policy.window_seconds, policy.capacity).limit(
                f"{name}:{key}", cost=cost
            )
        except Exception as error:
            log.warning("rates are not counted: %s", type(error).__name__)
            return RateState(name=name, policy=policy, allowed=True, remaining=policy.capacity, more_in_seconds=0)
        state, interval = result.state, policy.window_seconds / policy.quota
        wait = state.retry_after if result.limited else state.reset_after % interval or interval
        return RateState(
            name=name,
            policy=policy,
            allowed=not result.limited,
            remaining=int(state.remaining),
            more_in_seconds=wait,
        )

    def _make(self, quota: int, window_seconds: int, burst: int) -> Throttled:
        # The key names no figures: who is degraded or promoted goes on from where he stands.
        rate = per_duration(timedelta(seconds=window_seconds), limit=quota, burst=burst)
        return Throttled(using="gcra", quota=rate, store=self._store)


class RateGate:
    """Middleware: counts each request against its caller's policies before anything is done for it.

    Swath's own services are exempt, and what costs next to nothing and is loaded by pages that send no cookie:
    addresses that begin with one of `exempt`. Without a token that the hub knows, the client's address counts.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        windows: RateWindows,
        policies: PolicySource,
        rules: Iterable[RateRule],
        exempt: tuple[str, ...],
    ) -> None:
        self._app = app
        self._windows = windows
        self._policies = policies
        self._rules = tuple(rules)
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        states = await self._count(Request(scope))
        refused = [state for state in states if not state.allowed]
        if refused:
            await _refusal(refused)(scope, receive, _with_fields(send, states))
        else:
            await self._app(scope, receive, _with_fields(send, states))

    async def _count(self, request: Request) -> list[RateState]:
        try:
            actor = await self._actor(request)
        except Unavailable:
            # Nobody can be recognised: the handler says so, and the address is what can be counted.
            actor = None
        if actor is None:
            client = request.client.host if request.client else "unknown"
            return [await self._windows.hit(f"address:{client}", ANONYMOUS)]
        if actor.kind is ActorKind.SERVICE:
            return []
        policies = await self._policies(actor)
        states = []
        for name in self._names(request):
            if name in policies:
                states.append(await self._windows.hit(f"user:{actor.name}", policies[name], name=name))
                if not states[-1].allowed:
                    break
        return states

    def _names(self, request: Request) -> list[str]:
        matching = [rule.policy for rule in self._rules if rule.matches(request.method, request.url.path)]
        return ["api", *dict.fromkeys(matching)]

    async def _actor(self, request: Request) -> Actor | None:
        token = token_of(request)
        if token is not None and is_page_key(token):
            keys: PageKeys | None = getattr(request.app.state, "page_keys", None)
            token = (keys.hub_token(request, token) if keys else None) or token
        if token is not None:
            identity: Identity = request.app.state.identity
            return await identity.actor_for(token)
        sessions = getattr(request.app.state, "browser_sessions", None)
        if sessions is None:
            return None
        found: Actor | None = await sessions.actor(request)
        return found


def install_rates(
    app: FastAPI,
    *,
    policies: PolicySource,
    prefix: str,
    rules: Iterable[RateRule] = (),
    windows: RateWindows | None = None,
) -> None:
    """Count the requests of `app`, whose documents stand under `prefix`."""
    gate = Middleware(
        RateGate,
        windows=windows or RateWindows(),
        policies=policies,
        rules=tuple(rules),
        exempt=tuple(f"{prefix.rstrip('/')}/{path}" for path in ("health", "static/", "content/")),
    )
    # Inside the one that gives each request its id, so that a refusal carries that too, and the one by which pages
    # without an origin may read it; outside everything else.
    classes: list[object] = [one.cls for one in app.user_middleware]
    outside = classes.count(RequestId) + classes.count(CORSMiddleware)
    app.user_middleware.insert(outside, gate)


def policies_of(quotas: Policies) -> PolicySource:
    """A source that tells everybody the same."""

    async def same(_: Actor) -> Policies:
        return quotas

    return same


def _with_fields(send: Send, states: list[RateState]) -> Send:
    """`send`, with the draft's two fields on the answer."""
    policy = ", ".join(f'"{s.name}";q={s.policy.quota};w={s.policy.window_seconds}' for s in states)
    limit = ", ".join(f'"{s.name}";r={s.remaining};t={s.seconds}' for s in states)

    async def told(message: Message) -> None:
        if states and message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Policy"], headers["RateLimit"] = policy, limit
        await send(message)

    return told


def _refusal(refused: list[RateState]) -> ASGIApp:
    worst = max(refused, key=lambda state: state.more_in_seconds)
    policy = worst.policy
    retry_at = datetime.now(UTC) + timedelta(seconds=worst.more_in_seconds)
    return problem(
        status=429,
        code="quota-exceeded",
        title="quota exceeded",
        detail=f"{policy.limit_name}: {policy.quota:,} requests in {policy.window_seconds:,} seconds are allowed,"
        f" at most {policy.capacity:,} at once, and no more now",
        mend=policy.mend,
        limit_name=policy.limit_name,
        limit=policy.quota,
        left=worst.remaining,
        retry_at=retry_at.isoformat(),
        headers={"Retry-After": str(worst.seconds)},
        **{"violated-policies": [state.name for state in refused]},
    )
