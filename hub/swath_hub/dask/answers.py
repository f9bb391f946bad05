"""What a client is told of a request to scale: Dask Gateway's own route knows no limit but that of one cluster."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from aiohttp import web

#: What the backend has to say about the request that is being handled; the route's own words go before it.
said: ContextVar[list[str] | None] = ContextVar("said", default=None)


def say(text: str) -> None:
    """Have `text` told to whoever waits for the answer, if anybody does; their client shows it as a warning."""
    words = said.get()
    if words is not None:
        words.append(text)


@web.middleware
async def tell(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Put what was said into the answer ``{"ok": false, "msg": …}`` of a request to scale or adapt."""
    words: list[str] = []
    token = said.set(words)
    try:
        answer = await handler(request)
    finally:
        said.reset(token)
    if not words or not isinstance(answer, web.Response) or answer.status != 200 or not answer.text:
        return answer
    told = json.loads(answer.text)
    return web.json_response({**told, "ok": False, "msg": " ".join(filter(None, [told.get("msg"), *words]))})
