"""Everything that makes runs provable, in one object for the doors and for whoever else needs a part of it."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.receipt_exports import Exports
from swath_marketplace.services.receipt_keeper import ReceiptKeeper
from swath_marketplace.services.receipt_log import ReceiptLog
from swath_marketplace.services.receipts import Issuer, Receipts
from swath_marketplace.services.signing import Keys


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Keys, receipts and their log."""

    keys: Keys
    issuer: Issuer
    receipts: Receipts
    exports: Exports
    log: ReceiptLog
    keeper: ReceiptKeeper
