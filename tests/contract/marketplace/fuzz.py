"""Requests that nobody thought of, by schemathesis: every check, several users, in sequences that follow the links.

As a program: ``make fuzz ARGS="--examples 200"``. The test beside this file takes a few of each.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from swath_marketplace.testing import PREFIX

_NAME = "swath_tests_openapi_walk"
_SPEC = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("openapi_walk.py"))
assert _SPEC
assert _SPEC.loader
walking = importlib.util.module_from_spec(_SPEC)
sys.modules[_NAME] = walking
_SPEC.loader.exec_module(walking)

#: Two people and a stranger. Each asks for the other's things, too.
AUTH = """
auth:
  - name: bob
    fixedHeaders: [{name: Authorization, value: Bearer bob}]
  - name: cyd
    fixedHeaders: [{name: Authorization, value: Bearer cyd}]
"""
HOOKS = """
import schemathesis

@schemathesis.serializer("application/zip")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""
CONFIG = """
hooks = "hooks"
[auth.wfc]
path = "auth.yaml"
user = "bob"
peers = ["bob", "cyd"]

[checks.positive_data_acceptance]
# Whether a range, a cursor or a notebook is one depends on what is stored, which no schema tells: 422 names the member.
expected-statuses = ["2xx", "3xx", "401", "402", "403", "404", "409", "410", "413", "416", "422"]
"""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a marketplace that works, with a walk's worth of things in it."""
    with walking.walking(folder) as world, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(world.app(), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=20)


def fuzz(
    folder: Path,
    *,
    examples: int,
    seed: int,
    phases: str = "examples,coverage,fuzzing,stateful",
    more: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against a fresh marketplace in `folder`."""
    (folder / "auth.yaml").write_text(AUTH)
    (folder / "schemathesis.toml").write_text(CONFIG)
    (folder / "hooks.py").write_text(HOOKS)
    program = str(Path(sys.executable).with_name("schemathesis"))
    with serving(folder / "data") as address:
        command = [program, "--config-file", str(folder / "schemathesis.toml"), "run", f"{address}{PREFIX}openapi.json"]
        command += ["--checks", "all", "--phases", phases, "--max-examples", str(examples), "--seed", str(seed)]
        command += ["--suppress-health-check", "all", "--generation-database", "none", "--no-color", *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def main() -> None:
    """As many examples as are wanted."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--examples", type=int, default=50, help="of each door and phase")
    asked.add_argument("--seed", type=int, default=20_260_504)
    asked.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    asked.add_argument("more", nargs="*", help="handed on to schemathesis")
    given = asked.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        done = fuzz(Path(folder), examples=given.examples, seed=given.seed, phases=given.phases, more=tuple(given.more))
    print(done.stdout, done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
