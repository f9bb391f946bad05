"""In which form a request wants its answer, and what it is told when it says something wrong."""

from __future__ import annotations

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


def wrong(field: str, message: str, mend: str, *, code: str = "malformed-request") -> Invalid:
    """One fault of a request."""
    return Invalid(
        code=code,
        message=f"{field}: {message}",
        mend=mend,
        findings=[{"field": field, "message": message, "mend": mend}],
    )
