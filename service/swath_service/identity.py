"""Who is calling, asked of JupyterHub. Tokens are read from the ``Authorization`` header only, never from the query."""

from __future__ import annotations

import time
from typing import Any, Protocol

import anyio
import httpx
from fastapi import Request

from swath_service.actor import Actor, ActorKind
from swath_service.errors import Unauthenticated, Unavailable
from swath_service.page_keys import PageKeys, is_page_key

#: Seconds that JupyterHub's answer for one token is believed. A revoked token works no longer than this.
CACHE_SECONDS = 30.0
_CACHE_ENTRIES = 10_000


class Identity(Protocol):
    """Turns a token into the actor behind it.

    `actor_for` is idempotent and safe to call from many tasks at once; it answers ``None`` for a token nobody knows.
    """

    async def actor_for(self, token: str) -> Actor | None: ...


class HubIdentity:
    """`Identity` by ``GET /hub/api/user`` with the caller's own token, so that the scopes seen are the token's.

    Parameters
    ----------
    api_url
        JupyterHub's API, ``JUPYTERHUB_API_URL``.
    cache_seconds
        How long an answer is kept, at most `CACHE_SECONDS`.
    """

    def __init__(self, *, api_url: str, cache_seconds: float = CACHE_SECONDS) -> None:
        self._url = api_url.rstrip("/") + "/user"
        self._cache_seconds = min(cache_seconds, CACHE_SECONDS)
        self._cache: dict[str, tuple[float, Actor]] = {}
        self._client: httpx.AsyncClient | None = None

    async def actor_for(self, token: str) -> Actor | None:
        now = time.monotonic()
        kept = self._cache.get(token)
        if kept and kept[0] > now:
            return kept[1]
        actor = await self._ask(token)
        if actor is None:
            self._cache.pop(token, None)
            return None
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[token] = (now + self._cache_seconds, actor)
        return actor

    async def _ask(self, token: str) -> Actor | None:
        if self._client is None:
            # trust_env=False: a proxy named in the environment must not see users' tokens.
            self._client = httpx.AsyncClient(timeout=10, trust_env=False)
        for attempt in range(3):
            try:
                response = await self._client.get(self._url, headers={"Authorization": f"token {token}"})
                break
            except httpx.TransportError as error:
                # JupyterHub may be restarting; a caller's run must not fail for a second of that.
                if attempt == 2:
                    raise Unavailable(
                        code="hub-unreachable",
                        message="JupyterHub does not answer, so nobody can be recognised",
                        mend="try again in a few seconds",
                    ) from error
                await anyio.sleep(0.5 * (attempt + 1))
        if response.status_code in (401, 403, 404):
            return None
        if response.status_code >= 400:
            raise Unavailable(
                code="hub-unreachable",
                message=f"JupyterHub answered {response.status_code} when asked who is calling",
                mend="try again in a few seconds",
            )
        return actor_of(response.json())


def actor_of(model: dict[str, Any]) -> Actor:
    """The actor that a JupyterHub user or service model stands for."""
    return Actor(
        name=model["name"],
        kind=ActorKind.SERVICE if model.get("kind") == "service" else ActorKind.USER,
        scopes=frozenset(model.get("scopes", ())),
        groups=frozenset(model.get("groups", ()) or ()),
    )


def token_of(request: Request) -> str | None:
    """The token in the ``Authorization`` header: ``Bearer`` (OAuth) or ``token`` (JupyterHub's word)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "token"} and value.strip():
        return value.strip()
    return None


async def current_actor(request: Request) -> Actor:
    """FastAPI dependency: the authenticated caller, by a token of the hub or by the key of one of our pages.

    Raises
    ------
    Unauthenticated
        No token in the header, or one that JupyterHub does not know.
    """
    token = token_of(request)
    if token is None:
        raise Unauthenticated(
            code="no-token",
            message="this address needs a JupyterHub token in the Authorization header",
            mend="send 'Authorization: Bearer <token>'; make one at /hub/token",
        )
    if is_page_key(token):
        return await _of_page(request, token)
    identity: Identity = request.app.state.identity
    actor = await identity.actor_for(token)
    if actor is None:
        raise Unauthenticated(
            code="unknown-token",
            message="JupyterHub does not know this token",
            mend="it may have expired or been revoked; make a new one at /hub/token",
        )
    return actor


async def _of_page(request: Request, key: str) -> Actor:
    keys: PageKeys | None = getattr(request.app.state, "page_keys", None)
    hub_token = keys.hub_token(request, key) if keys else None
    identity: Identity = request.app.state.identity
    actor = await identity.actor_for(hub_token) if hub_token else None
    if actor is None:
        raise Unauthenticated(
            code="page-key-expired",
            message="the key of this page is over, or you signed out",
            mend="open the page again",
        )
    return actor
