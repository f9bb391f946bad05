"""A lineage as a picture: where the boxes stand, what is said when not all are drawn."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from swath_marketplace.api.lineage_layout import columns_of
from swath_marketplace.api.lineage_svg import MOST_DRAWN, picture_of
from swath_marketplace.domain.lineage import Carried, Direction, Edge, Lineage, Node, NodeKind

SVG = "{http://www.w3.org/2000/svg}"


def node(key: str, depth: int = 0, **more: object) -> Node:
    return Node(id=key, kind=NodeKind.SCENE, depth=depth, collection="s2", item=key, **more)  # type: ignore[arg-type]


def edge(source: str, target: str) -> Edge:
    return Edge(source=source, target=target, files=(Carried(sha256="a" * 64),))


def lineage(*pairs: tuple[str, str], root: str, direction: Direction = Direction.UP) -> Lineage:
    keys = [root, *sorted({key for pair in pairs for key in pair} - {root})]
    return Lineage(
        root=root,
        direction=direction,
        nodes=tuple(node(key, depth=int(key != root)) for key in keys),
        edges=tuple(edge(*pair) for pair in pairs),
    )


@pytest.mark.parametrize("direction", list(Direction))
def test_every_edge_goes_to_the_right(direction: Direction) -> None:
    # A short way and a long one between the same two.
    pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]
    if direction is Direction.DOWN:
        pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")]
    found = lineage(*pairs, root="c" if direction is Direction.UP else "a", direction=direction)
    columns, edges = columns_of(found, most=100)
    at = {one.id: number for number, column in enumerate(columns) for one in column}
    assert all(at[one.source] < at[one.target] for one in edges)
    assert at[found.root] == (2 if direction is Direction.UP else 0)


def test_edges_of_a_ladder_do_not_cross() -> None:
    pairs = [(f"s{number}", f"m{(number * 7) % 10}") for number in range(10)]
    pairs += [(f"m{number}", "root") for number in range(10)]
    columns, edges = columns_of(lineage(*pairs, root="root"), most=100)
    at = {one.id: place for column in columns for place, one in enumerate(column)}
    assert [at[one.source] - at[one.target] for one in edges if one.target != "root"] == [0] * 10


def test_a_circle_is_drawn_all_the_same() -> None:
    columns, edges = columns_of(lineage(("a", "b"), ("b", "a"), root="a"), most=100)
    assert (sum(map(len, columns)), len(edges)) == (2, 2)
    ET.fromstring(picture_of(lineage(("a", "b"), ("b", "a"), root="a")))


def test_a_large_graph_is_drawn_in_part_and_says_so() -> None:
    wide = lineage(*((f"s{number}", "root") for number in range(1000)), root="root")
    svg = ET.fromstring(picture_of(wide))
    assert len(list(svg.iter(f"{SVG}g"))) == MOST_DRAWN
    assert "801 more are not drawn" in [element.text for element in svg.iter(f"{SVG}text")][-1]


def test_one_node_is_a_picture() -> None:
    svg = ET.fromstring(picture_of(Lineage(root="a", direction=Direction.UP, nodes=(node("a", cut=True),))))
    assert "…" in [element.text for element in svg.iter(f"{SVG}text")]
