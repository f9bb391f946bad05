"""Entity tags of answers: who has an answer already is told so, and not sent it again (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAG = re.compile(r'(?:W/)?"[^"\x00-\x20\x7f]*"')
#: Kept at 304: what RFC 9110 asks for, and what tells the caller how to use it.
_KEPT = ("etag", "cache-control", "vary", "content-location", "date", "expires", "link", "x-request-id")


def matches(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` names `tag`, weakly compared; ``*`` names any."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    opaque = tag.removeprefix("W/")
    return any(one.removeprefix("W/") == opaque for one in _TAG.findall(header))


class EntityTags:
    """Gives each JSON answer to ``GET`` that has none an entity tag, of its bytes, and answers ``If-None-Match``.

    It saves the way, not the work: an answer is made, and sent only to who does not have it. A tag that a handler set
    stands. Answers that are not to be stored, streams and errors are let through.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(Headers(scope=scope).get("if-none-match"), send))


class _Answer:
    """One answer on its way: its beginning waits for the first of its body."""

    def __init__(self, asked: str | None, send: Send) -> None:
        self._asked = asked
        self._send = send
        self._start: Message | None = None
        self._dropped = False

    async def __call__(self, message: Message) -> None:
        if self._dropped:
            return
        if message["type"] == "http.response.start":
            tag = Headers(raw=message["headers"]).get("etag")
            if message["status"] == 200 and tag is not None and matches(self._asked, tag):
                await self._not_modified(message)
                return
            if tag is None and _may_be_tagged(message):
                self._start = message
                return
        elif self._start is not None:
            start, self._start = self._start, None
            if not message.get("more_body", False):
                tag = _tagged(start, message.get("body", b""))
                if matches(self._asked, tag):
                    await self._not_modified(start)
                    return
            await self._send(start)
        await self._send(message)

    async def _not_modified(self, start: Message) -> None:
        self._dropped = True
        await self._send({**start, "status": 304, "headers": _kept(start)})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _may_be_tagged(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.endswith("+json") and kind != "application/problem+json")
    return start["status"] == 200 and is_json and "no-store" not in headers.get("cache-control", "")


def _tagged(start: Message, body: bytes) -> str:
    headers = MutableHeaders(scope=start)
    headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
    # To be asked about each time; kept by nobody between, since what one may see another may not.
    headers.setdefault("Cache-Control", "private, no-cache")
    return headers["etag"]


def _kept(start: Message) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in start["headers"] if name.decode("latin-1").lower() in _KEPT]
