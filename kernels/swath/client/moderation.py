"""Reports, acts of moderation and dashboards, as the server tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swath.client import lists
from swath.client.algorithms import Reference
from swath.client.http import MARKETPLACE, Api, segment

FAILURE_COLUMNS = ("algorithm", "version", "what", "cell", "times", "last")
USE_COLUMNS = ("algorithm", "level", "runs by others", "callers", "finished", "failed", "paid", "broken", "missing")
REPORT_COLUMNS = ("id", "at", "what", "about", "state", "answer")


def dashboard(api: Api, *, days: int) -> dict[str, Any]:
    """How one's own algorithms are used, in the last `days` days."""
    told: dict[str, Any] = api.json("GET", f"{MARKETPLACE}/dashboard", params={"days": days})
    return told


def operator(api: Api, *, days: int) -> dict[str, Any]:
    """How the platform fares. For operators.

    Raises
    ------
    Forbidden
    """
    told: dict[str, Any] = api.json("GET", f"{MARKETPLACE}/operator", params={"days": days})
    return told


def report(api: Api, algorithm: str, *, kind: str, text: str, review: int | None = None) -> dict[str, Any]:
    """Report an algorithm, a version, or a review of one to the operators.

    Raises
    ------
    NotFound, Invalid, Conflict
    """
    body = {"algorithm": algorithm, "kind": kind, "text": text, "review": review}
    told: dict[str, Any] = api.json("POST", f"{MARKETPLACE}/reports", json=body)
    return told


def reports(api: Api, *, box: str, limit: int) -> list[dict[str, Any]]:
    """Reports: ``mine``, ``about`` what is mine, or the operators' ``queue``."""
    return lists.items(api, f"{MARKETPLACE}/reports", "reports", limit=limit, params={"box": box})


def answer(api: Api, report_id: str, *, state: str, text: str) -> dict[str, Any]:
    """Answer a report, once. For operators."""
    told: dict[str, Any] = api.json(
        "POST", f"{MARKETPLACE}/reports/{segment(report_id)}/answer", json={"state": state, "answer": text}
    )
    return told


def act(
    api: Api, reference: Reference, verb: str, *, reason: str, report_id: str | None = None, running: str | None = None
) -> dict[str, Any]:
    """Do `verb` (``hide``, ``unhide``, ``revoke``) to an algorithm, or to a version of it."""
    path = reference.version_path if verb == "revoke" else reference.path
    body = {"reason": reason, "report": report_id, **({"running": running} if running else {})}
    told: dict[str, Any] = api.json("POST", f"{path}/{verb}", json=body)
    return told


def use_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A line for each algorithm of a dashboard, for `USE_COLUMNS`."""
    rows: list[tuple[str, ...]] = []
    for one in told.get("algorithms") or ():
        use, level = one.get("use") or {}, one.get("maturity") or {}
        success = use.get("success")
        paid = (use.get("income") or {}).get("millicredits") or 0
        rows.append(
            (
                str(one.get("algorithm")),
                str(level.get("level") or ""),
                str(use.get("runs")),
                str(use.get("callers")),
                "" if success is None else f"{100 * success:.1f} %",
                str(use.get("failed")),
                f"{paid / 1000:,.3f}".rstrip("0").rstrip("."),
                str(len(one.get("open_breaks") or ())),
                str(len(level.get("missing") or ())),
            )
        )
    return rows


def failure_rows(told: Mapping[str, Any], time_text: Any) -> list[tuple[str, ...]]:
    """What failed, the most often first, for `FAILURE_COLUMNS`."""
    found = [
        (int(failure.get("count") or 0), one.get("algorithm"), failure)
        for one in told.get("algorithms") or ()
        for failure in (one.get("use") or {}).get("failures") or ()
    ]
    found.sort(key=lambda each: -each[0])
    return [
        (
            str(algorithm),
            str(failure.get("version")),
            " ".join(str(word) for word in (failure.get("code"), failure.get("class")) if word),
            "" if failure.get("cell") is None else str(int(failure["cell"]) + 1),
            str(count),
            time_text(failure.get("last_at")),
        )
        for count, algorithm, failure in found
    ]


def report_rows(found: list[dict[str, Any]], time_text: Any) -> list[tuple[str, ...]]:
    """Reports, for `REPORT_COLUMNS`."""
    return [
        (
            str(one.get("id") or "")[:12],
            time_text(one.get("at")),
            str(one.get("kind")),
            f"{one.get('algorithm')}{'@' + str(one['version']) if one.get('version') else ''}"
            + (f" review {one['review']}" if one.get("review") is not None else ""),
            str(one.get("state")),
            str(one.get("answer") or ""),
        )
        for one in found
    ]
