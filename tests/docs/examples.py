"""The examples of the documentation, found in its pages and run in their order.

A comment of MyST in the line above an example says what is to become of it:

``% not run: REASON``  it is only shown
``% prints: TEXT``     what it prints holds that text
``% as: NAME``         (anywhere on a page) who runs the page

What is no shell and no Python is no example. Shell blocks of a page share variables and the working folder, Python
blocks their names; a block that fails fails the page.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: What the pages call the Swath that they talk to.
ADDRESS = "http://127.0.0.1:8000/"
_SHELL = frozenset({"sh", "bash", "shell"})
_SAID = re.compile(r"^% (not run|prints): (.+)$", re.M)
_AS = re.compile(r"^% as: (\w+)$", re.M)
_SECONDS = 300

#: What a block sets is what the next one finds; the shell's own variables are left out.
_SHELL_FRAME = """set -eu -o pipefail -a
[ -f "$DOCS_STATE" ] && . "$DOCS_STATE"
trap 'declare -px | grep -vE "^declare -[a-z]*r" > "$DOCS_STATE"' EXIT
"""
_PYTHON_LOOP = """
import json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "<example>", "exec"), names)
        print("\\0done", flush=True)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        print("\\0failed", flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One block."""

    page: str
    line: int
    """Of its first line, from 1."""
    kind: str
    """``sh`` or ``python``."""
    text: str
    prints: str = ""
    reason: str = ""
    """Why it is not run."""

    def __str__(self) -> str:
        return f"docs/{self.page}.md:{self.line}"


def pages() -> Iterator[str]:
    """Every page, as its path below ``docs/`` without its ending."""
    for path in sorted(DOCS.rglob("*.md")):
        yield path.relative_to(DOCS).with_suffix("").as_posix()


def examples_of(page: str) -> list[Example]:
    """The examples of one page, in their order."""
    found: list[Example] = []
    before = ""
    for token in MarkdownIt().parse((DOCS / f"{page}.md").read_text()):
        if token.type == "inline":
            before = token.content
        if token.type != "fence":
            continue
        kind = token.info.strip().split(" ")[0]
        said = dict(_SAID.findall(before))
        before = ""
        if kind in _SHELL or kind == "python":
            found.append(
                Example(
                    page=page,
                    line=token.map[0] + 1 if token.map else 0,
                    kind="python" if kind == "python" else "sh",
                    text=token.content,
                    prints=said.get("prints", ""),
                    reason=said.get("not run", ""),
                )
            )
    return found


def person_of(page: str) -> str:
    """Who runs a page."""
    found = _AS.search((DOCS / f"{page}.md").read_text())
    return found[1] if found else "bob"


class Failed(AssertionError):
    """An example did not do what the page says."""


class Desk:
    """Where the examples of one page are run.

    Parameters
    ----------
    folder
        Empty; the working folder.
    variables
        Of the environment, beside the machine's.
    url
        The Swath that stands for `ADDRESS`.
    """

    def __init__(self, folder: Path, *, variables: Mapping[str, str], url: str) -> None:
        self._folder = folder
        self._url = url
        tools = Path(sys.executable).parent
        self._environment = {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "COLUMNS": "120",
            "DOCS_STATE": str(folder / ".state"),
            **variables,
        }
        self._python: subprocess.Popen[str] | None = None

    def run(self, example: Example) -> str:
        """Run it; what it printed.

        Raises
        ------
        Failed
        """
        text = example.text.replace(ADDRESS, self._url)
        told, good = self._shell(text) if example.kind == "sh" else self._in_python(text)
        if not good:
            raise Failed(f"{example} failed:\n{text}\n{told[-4000:]}")
        if example.prints not in told:
            raise Failed(f"{example} does not print {example.prints!r}:\n{text}\n{told[-4000:]}")
        return told

    def close(self) -> None:
        """End what was started."""
        if self._python:
            self._python.kill()
            self._python.wait()

    def _shell(self, text: str) -> tuple[str, bool]:
        done = subprocess.Popen(
            ["bash", "-c", _SHELL_FRAME + text],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            told, _ = done.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGKILL)
            told, _ = done.communicate()
            return f"{told}\nit did not end within {_SECONDS} s", False
        return told, done.returncode == 0

    def _in_python(self, text: str) -> tuple[str, bool]:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-u", "-c", _PYTHON_LOOP],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._python.stdin
        assert self._python.stdout
        self._python.stdin.write(json.dumps(text) + "\n")
        self._python.stdin.flush()
        told: list[str] = []
        for line in self._python.stdout:
            if line.startswith("\0"):
                return "".join(told), line.strip() == "\0done"
            told.append(line)
        return "".join(told), False
