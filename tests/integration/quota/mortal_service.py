"""Lives of the quota service, each ended by SIGKILL at a step that the test chooses.

Reads numbers from its input, one a line. For each it forks a process that is the service (what is imported once is
imported for all), prints the process's id, and waits for its end. The service counts what it asks of its database from
the moment on that the file in ``SWATH_TEST_ARMED`` is there: statements, commits, and connections given back after a
commit; at the number given it kills itself, before the step is done. 0 lives on.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool
from swath_quota import bootstrap, catalogue

_PR_SET_PDEATHSIG = 1


def mortal(step: int) -> None:
    """Have this process die at its `step`th step."""
    armed, count, lock = Path(os.environ["SWATH_TEST_ARMED"]), itertools.count(1), threading.Lock()

    def counted(*_: Any) -> None:
        if not armed.exists():
            return
        with lock:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", counted)
    event.listen(Engine, "commit", counted)
    event.listen(Pool, "checkin", counted)


def main() -> None:
    """One life after another."""
    # Read once for all lives: what comes with Swath is the same in each.
    for read in (catalogue.load_tiers, catalogue.load_prices, catalogue.load_splits):
        read()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if int(line):
                mortal(int(line))
            bootstrap.main()
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
