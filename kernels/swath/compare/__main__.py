"""``python -m swath.compare JOB ANSWER``: compares the pairs that the file JOB names and writes ANSWER. See `jobs`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from swath.client.errors import MissingPackage
from swath.compare.jobs import CompareJob, run
from swath.contract.fields import ContractError


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: compared, whatever came of it; 2: the job cannot be read, or a package is missing."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m swath.compare JOB ANSWER", file=sys.stderr)
        return 2
    source, target = map(Path, given)
    try:
        found = run(CompareJob.from_dict(json.loads(source.read_bytes())))
    except (OSError, ValueError, ContractError, MissingPackage) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 2
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(json.dumps({"comparisons": {name: one.as_dict() for name, one in found.items()}}))
    os.replace(partial, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
