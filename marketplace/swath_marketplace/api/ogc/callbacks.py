"""What the subscribers of execute requests are sent: results when there are some, the job's status otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swath_marketplace.api.ogc.results import Brought, document, wanted_of
from swath_marketplace.api.ogc.telling import Teller
from swath_marketplace.domain.executions import Execution
from swath_marketplace.domain.hooks import Delivery, Topic, Webhook
from swath_marketplace.domain.runs import Run
from swath_marketplace.store.ogc import ExecutionStore
from swath_marketplace.store.runs import RunStore

#: Beyond this many bytes an output stands in a message as its address: a message is kept until it is taken.
_MOST_INLINE_BYTES = 256 << 10


class NotYet(Exception):
    """The run is there and how it is answered is not: its request is still being taken, and this comes again."""


@dataclass(frozen=True, kw_only=True)
class Subscribed:
    """Writes messages of the form `swath_marketplace.domain.executions.SUBSCRIBER`."""

    runs: RunStore
    executions: ExecutionStore
    kept: Callable[[Run, str], Path]
    """Where an output of a run is kept."""
    base: str
    sync_seconds: float

    def write(self, delivery: Delivery, webhook: Webhook) -> str | None:  # noqa: ARG002 - the deliverer's signature
        """The body of a message; ``None`` when there is nothing to tell any more.

        Raises
        ------
        NotYet
        """
        run = self.runs.get(delivery.run_id) if delivery.run_id else None
        if run is None:
            return None
        execution = self.executions.known(run.id)
        if execution is None or execution.origin is None:
            raise NotYet(run.id)
        teller = Teller(origin=execution.origin, base=self.base, sync_seconds=self.sync_seconds)
        if delivery.topic is Topic.RUN_FINISHED:
            return json.dumps(document(self._brought(run, execution, teller), most_inline_bytes=_MOST_INLINE_BYTES))
        return json.dumps(teller.job(run, execution))

    def _brought(self, run: Run, execution: Execution, teller: Teller) -> list[Brought]:
        outputs = {output.name: output for output in run.outputs}
        found = []
        for one in wanted_of(run, execution):
            output = outputs.get(one.name)
            path = self.kept(run, one.name)
            # What is kept no more is told as the address that it had.
            if output is not None:
                href = teller.output_at(run.id, one.name)
                found.append(Brought(output=output, path=path, href=href, transmission=one.transmission))
        return found
