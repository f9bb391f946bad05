"""A run that is run again from its receipt, and the verdict."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from swath.client.errors import Invalid, WaitTimeout
from swath.client.http import MARKETPLACE, Api, segment
from swath.display import clean, html_facts, html_table, text_table, time_text

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 3.0
COLUMNS = ("result", "verdict", "what was found")
#: Verdicts that say that the run was reproduced.
SAME = frozenset({"identical", "within-tolerance"})


class Reproduction:
    """One attempt to reproduce a run.

    Parameters
    ----------
    data
        As the marketplace tells it.
    """

    def __init__(self, api: Api, data: Mapping[str, Any]) -> None:
        self._api = api
        self._data = dict(data)
        self.id = str(data["id"])
        self._path = f"{MARKETPLACE}/reproductions/{segment(self.id)}"

    def refresh(self) -> Self:
        """Ask the server for the present state."""
        self._data = self._api.json("GET", self._path)
        return self

    @property
    def stage(self) -> str:
        """``asked``, ``running``, ``comparing`` or ``ended``."""
        return str(self._data.get("stage", ""))

    @property
    def done(self) -> bool:
        """Whether the verdict is there."""
        return self.stage == "ended"

    @property
    def verdict(self) -> str | None:
        """``identical``, ``within-tolerance``, ``differs`` or ``cannot``; ``None`` until it is there."""
        told = self._data.get("verdict")
        return None if told is None else str(told)

    @property
    def same(self) -> bool:
        """Whether the run was reproduced."""
        return self.verdict in SAME

    @property
    def message(self) -> str:
        """The verdict in a sentence."""
        return str(self._data.get("message", ""))

    @property
    def causes(self) -> list[dict[str, Any]]:
        """Why: each with ``code`` and ``message``."""
        return [dict(cause) for cause in self._data.get("causes", ())]

    @property
    def comparisons(self) -> dict[str, Any]:
        """By output, what the comparison with the original found."""
        return dict(self._data.get("comparisons") or {})

    @property
    def run_id(self) -> str | None:
        """The run that was started for it."""
        told = self._data.get("run")
        return None if told is None else str(told)

    def as_dict(self) -> dict[str, Any]:
        """As the server last told it."""
        return dict(self._data)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the verdict; an interrupt ends the waiting alone.

        Raises
        ------
        WaitTimeout
            `timeout` seconds are over; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not self.done:
            if end is not None and time.monotonic() + pause > end:
                raise WaitTimeout(
                    f"there is no verdict yet after {timeout:g} s", code="wait-timeout", mend=f"it goes on as {self.id}"
                )
            time.sleep(pause)
            pause = min(pause * 1.4, _LONGEST_PAUSE)
            self.refresh()
        return self

    def save_pictures(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Save the pictures of the differences, as far as there are any, and return where they are."""
        target = Path(folder)
        saved = []
        for name, one in self.comparisons.items():
            if not one.get("picture"):
                continue
            file = str(one["picture"]).rpartition("/")[2]
            target.mkdir(parents=True, exist_ok=True)
            path = target / f"{''.join(char if char.isalnum() or char in '-_' else '_' for char in name)}.png"
            path.write_bytes(self._api.request("GET", f"{self._path}/pictures/{segment(file)}").content)
            saved.append(path)
        return saved

    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about it, as pairs."""
        data = self._data
        facts = [
            ("reproduction", self.id),
            ("of run", str(data.get("of_run", ""))),
            ("algorithm", f"{data.get('algorithm', '')}@{data.get('version', '')}"),
            ("run", self.run_id or ""),
            ("tolerances", str(data.get("tolerances_from", ""))),
            ("asked", time_text(data.get("asked_at"))),
            ("verdict", self.verdict or self.stage),
            ("that is", self.message),
        ]
        return facts + [("because", str(cause.get("message", ""))) for cause in self.causes]

    def rows(self) -> list[tuple[str, str, str]]:
        """Cells for a table of the outputs."""
        return [(name, str(one["verdict"]), str(one["message"])) for name, one in self.comparisons.items()]

    def __repr__(self) -> str:
        lines = [f"{name}: {clean(value)}" for name, value in self.facts() if value]
        return "\n".join([*lines, *([text_table(COLUMNS, self.rows())] if self.comparisons else [])])

    def _repr_html_(self) -> str:
        told = html_facts([(name, value) for name, value in self.facts() if value])
        return told + (html_table(COLUMNS, self.rows()) if self.comparisons else "")


def start(
    api: Api,
    what: str | os.PathLike[str],
    *,
    tolerances: Mapping[str, Mapping[str, Any]] | None = None,
    budget_millicredits: int | None = None,
) -> Reproduction:
    """Ask that a run, or what a receipt tells of one, is run again.

    Parameters
    ----------
    what
        A run's id, or the file of a receipt.
    tolerances
        By output, or for all that are not named under ``*``; by default those of the version's scenarios.

    Raises
    ------
    Invalid
        The file is no receipt, or not one that the server believes.
    NotFound
        There is no such run of yours.
    """
    body: dict[str, Any] = {}
    if tolerances is not None:
        body["tolerances"] = {name: dict(one) for name, one in tolerances.items()}
    if budget_millicredits is not None:
        body["budget_millicredits"] = budget_millicredits
    text, path = os.fspath(what), Path(what)
    if path.is_file():
        body["receipt"], door = _receipt(path), f"{MARKETPLACE}/reproductions"
    elif text.isalnum():
        door = f"{MARKETPLACE}/runs/{segment(text)}/reproductions"
    else:
        raise Invalid(
            f"{text} is no file here and no id of a run", code="no-such-file", mend="`swath runs` lists your runs"
        )
    # The key makes sending it again safe.
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    return Reproduction(api, api.json("POST", door, json=body, headers=headers, repeatable=True))


def get(api: Api, reproduction_id: str) -> Reproduction:
    """A reproduction that was asked for before."""
    return Reproduction(api, api.json("GET", f"{MARKETPLACE}/reproductions/{segment(reproduction_id)}"))


def _receipt(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Invalid(f"{path} is no receipt", code="not-a-receipt", mend="`swath receipt RUN -o FILE` saves one")
    return read
