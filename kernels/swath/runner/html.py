"""The executed notebook as one HTML page that runs nothing and loads nothing.

Three fences stand against a script in an output: HTML of outputs and Markdown cells is cleaned to an allowlist of tags
and attributes, types that are code (JavaScript, widgets, Mermaid) give way to their plain text, and the page carries a
Content-Security-Policy that lets nothing run.
No MathJax is loaded, so formulas stand as their TeX source.
"""

# nbformat says it is typed and leaves half its functions without annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import copy
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none'"
)
_TEMPLATES = Path(__file__).parent / "templates"
_INLINE = "a abbr b br code del em i img ins kbd mark q s samp small span strong sub sup u var"
_BLOCKS = "blockquote details div dd dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre summary ul"
_TABLES = "caption col colgroup table tbody td tfoot th thead tr"
_TAGS = frozenset(f"{_INLINE} {_BLOCKS} {_TABLES}".split())


def _link(_tag: str, name: str, value: str) -> bool:
    return name in ("name", "title") or (name == "href" and not value.strip().lower().startswith("data:"))


def _image(_tag: str, name: str, value: str) -> bool:
    """Pictures stand in the page itself; one from elsewhere would tell its server who reads."""
    return name in ("alt", "width", "height", "title") or (name == "src" and value.strip().startswith("data:image/"))


_ATTRIBUTES = {
    "*": ["class", "id", "title", "style", "align", "dir", "lang"],
    "a": _link,
    "col": ["span", "width"],
    "colgroup": ["span", "width"],
    "details": ["open"],
    "img": _image,
    "ol": ["start", "type"],
    "table": ["border"],
    "td": ["colspan", "rowspan", "valign"],
    "th": ["colspan", "rowspan", "scope", "valign"],
}
_SHOWN_TYPES = frozenset(
    {"text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml"}
)


@cache
def exporter() -> Any:
    """nbconvert's exporter with its templates compiled: 0.4 s that the runner spends while the kernel computes."""
    from nbconvert.exporters.html import HTMLExporter

    made = HTMLExporter(
        template_name="swath",
        extra_template_basedirs=[str(_TEMPLATES)],
        sanitize_html=True,
        exclude_anchor_links=True,
        filters={"clean_html": _cleaner()},
    )
    made.from_notebook_node(from_dict({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return made


def write_html(nb: NotebookNode, path: Path, *, title: str) -> None:
    """Write `nb` to `path`, atomically."""
    body, _ = exporter().from_notebook_node(_presentable(nb, title), resources={"swath_csp": POLICY})
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(body, encoding="utf-8")
    os.replace(partial, path)


def _cleaner() -> Any:
    import bleach  # type: ignore[import-untyped]
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]

    cleaner = bleach.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        protocols=["http", "https", "mailto", "data"],
        css_sanitizer=CSSSanitizer(),
        strip=True,
    )

    def clean(element: Any) -> str:
        text = element.decode() if isinstance(element, bytes) else str(element)
        return str(cleaner.clean(_without_styles(text)))

    return clean


def _without_styles(text: str) -> str:
    """`text` without <style> and <script> elements: stripping their tags alone would show their content as text."""
    return re.sub(r"(?is)<(style|script)\b.*?</\1\s*>", "", text)


def _presentable(nb: NotebookNode, title: str) -> NotebookNode:
    """A copy of `nb` that holds only what the page may show."""
    shown = copy.deepcopy(nb)
    shown.metadata["title"] = title
    shown.metadata.pop("widgets", None)
    for cell in shown.cells:
        if cell.cell_type == "raw":
            cell.metadata.pop("raw_mimetype", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = from_dict({kind: value for kind, value in output.data.items() if kind in _SHOWN_TYPES})
                output.metadata = from_dict({})  # its width and height reach the page unquoted
    return shown
