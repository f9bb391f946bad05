"""A run as a caller holds it: its state, its end, its log and its results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from swath.client import lineage as _lineage
from swath.client import reproduction as _reproduction
from swath.client.errors import Refused, RunCanceled, RunFailed
from swath.client.follow import PATIENCE, TERMINAL, Event, Follower
from swath.client.http import MARKETPLACE, Api, segment
from swath.client.lineage import Lineage
from swath.client.progress import Display, Watched, choose
from swath.client.reproduction import Reproduction
from swath.client.results import Result, Results
from swath.display import clean, credits_text, html_facts, parse_time, seconds_text, time_text

if TYPE_CHECKING:
    from swath.client.receipts import Receipt

#: A state not older than this many seconds is not asked for again.
_FRESH = 0.5


@dataclass(frozen=True, kw_only=True)
class RunError:
    """Why a run ended as ``error``."""

    code: str
    message: str
    cell: int | None
    """0-based position in the notebook's cells."""
    traceback: str

    def __str__(self) -> str:
        where = f" in cell {self.cell + 1}" if self.cell is not None else ""
        return clean(f"{self.code}{where}: {self.message}")


class Run:
    """One call of one version of an algorithm.

    Reading `status`, `progress`, `cost` and so on asks the server, until the run is over.

    Parameters
    ----------
    data
        The run as the marketplace tells it.
    """

    def __init__(self, api: Api, data: Mapping[str, Any]) -> None:
        self._api = api
        self._data = dict(data)
        self._read_at = time.monotonic()
        self.id = str(data["id"])
        self._path = f"{MARKETPLACE}/runs/{segment(self.id)}"

    def refresh(self) -> Self:
        """Ask the server for the present state."""
        self._take(self._api.json("GET", self._path))
        return self

    def _take(self, data: Mapping[str, Any]) -> None:
        self._data = {**self._data, **data}
        self._read_at = time.monotonic()

    def _now(self) -> dict[str, Any]:
        if self._data.get("status") not in TERMINAL and time.monotonic() - self._read_at > _FRESH:
            self.refresh()
        return self._data

    @property
    def algorithm(self) -> str:
        """``owner/name`` of what runs."""
        given = str(self._data.get("algorithm") or "")
        return given if "/" in given else f"{self._data.get('owner', '?')}/{self._data.get('name', '?')}"

    @property
    def version(self) -> str:
        """The exact version that a range was resolved to."""
        return str(self._data.get("version", ""))

    @property
    def digest(self) -> str:
        """The version's digest: the same digest is the same notebook, interface and environment."""
        return str(self._data.get("digest", ""))

    @property
    def parameters(self) -> dict[str, Any]:
        """What it was called with, defaults filled in."""
        return dict(self._data.get("parameters") or {})

    @property
    def status(self) -> str:
        """``created``, ``queued``, ``running``, ``canceled``, ``finished`` or ``error``."""
        return str(self._now().get("status", ""))

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        return self.status in TERMINAL

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        return float(self._now().get("progress") or 0.0)

    @property
    def cost(self) -> float | None:
        """Credits taken for it; ``None`` until it is settled."""
        amount = self._now().get("cost_millicredits")
        return None if amount is None else int(amount) / 1000

    @property
    def quote(self) -> float | None:
        """The most credits it can cost, which are held while it runs."""
        amount = self._now().get("quote_millicredits")
        return None if amount is None else int(amount) / 1000

    @property
    def usage(self) -> dict[str, Any]:
        """What it took: seconds of processor and clock, memory."""
        return dict(self._now().get("usage") or {})

    @property
    def error(self) -> RunError | None:
        """Why it failed; ``None`` unless it did."""
        told = self._now().get("error")
        if not isinstance(told, Mapping):
            return None
        cell = told.get("cell")
        return RunError(
            code=str(told.get("code") or "error"),
            message=str(told.get("message") or "the run failed"),
            cell=cell if isinstance(cell, int) else None,
            traceback=str(told.get("traceback") or ""),
        )

    def as_dict(self) -> dict[str, Any]:
        """The run as the server last told it."""
        return dict(self._data)

    def events(self, *, timeout: float | None = None, patience: float = PATIENCE) -> Iterator[Event]:
        """Everything that happens to the run, from its start to its end, as it happens.

        See `swath.client.follow.Follower` for what is promised over broken connections.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for event in Follower(self._api, self.id, deadline=deadline, patience=patience).events():
            if event.type == "status":
                self._take(event.data)
            yield event

    def wait(
        self,
        timeout: float | None = None,
        progress: bool | Display = True,
        *,
        raise_on_error: bool = True,
    ) -> Self:
        """Wait until the run is over and return it.

        An interrupt (Ctrl-C, or the notebook's stop button) ends the waiting and not the run.

        Parameters
        ----------
        timeout
            Seconds; ``None`` waits for as long as it takes.
        progress
            Whether to show a progress bar, or what to show it with.
        raise_on_error
            Whether a run that ended badly raises.

        Raises
        ------
        RunFailed
            With cell, message and the notebook's traceback.
        RunCanceled, Refused
            The run was canceled, or the wallet did not allow it.
        WaitTimeout
            The time is over; the run goes on.
        """
        if self._data.get("status") not in TERMINAL:
            display = choose(self._title, wanted=progress) if isinstance(progress, bool) else progress
            with Watched(display, status=str(self._data.get("status", "created"))) as watched:
                try:
                    for event in self.events(timeout=timeout):
                        watched.take(event)
                except KeyboardInterrupt:
                    print(f"\n{self.come_back}", file=sys.stderr)
                    raise
        if raise_on_error:
            self.raise_for_status()
        return self

    @property
    def _title(self) -> str:
        return f"{self.algorithm} {self.version}".strip()

    @property
    def come_back(self) -> str:
        """How to find the run again after letting it go."""
        return f"The run goes on. Come back: swath.get_run({self.id!r}).wait() - stop it: .cancel()"

    def raise_for_status(self) -> None:
        """Raise if the run is over and did not finish; see `wait`."""
        status = self._data.get("status")
        refusal = self._data.get("refusal")
        if status == "error" and isinstance(refusal, Mapping):
            until = refusal.get("retry_at")
            raise Refused(
                str(refusal.get("message") or "the wallet does not allow this run"),
                code=str(refusal.get("code") or "refused"),
                mend=f"try again after {time_text(until)}" if until else "see `swath wallet`",
                extra={"run_id": self.id, "retry_at": until},
            )
        if status == "error":
            error = self.error or RunError(code="error", message="the run failed", cell=None, traceback="")
            raise RunFailed(
                f"run {self.id} of {self._title} failed with {error}",
                run_id=self.id,
                cell=error.cell,
                traceback=error.traceback,
                code=error.code,
                mend="the executed notebook is among the results, as far as it came" if error.cell is not None else "",
            )
        if status == "canceled":
            raise RunCanceled(
                f"run {self.id} of {self._title} was canceled", code="canceled", extra={"run_id": self.id}
            )

    def cancel(self) -> Self:
        """Ask for the run to be stopped; one that is over stays as it is. What it used until then is paid."""
        response = self._api.request("DELETE", self._path)
        if "json" in response.headers.get("content-type", "") and isinstance(response.json(), dict):
            self._take(response.json())
        else:
            self.refresh()
        return self

    @overload
    def logs(self, follow: Literal[False] = False) -> str: ...
    @overload
    def logs(self, follow: Literal[True]) -> Iterator[str]: ...
    def logs(self, follow: bool = False) -> str | Iterator[str]:
        """What the run printed so far; with `follow`, piece by piece from its start until it is over."""
        if follow:
            return (str(event.data.get("text", "")) for event in self.events() if event.type == "log")
        return self._api.request("GET", f"{self._path}/log").text

    @property
    def results(self) -> Results:
        """Its outputs by name, as far as there are any."""
        told = self._api.json("GET", f"{self._path}/results")
        records = told.get("results", told.get("outputs", [])) if isinstance(told, Mapping) else told
        return Results([Result(self._api, self.id, one) for one in records if isinstance(one, Mapping)])

    def lineage(self, *, down: bool = False, depth: int | None = None) -> Lineage:
        """What its results were made of, through other runs, down to scenes; with `down`, what was made of them."""
        return _lineage.of_run(self._api, self.id, down=down, depth=depth)

    def reproduce(self, *, tolerances: Mapping[str, Mapping[str, Any]] | None = None) -> Reproduction:
        """Run it again, paid by you, and compare; see `swath.reproduce`."""
        return _reproduction.start(self._api, self.id, tolerances=tolerances)

    def receipt(self) -> Receipt:
        """The signed receipt of a finished run: `swath.client.receipts.Receipt`, not verified yet.

        Raises
        ------
        NotFound
            The run did not finish.
        """
        from swath.client.receipts import Receipt, fetch

        return Receipt(self._api, self.id, fetch(self._api, self.id))

    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about it, as pairs."""
        data = self._data
        facts = [
            ("run", self.id),
            ("algorithm", f"{self.algorithm}@{self.version}"),
            ("digest", self.digest),
            ("status", self._status_text()),
            *self._queue_facts(),
            ("created", time_text(data.get("created_at"))),
            ("took", seconds_text(self._seconds())),
            ("held at most", f"{credits_text(data.get('quote_millicredits'))} credits"),
            ("cost", f"{credits_text(data.get('cost_millicredits'))} credits"),
            *self._added_facts(),
        ]
        if isinstance(asked := data.get("checkpoint"), Mapping) and data.get("status") == "running":
            facts.append(("asked to save", clean(str(asked.get("message", "")))))
        if isinstance(refusal := data.get("refusal"), Mapping):
            facts.append(("refused", clean(str(refusal.get("message", "")))))
        elif isinstance(data.get("error"), Mapping) and (error := self.error):
            facts.append(("error", str(error)))
        return facts

    def _added_facts(self) -> list[tuple[str, str]]:
        cost = self._data.get("cost")
        added = cost.get("added_value_millicredits") if isinstance(cost, Mapping) else 0
        return [("of it added value", f"{credits_text(added)} credits, to its author")] if added else []

    def _queue_facts(self) -> list[tuple[str, str]]:
        place = self._data.get("queue")
        if self._data.get("status") != "queued" or not isinstance(place, Mapping):
            return []
        before, seconds = place.get("runs_before"), place.get("wait_seconds")
        if not isinstance(before, int):
            return []
        text = "next" if before == 0 else f"{before} run{'s' if before > 1 else ''} before it"
        if isinstance(seconds, int | float):
            text += f", about {seconds_text(float(seconds))} if nobody comes before it"
        return [("in the queue", text)]

    def _status_text(self) -> str:
        status = str(self._data.get("status", "?"))
        return f"{status} {float(self._data.get('progress') or 0):.0%}" if status == "running" else status

    def _seconds(self) -> float | None:
        start, end = parse_time(self._data.get("started_at")), parse_time(self._data.get("ended_at"))
        return (end - start).total_seconds() if start and end else None

    def row(self) -> tuple[str, ...]:
        """Cells for a table of runs."""
        data = self._data
        return (
            self.id,
            f"{self.algorithm}@{self.version}",
            self._status_text(),
            time_text(data.get("created_at")),
            seconds_text(self._seconds()),
            credits_text(data.get("cost_millicredits")),
        )

    def __repr__(self) -> str:
        return f"<Run {self.id} {clean(self.algorithm)}@{self.version} {self._status_text()}>"

    def _repr_html_(self) -> str:
        return html_facts(self.facts())
