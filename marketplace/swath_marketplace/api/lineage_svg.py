"""A lineage as a picture: SVG without script, style sheet or address, every word in it escaped by the writer."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from swath_marketplace.api.lineage_layout import columns_of
from swath_marketplace.domain.lineage import Direction, Edge, Lineage, Node, NodeKind

#: More boxes nobody reads; the rest is counted in the picture and told in full by the JSON.
MOST_DRAWN = 200
_WIDTH, _HEIGHT = 236, 46
_ACROSS, _DOWN, _MARGIN = 72, 14, 24
#: That a box has room for, in the first line and in the smaller second.
_LETTERS, _SMALL_LETTERS = 33, 38
_NOT_XML = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FILLS = {NodeKind.RUN: "#e3edf9", NodeKind.SCENE: "#e2f2e4", NodeKind.FILE: "#f8eed9"}
_STROKES = {NodeKind.RUN: "#2f5d9b", NodeKind.SCENE: "#357a3d", NodeKind.FILE: "#946a14"}
_FONT = "system-ui, 'DejaVu Sans', Arial, sans-serif"


def picture_of(lineage: Lineage) -> str:
    """The SVG document; data flows from left to right."""
    columns, edges = columns_of(lineage, most=MOST_DRAWN)
    tallest = max(len(column) for column in columns)
    left_out = len(lineage.nodes) - sum(map(len, columns))
    height = 2 * _MARGIN + tallest * (_HEIGHT + _DOWN) - _DOWN + 22
    width = 2 * _MARGIN + len(columns) * (_WIDTH + _ACROSS) - _ACROSS
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "font-family": _FONT,
        },
    )
    root = lineage.nodes[0]
    way = "Where it comes from" if lineage.direction is Direction.UP else "What was made of it"
    _words(svg, "title", f"{way}: {root.title}")
    ET.SubElement(svg, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    places = _places(columns, height=height - 22)
    for edge in edges:
        _draw_edge(svg, edge, places)
    for node in (node for column in columns for node in column):
        _draw_node(
            svg, node, places[node.id], is_root=node.id == lineage.root, down=lineage.direction is Direction.DOWN
        )
    _words(svg, "text", _remark(lineage, left_out), x=_MARGIN, y=height - 10, size=11, fill="#5a5a5a")
    return ET.tostring(svg, encoding="unicode")


def _places(columns: list[list[Node]], *, height: int) -> dict[str, tuple[int, int]]:
    """The upper left corner of each box; columns stand in the middle of the picture's height."""
    places = {}
    for number, column in enumerate(columns):
        top = (height - (len(column) * (_HEIGHT + _DOWN) - _DOWN)) // 2
        for index, node in enumerate(column):
            places[node.id] = (_MARGIN + number * (_WIDTH + _ACROSS), top + index * (_HEIGHT + _DOWN))
    return places


def _draw_edge(svg: ET.Element, edge: Edge, places: dict[str, tuple[int, int]]) -> None:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = max(_ACROSS // 2, abs(x2 - x1) // 2)
    claimed = not any(one.observed for one in edge.files)
    line = {"d": f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", "fill": "none", "stroke": "#8a929c"}
    path = ET.SubElement(svg, "path", line | ({"stroke-dasharray": "4 3"} if claimed else {}))
    _words(path, "title", ", ".join(_file(one.output, one.asset, one.sha256) for one in edge.files[:20]))


def _file(output: str | None, asset: str | None, sha256: str | None) -> str:
    name = " as ".join(word for word in (output, asset) if word) or "file"
    return f"{name} (sha256 {sha256[:12]})" if sha256 else f"{name} (unknown bytes)"


def _draw_node(svg: ET.Element, node: Node, place: tuple[int, int], *, is_root: bool, down: bool) -> None:
    x, y = place
    other = node.kind is NodeKind.RUN and node.run is None
    group = ET.SubElement(svg, "g")
    revoked = f"revoked since {node.revoked_at:%Y-%m-%d}: {node.revoked_reason}" if node.revoked_at else ""
    _words(group, "title", "\n".join(line for line in (node.title, _second(node), node.digest, revoked) if line))
    box = {
        "x": str(x),
        "y": str(y),
        "width": str(_WIDTH),
        "height": str(_HEIGHT),
        "rx": "6",
        "fill": "#f1f1f1" if other else _FILLS[node.kind],
        "stroke": "#b3261e" if revoked else "#7d7d7d" if other else _STROKES[node.kind],
        "stroke-width": "2.5" if is_root else "1",
    }
    ET.SubElement(group, "rect", box | ({"stroke-dasharray": "5 3"} if other else {}))
    first = (node.item or "") if node.kind is NodeKind.SCENE else node.title
    _words(group, "text", _short(first, _LETTERS), x=x + 10, y=y + 19, size=12.5, fill="#1a1a1a")
    _words(group, "text", _short(_second(node), _SMALL_LETTERS), x=x + 10, y=y + 36, size=11, fill="#5a5a5a")
    if node.cut:
        at = x + _WIDTH + 4 if down else x - 16
        _words(group, "text", "…", x=at, y=y + _HEIGHT // 2 + 4, size=14, fill="#b3261e")


def _second(node: Node) -> str:
    if node.kind is NodeKind.RUN:
        if node.run is None:
            return "a run of somebody else"
        ended = f"{node.run.ended_at:%Y-%m-%d %H:%M}" if node.run.ended_at else ""
        told = ("revoked since",) if node.revoked_at else (node.run.status, ended)
        return " ".join(word for word in (node.run.id[:8], *told) if word)
    if node.kind is NodeKind.SCENE:
        return node.collection or ""
    return f"sha256 {node.sha256[:16]}" if node.sha256 and node.path else "a file"


def _remark(lineage: Lineage, left_out: int) -> str:
    told = []
    if left_out:
        told.append(f"{left_out} more are not drawn")
    if lineage.cut_off:
        told.append("… marks where more lies behind than this shows")
    if lineage.hidden_runs:
        told.append(f"{lineage.hidden_runs} runs of others are not shown")
    return "; ".join(told) or "dashed lines: reported by the run, not seen from outside"


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 15]}…{text[-14:]}"


def _words(
    parent: ET.Element,
    tag: str,
    text: str,
    *,
    x: float | None = None,
    y: float | None = None,
    size: float = 12,
    fill: str = "",
) -> None:
    made = ET.SubElement(parent, tag)
    made.text = _NOT_XML.sub("\ufffd", text)
    if x is not None and y is not None:
        made.attrib.update({"x": str(x), "y": str(y), "font-size": str(size), "fill": fill})
