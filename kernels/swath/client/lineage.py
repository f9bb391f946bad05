"""Where a result comes from, as a caller sees it: a tree, a picture, and the graph as JSON."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from swath.client.errors import Invalid, SwathError
from swath.client.http import MARKETPLACE, Api, segment
from swath.display import clean

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES = 1 << 20
#: A tree of more lines is no help to anybody; the JSON has everything.
_MOST_LINES = 2_000
#: Indenting a chain of runs any further would only push it off the screen.
_DEEPEST_INDENT = 40


class Lineage:
    """What a result was made of, or what was made of a file: a graph whose edges go with the data.

    Parameters
    ----------
    data
        As the marketplace tells it.
    picture
        Fetches the picture when it is wanted.
    """

    def __init__(self, data: Mapping[str, Any], *, picture: Callable[[], str]) -> None:
        self._data = dict(data)
        self._picture = picture
        self._nodes = {str(node["id"]): node for node in self._data.get("nodes", ())}

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Runs, scenes and files, the root first, then the nearest."""
        return [dict(node) for node in self._nodes.values()]

    @property
    def edges(self) -> list[dict[str, Any]]:
        """From what was read to who read it, with the files that went there."""
        return [dict(edge) for edge in self._data.get("edges", ())]

    @property
    def cut_off(self) -> bool:
        """Whether there is more than this tells."""
        return bool(self._data.get("cut_off"))

    @property
    def scenes(self) -> list[str]:
        """``collection/item`` of every scene at the sources."""
        return [f"{node['collection']}/{node['item']}" for node in self._nodes.values() if node["kind"] == "scene"]

    def as_dict(self) -> dict[str, Any]:
        """The whole answer, as JSON."""
        return dict(self._data)

    def svg(self) -> str:
        """The picture: data flows from left to right."""
        return self._picture()

    def save_svg(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file and return where it is."""
        target = Path(path)
        target.write_text(self.svg(), encoding="utf-8")
        return target

    def tree(self) -> str:
        """One line for each step from the root; what was told before is only named again."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        up = self._data.get("direction") != "down"
        beside: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        for edge in self._data.get("edges", ()):
            here, there = (edge["target"], edge["source"]) if up else (edge["source"], edge["target"])
            beside[here].append((there, edge))
        told: set[str] = set()
        # A stack of our own: a chain of a thousand runs is deeper than Python's.
        stack: list[tuple[str, str, str, str]] = [(str(self._data["root"]), "", "", "")]
        for _ in range(_MOST_LINES):
            if not stack:
                break
            key, before, indent, files = stack.pop()
            again = key in told and beside[key]
            yield before + self._line(self._nodes[key], files, again=bool(again))
            if again:
                continue
            told.add(key)
            following = [(there, edge) for there, edge in beside[key] if there in self._nodes]
            for number, (there, edge) in reversed(list(enumerate(following))):
                last = number == len(following) - 1
                deeper = indent + ("   " if last else "│  ") if len(indent) < 3 * _DEEPEST_INDENT else indent
                stack.append((there, indent + ("└─ " if last else "├─ "), deeper, _files(edge)))
        if stack:
            yield f"… and {len(stack)} more branches; --json tells all"
        if hidden := self._data.get("hidden_runs"):
            yield f"({hidden} runs of others are not shown)"

    def _line(self, node: Mapping[str, Any], files: str, *, again: bool) -> str:
        words = [str(node.get("title", ""))]
        run = node.get("run")
        if isinstance(run, Mapping):
            words.append(f"run {run['id']}, {run['status']}")
        elif node["kind"] == "run":
            words.append("a run of somebody else")
        if files:
            words.append(files)
        if again:
            words.append("(see above)")
        if node.get("cut"):
            words.append("… cut off")
        return clean("  ".join(words)).replace("\n", " ")

    def __repr__(self) -> str:
        return self.tree()

    def _repr_html_(self) -> str:
        text = f"<pre>{html.escape(self.tree())}</pre>"
        try:
            drawn = base64.b64encode(self.svg().encode()).decode()
        except SwathError:
            return text
        # As an image nothing in it can act, whatever it holds.
        image = f"<img alt='lineage' style='max-width:100%' src='data:image/svg+xml;base64,{drawn}'>"
        return f"{image}<details><summary>as text</summary>{text}</details>"


def _files(edge: Mapping[str, Any]) -> str:
    """The names of what went along an edge."""
    names = list(dict.fromkeys(str(one.get("output") or one.get("asset") or "") for one in edge.get("files", ())))
    shown = [name for name in names if name]
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return f"[{', '.join(shown[:6])}{more}]" if shown else ""


def of_run(api: Api, run_id: str, *, down: bool = False, depth: int | None = None) -> Lineage:
    """The lineage of a run."""
    return _read(api, f"{MARKETPLACE}/runs/{segment(run_id)}/lineage", down=down, depth=depth)


def of_file(api: Api, sha256: str, *, down: bool = False, depth: int | None = None) -> Lineage:
    """The lineage of a file, by its bytes' sha256."""
    return _read(api, f"{MARKETPLACE}/lineage/{segment(sha256)}", down=down, depth=depth)


def of(api: Api, what: str | os.PathLike[str], *, down: bool = False, depth: int | None = None) -> Lineage:
    """The lineage of a file on this machine, of a sha256, or of a run.

    Raises
    ------
    Invalid
        It is a folder.
    NotFound
        There is no such run of yours, or none of yours made or read such a file.
    """
    path, text = Path(what), os.fspath(what)
    if path.is_file():
        return of_file(api, sha256_of(path), down=down, depth=depth)
    if path.is_dir():
        raise Invalid(f"{text} is a folder", code="not-a-file", mend="name one file, or a run's id")
    sha256 = text.removeprefix("sha256:").lower()
    if _SHA256.fullmatch(sha256):
        return of_file(api, sha256, down=down, depth=depth)
    if not text.isalnum():
        raise Invalid(
            f"{text} is no file here and no id of a run", code="no-such-file", mend="`swath runs` lists your runs"
        )
    return of_run(api, text, down=down, depth=depth)


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _read(api: Api, path: str, *, down: bool, depth: int | None) -> Lineage:
    params = {"direction": "down" if down else "up", "depth": depth}
    data = api.json("GET", path, params=params)

    def picture() -> str:
        return api.request("GET", path, params={**params, "format": "svg"}).text

    return Lineage(data, picture=picture)
