"""What a request says beside its body: in which form it wants the answer, and how long it would wait for one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fastapi import Request
from swath_service.errors import Invalid
from swath_service.pages import wants_html


class Form(StrEnum):
    """In which form a resource is told."""

    JSON = "json"
    HTML = "html"


def form_of(request: Request) -> Form:
    """By ``?f=``, else by the ``Accept`` header; JSON when neither says.

    Raises
    ------
    Invalid
        When ``f`` is another word.
    """
    asked = request.query_params.get("f")
    if asked is None:
        return Form.HTML if wants_html(request) else Form.JSON
    try:
        return Form(asked)
    except ValueError:
        raise wrong("f", "it is json or html", "leave it out, or send f=json or f=html") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """The ``Prefer`` header (RFC 7240), as far as it concerns executions."""

    asynchronous: bool = False
    wait_seconds: int | None = None

    @classmethod
    def of(cls, request: Request) -> Preference:
        """Read every ``Prefer`` header of `request`; what is not understood is no preference."""
        asynchronous, wait = False, None
        for header in request.headers.getlist("prefer"):
            for piece in header.split(","):
                word = piece.partition(";")[0].strip().lower()
                found = _WAIT.fullmatch(word)
                if word == "respond-async":
                    asynchronous = True
                elif found and wait is None:
                    wait = int(found[1])
        return cls(asynchronous=asynchronous, wait_seconds=wait)


_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,6})"?')


def wrong(field: str, message: str, mend: str, *, code: str = "malformed-request") -> Invalid:
    """One fault of a request."""
    return Invalid(
        code=code,
        message=f"{field}: {message}",
        mend=mend,
        findings=[{"field": field, "message": message, "mend": mend}],
    )
