"""Files that never change, over HTTP: whole, in parts, or not at all when the caller has them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import anyio
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swath_service.entity_tags import matches
from swath_service.errors import Gone
from swath_service.problems import problem
from swath_service.ranges import Unsatisfiable, ranges_of

_CHUNK_BYTES = 256 << 10


class KeptFile(Response):
    """The bytes of a file whose entity tag is its content's: a part of one answer goes with a part of any other.

    Parameters
    ----------
    path
        It is there; it may be removed while it is sent.
    tag
        What tells its content: a hexadecimal sha256.
    filename
        Under which a browser saves it.
    """

    def __init__(
        self,
        path: Path,
        *,
        tag: str,
        media_type: str,
        filename: str | None = None,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.path = path
        self.status_code = 200
        self.media_type = media_type
        self.background = background
        told = {**(headers or {}), "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
        if filename is not None:
            told["Content-Disposition"] = disposition(filename)
        self.body = b""
        self.init_headers(told)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        if scope["method"] in {"GET", "HEAD"} and matches(asked.get("if-none-match"), self.headers["etag"]):
            del self.headers["content-type"]
            await _answer(send, 304, self.headers)
            return
        async with await self._opened() as file:
            size = os.fstat(file.wrapped.fileno()).st_size
            try:
                parts = ranges_of(asked["range"], size) if self._in_parts(scope, asked) else []
            except Unsatisfiable:
                await self._beyond(size)(scope, receive, send)
                return
            head = scope["method"] == "HEAD"
            await _Sending(self, file, send, size=size, head=head).send(parts)
        if self.background is not None:
            await self.background()

    async def _opened(self) -> anyio.AsyncFile[bytes]:
        try:
            return await anyio.open_file(self.path, "rb")
        except FileNotFoundError as error:
            # Removed since it was looked up: its time was over.
            raise Gone(code="file-gone", message="this file is not kept any more", mend="make it again") from error

    def _in_parts(self, scope: Scope, asked: Headers) -> bool:
        # Ranges are of GET alone; HEAD tells what the whole is like.
        if scope["method"] != "GET" or "range" not in asked:
            return False
        condition = asked.get("if-range")
        return condition is None or condition.strip() == self.headers["etag"]

    def _beyond(self, size: int) -> Response:
        return problem(
            status=416,
            code="range-not-satisfiable",
            title="range not satisfiable",
            detail=f"the file has {size} bytes, and none of the ranges lies in it",
            mend="ask for a range that begins before its end",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes", "ETag": self.headers["etag"]},
        )


class _Sending:
    """One answer."""

    def __init__(self, told: KeptFile, file: anyio.AsyncFile[bytes], send: Send, *, size: int, head: bool) -> None:
        self._headers = told.headers.mutablecopy()
        self._file = file
        self._send = send
        self._size = size
        self._head = head

    async def send(self, parts: list[tuple[int, int]]) -> None:
        if len(parts) > 1:
            await self._several(parts)
            return
        start, end = parts[0] if parts else (0, self._size)
        self._headers["content-length"] = str(end - start)
        if parts:
            self._headers["content-range"] = f"bytes {start}-{end - 1}/{self._size}"
        await _start(self._send, 206 if parts else 200, self._headers)
        if not self._head:
            await self._bytes(start, end)
        await _end(self._send)

    async def _several(self, parts: list[tuple[int, int]]) -> None:
        boundary, kind = secrets.token_hex(16), self._headers["content-type"]
        begins = f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes"
        heads = [f"{begins} {start}-{end - 1}/{self._size}\r\n\r\n".encode() for start, end in parts]
        last = f"--{boundary}--\r\n".encode()
        length = sum(len(head) + 2 + end - start for head, (start, end) in zip(heads, parts, strict=True)) + len(last)
        self._headers["content-type"] = f"multipart/byteranges; boundary={boundary}"
        self._headers["content-length"] = str(length)
        await _start(self._send, 206, self._headers)
        for head, (start, end) in zip(heads, parts, strict=True):
            await _piece(self._send, head)
            await self._bytes(start, end)
            await _piece(self._send, b"\r\n")
        await _piece(self._send, last)
        await _end(self._send)

    async def _bytes(self, start: int, end: int) -> None:
        await self._file.seek(start)
        while start < end:
            block = await self._file.read(min(_CHUNK_BYTES, end - start))
            if not block:
                raise RuntimeError("a kept file became shorter while it was sent")
            start += len(block)
            await _piece(self._send, block)


def disposition(filename: str) -> str:
    """``Content-Disposition`` under which a browser saves a file (RFC 6266)."""
    quoted = quote(filename, safe="")
    plain = quoted == filename
    return f'attachment; filename="{filename}"' if plain else f"attachment; filename*=UTF-8''{quoted}"


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers.raw})


async def _piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(send: Send, status: int, headers: Headers) -> None:
    await _start(send, status, headers)
    await _end(send)
