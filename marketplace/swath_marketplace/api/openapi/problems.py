"""Refusals in the document: problem documents (RFC 9457), one for each status."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import Field

from swath_marketplace.api.openapi.door import Word


class Fault(Word):
    """One of several things that are wrong."""

    field: str | None = None
    """Name of the parameter, member or header."""
    cell: int | None = None
    message: str
    mend: str | None = None
    code: str | None = None


class Problem(Word):
    """Why a request was refused, and what can be done about it."""

    type: str = Field(examples=["urn:swath:problem:no-such-run"])
    title: str
    status: int
    detail: str
    """One sentence for a person."""
    code: str
    """Stable, for programs to branch on."""
    id: str
    """Under which an operator finds it in the log; that of ``X-Request-Id``."""
    mend: str | None = None
    """What can be done."""
    findings: list[Fault] | None = None
    """Every single thing that is wrong."""


class _Told(NamedTuple):
    name: str
    meaning: str
    code: str
    detail: str
    mend: str


PROBLEMS: dict[int, _Told] = {
    400: _Told(
        "Malformed", "The body is no text, or no form.", "malformed-body", "There was an error parsing the body", ""
    ),
    401: _Told(
        "Unauthenticated",
        "There is no token, or one that the hub does not know (any more).",
        "unknown-token",
        "the hub does not know this token",
        "make a new one with `swath token create`",
    ),
    402: _Told(
        "Refused",
        "The wallet or a quota says no; `run` is the run that says why, `retry_at` when it may pass.",
        "insufficient-credits",
        "the wallet does not hold enough for this run",
        "see your wallet; nothing was held or charged",
    ),
    403: _Told(
        "Forbidden",
        "The token lacks the scope, or the thing is another's.",
        "missing-scope",
        "this token does not carry the scope 'custom:swath:execute'",
        "make one that has it with `swath token create` or at /hub/token, or ask an operator for it",
    ),
    404: _Told(
        "NotFound",
        "There is no such thing, or the caller may not know that there is.",
        "no-such-run",
        "there is no such run of yours",
        "look for it in the list of your runs, at `runs`",
    ),
    409: _Told(
        "Conflict",
        "The request contradicts what is stored.",
        "version-exists",
        "1.0.0 is taken by another content",
        "publish under a higher version",
    ),
    410: _Told(
        "Gone",
        "It was there, and is not kept any more.",
        "results-expired",
        "the files of this run were kept until 2026-08-01, and are gone",
        "run it again with the same parameters, or reproduce it, which compares by the receipt's hashes",
    ),
    413: _Told(
        "TooLarge",
        "The body is over the limit.",
        "body-too-large",
        "a request holds at most 12 MiB",
        "clear the notebook's stored outputs",
    ),
    416: _Told(
        "RangeNotSatisfiable",
        "None of the ranges lies in the file.",
        "range-not-satisfiable",
        "the file has 10 bytes, and none of the ranges lies in it",
        "ask for a range that begins before its end",
    ),
    422: _Told(
        "Invalid",
        "The request is wrong; `findings` names every fault at once.",
        "malformed-request",
        "limit: Input should be less than or equal to 200",
        "mend what the findings name",
    ),
    429: _Told(
        "TooMany",
        "Too many requests; `Retry-After` says when the next one fits.",
        "rate-limited",
        "this is more than your tier allows in a minute",
        "wait as long as Retry-After says",
    ),
    503: _Told(
        "Unavailable",
        "Another service that is needed does not answer; nothing was done, and the same request may be sent again.",
        "hub-unreachable",
        "JupyterHub does not answer, so nobody can be recognised",
        "try again in a few seconds",
    ),
}


def problem_responses() -> dict[str, Any]:
    """The document's responses, by name."""
    return {told.name: _response(status, told) for status, told in PROBLEMS.items()}


def _response(status: int, told: _Told) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"urn:swath:problem:{told.code}",
        "title": told.code.replace("-", " "),
        "status": status,
        "detail": told.detail,
        "code": told.code,
        "id": "4f0c1d2e3b5a6978",
    }
    if told.mend:
        example["mend"] = told.mend
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema, "example": example}}
    return {"description": told.meaning, "content": content}
