"""``python -m swath_marketplace.import_records FOLDER``: list what other platforms offer, from their records."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from swath_marketplace.bootstrap import Settings
from swath_marketplace.bootstrap.card import external_entries
from swath_marketplace.services.externals import Import
from swath_marketplace.store.database import Database

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Import a folder of OGC API Records into the settings' database.

    Returns
    -------
    int
        0 when something was imported or is there already, 1 when the folder has no record that can be listed.
    """
    parser = argparse.ArgumentParser(prog="python -m swath_marketplace.import_records", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="folder of records as JSON, such as a copy of a catalogue's repository"
    )
    parser.add_argument("--source", default="apex", help="what the catalogue is called here (default: apex)")
    parser.add_argument(
        "--prune", action="store_true", help="remove entries of this source that the folder has no more"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if not _SOURCE.fullmatch(options.source):
        parser.error("--source: begin with a letter and use up to 40 lower-case letters, digits and hyphens")
    database = Database(Settings().url())
    try:
        database.migrate()
        made = external_entries(database).import_folder(options.source, options.folder, prune=options.prune)
    finally:
        database.dispose()
    print(json.dumps(_document(made), indent=2) if options.json else "\n".join(_lines(made)))
    return 0 if made.new or made.same else 1


def _document(made: Import) -> dict[str, object]:
    refused = [{"file": path, "why": why} for path, why in made.refused]
    remarks = [{"file": path, "remark": remark} for path, remark in made.remarks]
    kept = {"new": list(made.new), "unchanged": list(made.same)}
    return {**kept, "refused": refused, "remarks": remarks, "removed": list(made.gone)}


def _lines(made: Import) -> list[str]:
    told = [f"refused   {path}: {why}" for path, why in made.refused]
    told += [f"remark    {path}: {remark}" for path, remark in made.remarks]
    told += [f"removed   {record_id}" for record_id in made.gone]
    counts = f"{len(made.new)} new or changed, {len(made.same)} unchanged, {len(made.refused)} refused"
    return [*told, f"{counts}, {len(made.gone)} removed"]


if __name__ == "__main__":
    sys.exit(main())
