"""Where the nodes of a lineage stand in its picture: columns in the direction of the data, few edges that cross."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from swath_marketplace.domain.lineage import Direction, Edge, Lineage, Node

_SWEEPS = 6


def columns_of(lineage: Lineage, *, most: int) -> tuple[list[list[Node]], list[Edge]]:
    """The nearest `most` nodes in columns from left to right, and the edges between them.

    Sources stand left of what was made of them. Columns are the longest ways to the root (up) or from it (down), so
    that every edge of a graph without circles goes to the right; each column is ordered by the means of its
    neighbours' places (Sugiyama, Tagawa and Toda 1981), a few times back and forth.
    """
    nodes = {node.id: node for node in lineage.nodes[:most]}
    edges = [edge for edge in lineage.edges if edge.source in nodes and edge.target in nodes]
    up = lineage.direction is Direction.UP
    ranks = _ranks(nodes, [(edge.target, edge.source) if up else (edge.source, edge.target) for edge in edges])
    last = max(ranks.values(), default=0)
    columns: list[list[Node]] = [[] for _ in range(last + 1)]
    for node in nodes.values():
        columns[last - ranks[node.id] if up else ranks[node.id]].append(node)
    _untangle(columns, edges)
    return columns, edges


def _ranks(nodes: Mapping[str, Node], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node along `pairs`; what stands in a circle, and behind it, keeps its depth."""
    following, waiting = defaultdict(list), dict.fromkeys(nodes, 0)
    for first, second in pairs:
        following[first].append(second)
        waiting[second] += 1
    ranks, queue = dict.fromkeys(nodes, 0), deque(key for key, count in waiting.items() if not count)
    done = set()
    while queue:
        key = queue.popleft()
        done.add(key)
        for other in following[key]:
            ranks[other] = max(ranks[other], ranks[key] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                queue.append(other)
    return {key: rank if key in done else max(rank, nodes[key].depth) for key, rank in ranks.items()}


def _untangle(columns: list[list[Node]], edges: Sequence[Edge]) -> None:
    beside = defaultdict(list)
    for edge in edges:
        beside[edge.source].append(edge.target)
        beside[edge.target].append(edge.source)
    for sweep in range(_SWEEPS):
        order = range(len(columns)) if sweep % 2 else range(len(columns) - 1, -1, -1)
        # Shares of a column's height, for columns are of many lengths.
        places = {node.id: (index + 0.5) / len(column) for column in columns for index, node in enumerate(column)}
        for number in order:
            column = columns[number]

            def mean(node: Node, places: Mapping[str, float] = places) -> float:
                known = [places[other] for other in beside[node.id]]
                return sum(known) / len(known) if known else places[node.id]

            column.sort(key=mean)
            places |= {node.id: (index + 0.5) / len(column) for index, node in enumerate(column)}
