"""A bound on what a caller may send."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from swath_service.problems import problem

MAX_BODY_BYTES = 12 << 20


class BodyLimit:
    """Answers 413 to a body over `max_bytes`, whatever its ``Content-Length`` says, before anything reads it.

    The body is gathered here, which bounds it: handlers would gather it anyway.

    Parameters
    ----------
    streamed
        Paths whose handlers take a body piece by piece, and bound it themselves.
    """

    def __init__(
        self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES, streamed: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"} or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        body = await self._gather(scope, receive)
        if body is None:
            answer = problem(
                status=413,
                code="body-too-large",
                title="body too large",
                detail=f"a request holds at most {self._max_bytes >> 20} MiB",
                mend="clear the notebook's stored outputs; keep data in the archive and not in parameters",
            )
            await answer(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _gather(self, scope: Scope, receive: Receive) -> bytes | None:
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > self._max_bytes:
            return None
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(pieces)
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > self._max_bytes:
                return None
            if not message.get("more_body", False):
                return b"".join(pieces)
