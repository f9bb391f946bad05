"""Looks whether every link inside the built documentation leads somewhere, and whether anything is fetched from afar.

``python docs/check_links.py build/docs`` ends with 1 and names each that does not. External links are listed in
``external-links.txt`` there and not fetched: whether they answer is for somebody with a network, and no reason to fail.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser fetches by itself, by element and attribute.
_FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
#: Relations of a ``link`` element that nothing is fetched for.
_TOLD = frozenset({"canonical", "index", "search", "next", "prev", "help", "author", "license"})


class _Page(HTMLParser):
    """The anchors of a page, and everything that it leads to or fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if (tag, name) in _FETCHED and not (tag == "link" and given.get("rel") in _TOLD):
                self.fetched.append(value)
            elif name in ("href", "src"):
                self.links.append(value)


def faults(root: Path) -> tuple[list[str], set[str]]:
    """What is wrong below `root`, and every external link."""
    pages = {path: _read(path) for path in sorted(root.rglob("*.html"))}
    wrong: list[str] = []
    external: set[str] = set()
    for path, page in pages.items():
        here = path.relative_to(root)
        for link in page.fetched:
            if urlsplit(link).netloc:
                wrong.append(f"{here}: fetches {link}")
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme in ("http", "https"):
                    external.add(link)
                continue
            wrong += [f"{here}: {told}" for told in _local(path, parts.path, parts.fragment, pages)]
    wrong += [f"{style.relative_to(root)}: fetches {line}" for style in root.rglob("*.css") for line in _imports(style)]
    return wrong, external


def _local(path: Path, target: str, fragment: str, pages: dict[Path, _Page]) -> Iterator[str]:
    found = (path.parent / unquote(target)).resolve() if target else path
    if found.is_dir():
        found /= "index.html"
    if not found.exists():
        yield f"{target} is not there"
    elif fragment and found in pages and unquote(fragment) not in pages[found].anchors:
        yield f"{target}#{fragment}: there is no such place"


def _imports(style: Path) -> Iterator[str]:
    for line in style.read_text(errors="replace").split(";"):
        if ("@import" in line or "url(" in line) and "://" in line and "w3.org" not in line:
            yield line.strip()[:120]


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page


def main() -> int:
    """Check the folder that is named; 1 when something is wrong."""
    root = Path(sys.argv[1]).resolve()
    wrong, external = faults(root)
    (root / "external-links.txt").write_text("".join(f"{link}\n" for link in sorted(external)))
    for told in wrong:
        print(told)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
