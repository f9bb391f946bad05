"""Looks from time to time whether a receipt is owed, beside the reconciler and apart from it."""

from __future__ import annotations

import logging
import threading
import time

from swath_marketplace.services.receipts import Issuer
from swath_marketplace.store.signing_keys import KeyUnfit

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 30.0
#: A look at every finished run, for what another process left undone; it costs more the more runs there are.
_WHOLE_SECONDS = 600.0


class ReceiptKeeper:
    """A thread that sweeps: at once when it starts, then every ten minutes, and within half a minute where need is."""

    def __init__(self, issuer: Issuer, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._issuer = issuer
        self._pause = pause_seconds
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._loop, name="receipts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._ending.set()
        if self._thread:
            self._thread.join()

    def _loop(self) -> None:
        looked_at = float("-inf")
        while not self._ending.is_set():
            issued = 0
            try:
                if self._issuer.owes or time.monotonic() - looked_at > _WHOLE_SECONDS:
                    issued = self._issuer.sweep()
                    looked_at = time.monotonic()
            except KeyUnfit as error:
                log.error("no receipt can be signed: %s", error)
            except Exception:
                log.exception("the sweep for receipts failed")
            if not issued:
                # While much is owed there is no pause.
                self._ending.wait(self._pause)
