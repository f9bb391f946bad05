"""Looks from time to time whether a receipt is owed, beside the reconciler and apart from it."""

from __future__ import annotations

import logging
import time

from swath_service.loops import Loop

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
        self._looked_at = float("-inf")
        self._loop = Loop("receipts", self._step, every_seconds=pause_seconds)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._loop.stop()

    def _step(self) -> float | None:
        if not self._issuer.owes and time.monotonic() - self._looked_at <= _WHOLE_SECONDS:
            return None
        try:
            issued = self._issuer.sweep()
        except KeyUnfit as error:
            log.error("no receipt can be signed: %s", error)
            return None
        self._looked_at = time.monotonic()
        # While much is owed there is no pause.
        return 0.0 if issued else None
