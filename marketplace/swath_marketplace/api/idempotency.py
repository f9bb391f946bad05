"""``Idempotency-Key`` at every door that makes something: the same request is worked on once, and answered the same.

Runs, whichever door they come through, and reproductions keep their keys themselves, in the thing made and for ever.
"""

from __future__ import annotations

import re

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from swath_service.errors import STATUSES as FAMILIES
from swath_service.errors import SwathError
from swath_service.oauth import browser_actor
from swath_service.problems import problem, status_of

from swath_marketplace.api.context import context_of
from swath_marketplace.api.errors import STATUSES
from swath_marketplace.services.answers import Answered, Claim

#: Below the service's prefix: doors that keep their keys themselves.
_OWN = re.compile(r"/(runs|reproductions|runs/[^/]+/reproductions|ogc/processes/[^/]+/execution)")
_KEPT_HEADERS = ("content-type", "location", "etag", "cache-control")
#: A longer answer is not kept; nothing that is made is answered with so much.
_MOST_BYTES = 1 << 20
_BOUNDARY = re.compile(rb'boundary="?([^";]+)"?')


class Idempotency:
    """Claims the key before the handler works, and keeps what it answered when something was made (2xx).

    Stands inside what bounds a body. An answer that is no success frees the key: nothing was made.

    Parameters
    ----------
    base
        What the paths of this service begin with.
    passed_over
        Paths that keys are of no use at, because their bodies are not held in memory.
    """

    def __init__(self, app: ASGIApp, *, base: str, passed_over: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._base = base
        self._passed_over = passed_over

    def _concerns(self, scope: Scope) -> bool:
        path = scope["path"]
        own = _OWN.fullmatch(path.removeprefix(self._base)) or path in self._passed_over
        return scope["method"] == "POST" and not own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or not self._concerns(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()

        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            actor = await browser_actor(request)
        except SwathError:
            # Whoever is not known is told so by the door.
            await self._app(scope, replay, send)
            return
        answers = context_of(request).answers
        door = f"{scope['method']} {scope['path']}"
        try:
            claimed = await run_in_threadpool(answers.claim, actor, door, key=key, request=_told(request, body))
        except SwathError as error:
            await _refusal(error)(scope, replay, send)
            return
        if isinstance(claimed, Answered):
            await _again(claimed, send)
            return
        await self._first(request, replay, send, claim=claimed)

    async def _first(self, request: Request, receive: Receive, send: Send, *, claim: Claim) -> None:
        answers = context_of(request).answers
        gathered = _Gathered()

        async def keeping(message: Message) -> None:
            if gathered.passes_on:
                await send(message)
                return
            whole = gathered.take(message)
            if not (whole or gathered.passes_on):
                return
            # Kept before it is sent: whoever has the answer finds the same when asking again.
            answered = gathered.answered() if whole else None
            if answered is None:
                await run_in_threadpool(answers.release, claim)
            else:
                await run_in_threadpool(answers.keep, claim, answered)
            await send(gathered.start)
            await send({"type": "http.response.body", "body": gathered.body, "more_body": not whole})

        try:
            await self._app(request.scope, receive, keeping)
        except Exception:
            await run_in_threadpool(answers.release, claim)
            raise


class _Gathered:
    """An answer as the handler gives it, held back until it is whole, or too long to be kept."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.passes_on = False
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def body(self) -> bytes:
        """What came of it so far."""
        return b"".join(self._pieces)

    def take(self, message: Message) -> bool:
        """Take a piece; answers whether that was the last."""
        if message["type"] == "http.response.start":
            self.start = message
            return False
        self._pieces.append(message.get("body", b""))
        self._size += len(self._pieces[-1])
        whole = not message.get("more_body", False)
        self.passes_on = not whole and self._size > _MOST_BYTES
        return whole

    def answered(self) -> Answered | None:
        """What is kept of it; ``None`` when it is no success, too long, or no text."""
        headers = Headers(raw=self.start["headers"])
        if not 200 <= self.start["status"] < 300 or self._size > _MOST_BYTES:
            return None
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return None
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        return Answered(status=self.start["status"], headers=kept, body=text)


def _told(request: Request, body: bytes) -> bytes:
    """What makes two requests the same; a form's boundary, which is another in each attempt, does not count."""
    content_type = request.headers.get("content-type", "").encode("latin-1")
    if match := _BOUNDARY.search(content_type):
        body = body.replace(match[1], b"")
        content_type = content_type.replace(match[1], b"")
    return b"\n".join((request.url.query.encode(), content_type, body))


async def _again(answered: Answered, send: Send) -> None:
    body = answered.body.encode()
    told = {**answered.headers, "content-length": str(len(body)), "idempotency-replayed": "true"}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": answered.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refusal(error: SwathError) -> ASGIApp:
    return problem(
        status=status_of(error, {**FAMILIES, **STATUSES}),
        code=error.code,
        title=error.code.replace("-", " "),
        detail=error.message,
        mend=error.mend,
        findings=list(error.findings),
        headers=error.headers,
    )
