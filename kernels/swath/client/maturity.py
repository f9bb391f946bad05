"""How mature a version is, why, what is missing for the next level, and what reviewers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swath.client import lists
from swath.client.algorithms import Reference
from swath.client.http import Api

RESULT_COLUMNS = ("level", "criterion", "met", "found")
MISSING_COLUMNS = ("level", "criterion", "found", "mend")
HISTORY_COLUMNS = ("no.", "at", "because of", "meets", "criteria", "not met")


def read(api: Api, reference: Reference) -> dict[str, Any]:
    """The level of a version as the server tells it.

    Raises
    ------
    NotFound
    """
    told: dict[str, Any] = api.json("GET", f"{reference.version_path}/maturity")
    return told


def history(api: Api, reference: Reference, *, limit: int = 200) -> list[dict[str, Any]]:
    """The assessments of a version, newest first, `limit` at most."""
    return lists.items(api, f"{reference.version_path}/assessments", "assessments", limit=limit)


def review(api: Api, reference: Reference, *, kind: str, verdict: str, text: str) -> dict[str, Any]:
    """Review a version of somebody else's; the same words again are one review.

    Raises
    ------
    Forbidden
        It is one's own.
    Invalid
        The words are too few, or no exact version is named.
    """
    body = {"kind": kind, "verdict": verdict, "text": text}
    told: dict[str, Any] = api.json("POST", f"{reference.version_path}/reviews", json=body, repeatable=True)
    return told


def result_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What each criterion found, for `RESULT_COLUMNS`."""
    results = (told.get("assessment") or {}).get("results") or ()
    return [
        (str(one.get("level")), str(one.get("title")), "yes" if one.get("met") else "no", str(one.get("told") or ""))
        for one in results
    ]


def missing_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What is missing for the next level, for `MISSING_COLUMNS`."""
    missing: Sequence[Mapping[str, Any]] = (told.get("next") or {}).get("missing") or ()
    return [tuple(str(one.get(name) or "") for name in ("level", "title", "told", "mend")) for one in missing]


def history_rows(found: Sequence[Mapping[str, Any]], time_text: Any) -> list[tuple[str, ...]]:
    """Assessments, for `HISTORY_COLUMNS`.

    Parameters
    ----------
    time_text
        Writes an ISO time for people.
    """
    return [
        (
            str(one.get("number")),
            time_text(one.get("at")),
            str(one.get("cause")),
            str(one.get("meets")),
            str((one.get("criteria") or {}).get("version")),
            ", ".join(str(result.get("criterion")) for result in one.get("results") or () if not result.get("met")),
        )
        for one in found
    ]
