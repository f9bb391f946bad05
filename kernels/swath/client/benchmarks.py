"""Rounds of benchmarks at the service, and what it has to tell its users."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from swath.client import lists
from swath.client.algorithms import Reference
from swath.client.errors import WaitTimeout
from swath.client.http import MARKETPLACE, Api, segment

_PAUSE_SECONDS = 2.0


def ask(api: Api, reference: Reference) -> dict[str, Any]:
    """Have the scenarios of a version run by the platform; of its author or an operator.

    Where a round of it is open, that is answered.

    Raises
    ------
    NotFound, Conflict, Forbidden
    """
    version = api.json("GET", reference.version_path)
    exact = Reference(owner=reference.owner, name=reference.name, range=str(version["version"]))
    told: dict[str, Any] = api.json("POST", f"{exact.version_path}/rounds", json={})
    return told


def get(api: Api, round_id: str) -> dict[str, Any]:
    """One round as it stands."""
    told: dict[str, Any] = api.json("GET", f"{MARKETPLACE}/rounds/{segment(round_id)}")
    return told


def follow(
    api: Api,
    round_id: str,
    *,
    on_result: Callable[[Mapping[str, Any]], None],
    timeout_seconds: float | None = None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> dict[str, Any]:
    """Wait until a round has ended; `on_result` is told of each scenario once, as it is judged.

    Raises
    ------
    WaitTimeout
        The round goes on.
    """
    began, told = time.monotonic(), set()
    while True:
        view = get(api, round_id)
        for result in view.get("results") or ():
            if result["scenario"] not in told:
                told.add(result["scenario"])
                on_result(result)
        if view.get("state") == "ended":
            return view
        if timeout_seconds is not None and time.monotonic() - began > timeout_seconds:
            raise WaitTimeout(f"the round {round_id} goes on", code="still-going", mend="follow it again later")
        time.sleep(pause_seconds)


def notices(api: Api, *, unread: bool = False, limit: int = 50) -> dict[str, Any]:
    """What the caller ought to know, the newest first."""
    params = {"unread": "true" if unread else None, "limit": limit}
    told: dict[str, Any] = api.json("GET", f"{MARKETPLACE}/notices", params=params)
    return told


def unread_ids(api: Api) -> list[str]:
    """The ids of all notices that the caller has not read."""
    found = lists.items(api, f"{MARKETPLACE}/notices", "notices", params={"unread": "true"})
    return [str(one["id"]) for one in found]


def read(api: Api, notice_id: str) -> dict[str, Any]:
    """Note that a notice was read.

    Raises
    ------
    NotFound
    """
    told: dict[str, Any] = api.json("POST", f"{MARKETPLACE}/notices/{segment(notice_id)}/read", json={})
    return told
