"""The caller's runs as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from swath.client import lists
from swath.client.errors import Invalid
from swath.client.http import MARKETPLACE, Api, segment
from swath.client.run import Run
from swath.display import html_table, text_table

COLUMNS = ("run", "algorithm", "status", "created", "took", "credits")


class Runs(Sequence[Run]):
    """Runs, newest first, shown as a table."""

    def __init__(self, found: Sequence[Run]) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self._found[index]) if isinstance(index, slice) else self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return text_table(COLUMNS, [run.row() for run in self._found]) if self._found else "no runs"

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, [run.row() for run in self._found])


def get_run(api: Api, run_id: str) -> Run:
    """The run of that id."""
    if not run_id or "/" in run_id:
        raise Invalid("this is not the id of a run", code="bad-run-id", mend="`swath runs` lists yours")
    return Run(api, api.json("GET", f"{MARKETPLACE}/runs/{segment(run_id)}"))


def list_runs(api: Api, *, status: str | None = None, limit: int = 20) -> Runs:
    """The caller's runs, newest first."""
    found = lists.items(api, f"{MARKETPLACE}/runs", "runs", limit=limit, params={"status": status})
    return Runs([Run(api, one) for one in found])
