"""Log lines that carry the id a caller was given, and never a secret."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from contextvars import ContextVar

#: Id of the request being served; ``-`` outside one. The same id stands in a problem document's ``id``.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

_SECRET = re.compile(
    r"(?i)((?:authorization|token|password|secret|api[_-]?key|cookie)"
    r"[\"']?\s*[:=]\s*[\"']?(?:bearer |token |basic )?)[^\s\"',;&]{6,}"
)


def new_id() -> str:
    """A short id, unique enough to find one line among millions."""
    return uuid.uuid4().hex[:16]


def redact(text: str) -> str:
    """`text` with what looks like the value of a credential struck out."""
    return _SECRET.sub(r"\1[redacted]", text)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return redact(super().format(record))


def configure(service: str, *, level: str = "INFO") -> None:
    """Send this process's log to standard error, one line an event, credentials struck out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter(f"%(asctime)s %(levelname).1s {service} %(request_id)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("httpx").setLevel("WARNING")
    logging.getLogger("httpcore").setLevel("WARNING")
