"""Receipts: their keys, their log, who issues them and who keeps looking whether one is owed."""

from __future__ import annotations

import logging
from importlib.metadata import version

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.executors.local import LocalExecutor
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.services.receipt_exports import Exports
from swath_marketplace.services.receipt_keeper import ReceiptKeeper
from swath_marketplace.services.receipt_log import ReceiptLog
from swath_marketplace.services.receipts import Issuer, Receipts
from swath_marketplace.services.signing import Keys
from swath_marketplace.services.trust import Trust
from swath_marketplace.store.receipts import ReceiptStore
from swath_marketplace.store.signing_keys import KeyChainStore, KeyFiles

log = logging.getLogger(__name__)


def make_trust(ground: Ground, *, executor: Executor) -> Trust:
    """The parts, over the marketplace's folder and database; at the first start the key is made.

    A key that cannot be used keeps nothing from starting: runs go on, and their receipts are issued when it can.
    """
    database, clock, runs = ground.database, ground.clock, ground.run_store
    keys = Keys(chain=KeyChainStore(database), files=KeyFiles(ground.home / "keys"), clock=clock)
    store = ReceiptStore(database)
    issuer = Issuer(
        store=store,
        runs=runs,
        algorithms=ground.algorithms,
        keys=keys,
        executor="local" if isinstance(executor, LocalExecutor) else type(executor).__name__,
        software={"swath": version("swath")},
        clock=clock,
    )
    try:
        keys.pen()
    except Exception:
        log.exception("no receipt can be signed until this is mended")
    receipts = Receipts(issuer=issuer, store=store, runs=runs)
    return Trust(
        keys=keys,
        issuer=issuer,
        receipts=receipts,
        exports=Exports(receipts=receipts, keys=keys),
        log=ReceiptLog(store),
        keeper=ReceiptKeeper(issuer),
    )
