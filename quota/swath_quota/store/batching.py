"""Group commit: pieces of work that wait at the same moment share one transaction.

A commit costs a flush to the disk and several round trips, whatever stands in it. So while one transaction is on its
way, those who come meanwhile gather, and one of them does the work of all: the more ask, the cheaper each becomes. A
wallet that everybody spends from is then no slower than many wallets.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError

from swath_quota.domain.ports import Needs, Unit

#: Most pieces of one transaction: it holds its locks for as long as they take.
MOST = 64


class Piece:
    """Work that waits for its turn, and what came of it."""

    def __init__(self, *, work: Callable[[Unit], Any], needs: Needs) -> None:
        self.needs = needs
        self._work = work
        self.done = False
        """Whether it is durable. When not, and without an error, nothing of it was stored."""
        self.result: Any = None
        self.error: BaseException | None = None
        # A bare lock, held until told: an Event makes two more, and takes them in turn, for each who waits.
        self._told = threading.Lock()
        self._told.acquire()
        self._leads = False

    def attempt(self, unit: Any) -> tuple[Any, BaseException | None]:
        """Do it within a transaction that others share: what it raises undoes it alone."""
        try:
            return unit.attempt(lambda: self._work(unit)), None
        except DBAPIError:
            # The transaction is of no more use to anybody.
            raise
        except Exception as error:
            return None, error

    def settle(self, result: Any, error: BaseException | None) -> None:
        """It is durable, or has raised and changed nothing."""
        self.result, self.error, self.done = result, error, error is None

    def tell(self, *, leads: bool) -> None:
        """Wake the thread that waits: its piece was done, or it is its turn to lead."""
        self._leads = leads
        self._told.release()

    def wait(self) -> bool:
        """Until told; whether to lead."""
        self._told.acquire()
        return self._leads


class Batcher:
    """Gathers pieces and has them done together by one of the threads that brought them.

    Parameters
    ----------
    together
        Does several pieces in one transaction and settles each; settles none when the transaction failed.
    lanes
        How many transactions may be under way at once.
    """

    def __init__(self, together: Callable[[list[Piece]], None], *, lanes: int) -> None:
        self._together = together
        self._lock = threading.Lock()
        self._waiting: deque[Piece] = deque()
        self._free_lanes = lanes

    def do(self, piece: Piece) -> Piece:
        """Have `piece` done, by this thread or by another that leads."""
        with self._lock:
            leads = self._free_lanes > 0
            if leads:
                self._free_lanes -= 1
            else:
                self._waiting.append(piece)
        if leads or piece.wait():
            self._lead(piece)
        return piece

    def _lead(self, own: Piece) -> None:
        """Do `own`, which waits in no queue, with what else waits, and hand the lane on."""
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(MOST - 1, len(self._waiting)))]
        try:
            self._together([own, *others])
        finally:
            with self._lock:
                # Whoever waits longest leads next, in this lane.
                heir = self._waiting.popleft() if self._waiting else None
                if heir is None:
                    self._free_lanes += 1
            for piece in others:
                piece.tell(leads=False)
            if heir is not None:
                heir.tell(leads=True)
