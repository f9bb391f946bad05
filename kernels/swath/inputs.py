"""The run's record of what it read from the archive."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from swath.catalogue import Document

_recorded: set[tuple[str, ...]] = set()
_lock = threading.Lock()


def record_inputs(items: Sequence[Document], *, collection: str, assets: Sequence[str]) -> None:
    """Append what was opened to the run's record of inputs, each asset once a process."""
    run_dir = os.environ.get("SWATH_RUN_DIR")
    if not run_dir:
        return
    lines = []
    with _lock:
        for item in items:
            for name in assets:
                asset = item["assets"].get(name)
                key = (run_dir, collection, item["id"], name)
                if asset is None or key in _recorded:
                    continue
                _recorded.add(key)
                entry = {"collection": collection, "item": item["id"], "asset": name, "href": asset["href"]}
                # A multihash: 1220 says sha2-256 and its length.
                checksum = str(asset.get("file:checksum", ""))
                lines.append(json.dumps({**entry, "sha256": checksum[4:]} if checksum.startswith("1220") else entry))
        if lines:
            with (Path(run_dir) / "out" / "inputs.jsonl").open("a") as record:
                record.write("\n".join(lines) + "\n")
