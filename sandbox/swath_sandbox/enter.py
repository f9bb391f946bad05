"""``python -m swath_sandbox.enter --group NAME --memory BYTES --pids N --cpus X -- argv…``

Makes the control group, joins it, lowers resource limits, and becomes the command: for those who manage processes
themselves (a JupyterHub spawner, a Dask Gateway backend). The environment passes through unchanged.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from swath_sandbox import cgroups
from swath_sandbox.claims import limit_resources
from swath_sandbox.errors import CgroupsUnavailable, SandboxError

FAILED = 126


def main() -> None:
    """Become the command after ``--``; exit code 126 and a line on stderr when that cannot be."""
    parser = argparse.ArgumentParser(prog="swath_sandbox.enter", description=__doc__, allow_abbrev=False)
    parser.add_argument("--group", required=True, help="name of the control group; made afresh")
    parser.add_argument("--memory", type=int, required=True, help="bytes")
    parser.add_argument("--pids", type=int, required=True)
    parser.add_argument("--cpus", type=float, required=True)
    parser.add_argument("--open-files", type=int, default=4096)
    parser.add_argument("--file-bytes", type=int, help="largest file that may be written")
    parser.add_argument("--allow-no-cgroups", action="store_true", help="start without limits where none can be had")
    parser.add_argument("argv", nargs="+")
    asked = parser.parse_args()
    try:
        limits = cgroups.Limits(memory_bytes=asked.memory, pids=asked.pids, cpus=asked.cpus)
        try:
            cgroups.open_group(asked.group, limits).add(0)
        except CgroupsUnavailable:
            if not asked.allow_no_cgroups:
                raise
        limit_resources(file_bytes=asked.file_bytes, open_files=asked.open_files)
        # Python ignores these two, and an exec would hand that on.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvpe(asked.argv[0], asked.argv, os.environ)  # noqa: S606 - becoming it is the purpose
    except (SandboxError, OSError, ValueError) as error:
        print(f"swath_sandbox.enter: {error}", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
