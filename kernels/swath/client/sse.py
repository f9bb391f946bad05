"""Server-sent events, read as the HTML standard says (section 9.2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")
#: A server that never ends a line must not fill the memory.
LONGEST_EVENT = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ServerEvent:
    """One event; a keep-alive comment is one without data."""

    id: str = ""
    """The last id that the stream gave: what to send as ``Last-Event-ID``."""
    event: str = "message"
    data: str = ""
    comment: bool = False


def lines(chunks: Iterable[str]) -> Iterator[str]:
    """Lines of a text that comes in pieces.

    `str.splitlines` (and so `httpx.Response.iter_lines`) also splits at U+2028 and others, which stand in JSON as
    they are.
    """
    begun, length, held = list[str](), 0, ""
    for chunk in chunks:
        text = held + chunk
        # A carriage return at the end may be the first half of a line end.
        held = "\r" if text.endswith("\r") else ""
        first, *others = _LINE_END.split(text.removesuffix("\r"))
        begun.append(first)
        length += len(first)
        if length > LONGEST_EVENT:
            raise ValueError("a line of the event stream is too long")
        if others:
            yield "".join(begun)
            *whole, last = others
            yield from whole
            begun, length = [last], len(last)
    if held:
        yield "".join(begun)


def parse(source: Iterable[str]) -> Iterator[ServerEvent]:
    """Events of a stream given as its lines. An event that is cut off by the end of the stream is not one."""
    last_id, event, data = "", "", list[str]()
    for line in source:
        if not line:
            if data:
                yield ServerEvent(id=last_id, event=event or "message", data="\n".join(data))
            event, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            yield ServerEvent(id=last_id, comment=True)
        elif name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
