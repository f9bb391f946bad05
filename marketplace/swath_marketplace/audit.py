"""``python -m swath_marketplace.audit``: whether anybody changed, deleted or cut off receipts. Changes nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from swath.contract.envelopes import Envelope, Untrusted

from swath_marketplace.bootstrap import Settings
from swath_marketplace.services.receipt_audit import Audit, audit
from swath_marketplace.store.database import Database
from swath_marketplace.store.receipts import ReceiptStore
from swath_marketplace.store.signing_keys import KeyChainStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the log of receipts of the settings' database.

    Returns
    -------
    int
        0 when all is as it was written, 1 when something is not.
    """
    parser = argparse.ArgumentParser(prog="python -m swath_marketplace.audit", description=__doc__)
    parser.add_argument(
        "--checkpoint",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a signed checkpoint that was kept elsewhere (`swath receipts checkpoint -o FILE`); may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)
    try:
        kept = [Envelope.from_bytes(path.read_bytes().strip(), str(path)) for path in options.checkpoint]
    except (OSError, Untrusted) as error:
        parser.error(f"a checkpoint cannot be read: {error}")
    database = Database(Settings().url())
    try:
        found = audit(ReceiptStore(database), KeyChainStore(database), kept=kept)
    finally:
        database.dispose()
    print(json.dumps(_document(found), indent=2) if options.json else "\n".join(_lines(found)))
    return 0 if found.ok else 1


def _document(found: Audit) -> dict[str, object]:
    faults = [fault.as_dict() for fault in found.faults]
    return {"ok": found.ok, "entries": found.size, "root": found.root, "faults": faults}


def _lines(found: Audit) -> list[str]:
    told = [
        f"{fault.harm.value:<10} {'' if fault.entry is None else fault.entry:>8}  {fault.message}"
        for fault in found.faults
    ]
    verdict = "as they were written" if found.ok else f"{len(found.faults)} faults"
    return [*told, f"{found.size} entries, root {found.root}: {verdict}"]


if __name__ == "__main__":
    sys.exit(main())
