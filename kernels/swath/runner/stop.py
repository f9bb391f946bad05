"""Why a run is being stopped before its notebook has ended, and who has to be told."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from swath.contract.run import ErrorCode


@dataclass(kw_only=True)
class Stop:
    """One request to stop, made at most once; the first reason stands.

    The request may come before there is anything to interrupt: whoever starts work sets `on_request`, then asks
    `reason`.
    """

    reason: ErrorCode | None = None
    on_request: Callable[[], None] | None = field(default=None, repr=False)

    def request(self, reason: ErrorCode) -> None:
        """Ask for the stop. Later requests change nothing."""
        if self.reason is not None:
            return
        self.reason = reason
        if self.on_request is not None:
            self.on_request()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the wish to cancel."""

        def handle(_signum: int, _frame: FrameType | None) -> None:
            self.request(ErrorCode.CANCELED)

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)


def margin_seconds(wall_seconds: float) -> float:
    """How long before the hard limit the runner ends by itself, to save what there is.

    5 %, at least 2 s, at most 10 s, never over half.
    """
    return min(max(0.05 * wall_seconds, 2.0), 10.0, wall_seconds / 2)
