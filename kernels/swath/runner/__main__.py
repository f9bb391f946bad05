"""``python -m swath.runner RUN_DIR``: execute one run. Exit code 0 finished, 1 ended as error, 2 called wrongly."""

from __future__ import annotations

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the folder named by the only argument."""
    from swath.runner.run import run
    from swath.runner.stop import Stop

    if len(arguments) != 1 or not (Path(arguments[0]) / "input").is_dir():
        print(
            "usage: python -m swath.runner RUN_DIR   (a folder with input/spec.json and input/notebook.ipynb)",
            file=sys.stderr,
        )
        return 2
    stop = Stop()
    stop.listen()
    report = run(Path(arguments[0]).resolve(), stop=stop)
    return 0 if report.error is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
