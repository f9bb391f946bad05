"""From a trail to an answer: what the asker may see of it, and where it ends. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from swath_marketplace.domain.lineage import (
    Carried,
    Direction,
    Edge,
    Flow,
    Lineage,
    Node,
    NodeKind,
    RunFacts,
    Trail,
    Use,
)

#: Whether the asker may see all of a run.
Sees = Callable[[RunFacts], bool]


@dataclass(kw_only=True)
class _Graph:
    """What grows while a trail is followed."""

    most: int
    nodes: dict[str, Node] = field(default_factory=dict)
    files: dict[tuple[str, str], list[Carried]] = field(default_factory=lambda: defaultdict(list))
    others: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def add(self, node: Node) -> bool:
        """Whether `node` is there now: not when there are too many."""
        if node.id not in self.nodes:
            if len(self.nodes) >= self.most:
                return False
            self.nodes[node.id] = node
        return True

    def cut(self, node_id: str) -> None:
        self.nodes[node_id] = replace(self.nodes[node_id], cut=True)

    def run(self, facts: RunFacts, *, depth: int, sees: Sees) -> Node:
        if (known := self.nodes.get(self.keys.get(facts.id, ""))) is not None:
            return known
        seen = sees(facts)
        # A number of this answer: the id of another's run is nobody's business.
        key = f"run:{facts.id}" if seen else self.others.setdefault(facts.id, f"other:{len(self.others) + 1}")
        self.keys[facts.id] = key
        return Node(
            id=key,
            kind=NodeKind.RUN,
            depth=depth,
            algorithm=facts.algorithm,
            version=facts.version,
            digest=facts.digest,
            run=facts if seen else None,
            revoked_at=facts.revoked_at,
            revoked_reason=facts.revoked_reason,
        )

    def answer(self, root: str, direction: Direction, *, trail: Trail, hidden: int = 0) -> Lineage:
        if trail.cut_off and not any(node.cut for node in self.nodes.values()):
            self.cut(root)
        edges = tuple(Edge(source=a, target=b, files=tuple(files)) for (a, b), files in self.files.items())
        nodes = tuple(sorted(self.nodes.values(), key=lambda node: (node.id != root, node.depth)))
        return Lineage(
            root=root,
            direction=direction,
            nodes=nodes,
            edges=edges,
            cut_off=any(node.cut for node in nodes),
            hidden_runs=hidden,
        )


def upstream(
    trail: Trail,
    *,
    roots: Sequence[str],
    sees: Sees,
    file: tuple[str, Mapping[str, str]] | None = None,
    depth: int,
    most: int,
) -> Lineage:
    """What the runs `roots` were made of.

    Parameters
    ----------
    sees
        Another's run is told by its algorithm and version alone; and what that one read only where its result was seen
        to be read: who merely claims to have read some bytes does not learn where those came from.
    file
        The sha256 that was asked for and, by the id of each run in `roots`, the name it has there.
    depth
        Most runs behind each other.
    most
        Nodes of the answer.
    """
    flows: dict[str, list[Flow]] = defaultdict(list)
    for flow in trail.flows:
        flows[flow.use.run_id].append(flow)
    graph, queue = _Graph(most=most), deque[tuple[str, str, int]]()
    start = _begin(graph, trail, roots=roots, sees=sees, file=file)
    queue.extend((run_id, node_id, 0) for run_id, node_id in start.items())
    reached = set(start)
    while queue:
        run_id, node_id, far = queue.popleft()
        if trail.cut_off and not flows[run_id]:
            graph.cut(node_id)
        for flow in flows[run_id]:
            facts = trail.runs.get(flow.maker) if flow.maker else None
            if flow.maker and (facts is None or far >= depth):
                graph.cut(node_id)
                continue
            node = graph.run(facts, depth=far + 1, sees=sees) if facts else _source(flow.use, depth=far + 1)
            if not graph.add(node):
                graph.cut(node_id)
                continue
            graph.files[node.id, node_id].append(_carried(flow))
            if facts and facts.id not in reached:
                if sees(facts) or flow.use.observed or _closed_to(trail, run_id, sees):
                    reached.add(facts.id)
                    queue.append((facts.id, node.id, far + 1))
                else:
                    graph.cut(node.id)
    root = f"file:{file[0]}" if file else next(iter(start.values()))
    return graph.answer(root, Direction.UP, trail=trail)


def _closed_to(trail: Trail, run_id: str, sees: Sees) -> bool:
    """Whether the reader is another's run itself: its claims are not the asker's."""
    return not sees(trail.runs[run_id])


def _begin(
    graph: _Graph, trail: Trail, *, roots: Sequence[str], sees: Sees, file: tuple[str, Mapping[str, str]] | None
) -> dict[str, str]:
    """Put the roots into `graph`; answers the node of each run."""
    if file:
        graph.add(Node(id=f"file:{file[0]}", kind=NodeKind.FILE, depth=0, sha256=file[0]))
    found = {}
    for run_id in roots:
        node = graph.run(trail.runs[run_id], depth=0, sees=sees)
        if not graph.add(node):
            break
        found[run_id] = node.id
        if file:
            graph.files[node.id, f"file:{file[0]}"].append(Carried(sha256=file[0], output=file[1][run_id]))
    return found


def downstream(
    trail: Trail, *, roots: Sequence[str], sees: Sees, file: Sequence[Flow] = (), depth: int, most: int
) -> Lineage:
    """What was made of the result of the one run in `roots`; or, of the `file` that those runs read.

    Parameters
    ----------
    sees
        Others' runs stand in the answer where they lie between runs of the asker's, without a word about them but
        algorithm and version; the rest are only counted.
    """
    flows: dict[str, list[Flow]] = defaultdict(list)
    for flow in trail.flows:
        if flow.maker:
            flows[flow.maker].append(flow)
    kept = _leading_to_seen(trail, flows, roots=() if file else roots, sees=sees)
    graph = _Graph(most=most)
    root, start = _begin_down(graph, trail, roots=roots, kept=kept, sees=sees, file=file)
    queue = deque((run_id, 0) for run_id in start)
    reached = dict(start)
    while queue:
        run_id, far = queue.popleft()
        for flow in flows[run_id]:
            user = flow.use.run_id
            if user not in kept:
                continue
            node = graph.run(trail.runs[user], depth=far + 1, sees=sees)
            if far >= depth or not graph.add(node):
                graph.cut(reached[run_id])
                continue
            graph.files[reached[run_id], node.id].append(_carried(flow))
            if user not in reached:
                reached[user] = node.id
                queue.append((user, far + 1))
    return graph.answer(root, Direction.DOWN, trail=trail, hidden=len(trail.runs.keys() - kept))


def _begin_down(
    graph: _Graph, trail: Trail, *, roots: Sequence[str], kept: set[str], sees: Sees, file: Sequence[Flow]
) -> tuple[str, dict[str, str]]:
    if not file:
        node = graph.run(trail.runs[roots[0]], depth=0, sees=sees)
        graph.add(node)
        return node.id, {roots[0]: node.id}
    source = _source(file[0].use, depth=0)
    graph.add(source)
    found = {}
    for flow in file:
        run_id = flow.use.run_id
        if run_id not in kept or run_id not in trail.runs:
            continue
        node = graph.run(trail.runs[run_id], depth=0, sees=sees)
        if not graph.add(node):
            graph.cut(source.id)
            break
        found[run_id] = node.id
        graph.files[source.id, node.id].append(_carried(flow))
    return source.id, found


def _leading_to_seen(
    trail: Trail, flows: Mapping[str, Sequence[Flow]], *, roots: Sequence[str], sees: Sees
) -> set[str]:
    """The runs that the asker may see, and those of others from which data went on to one of these."""
    kept = {run_id for run_id, facts in trail.runs.items() if sees(facts)} | set(roots)
    back: dict[str, list[str]] = defaultdict(list)
    for maker, outgoing in flows.items():
        for flow in outgoing:
            back[flow.use.run_id].append(maker)
    queue = deque(kept)
    while queue:
        for maker in back[queue.popleft()]:
            if maker in trail.runs and maker not in kept:
                kept.add(maker)
                queue.append(maker)
    return kept


def source_alone(use: Use, direction: Direction) -> Lineage:
    """The answer about a file that no run made, or that none of the asker's read."""
    node = _source(use, depth=0)
    return Lineage(root=node.id, direction=direction, nodes=(node,))


def _source(use: Use, *, depth: int) -> Node:
    if use.collection and use.item:
        return Node(
            id=f"scene:{use.collection}/{use.item}",
            kind=NodeKind.SCENE,
            depth=depth,
            collection=use.collection,
            item=use.item,
        )
    return Node(
        id=f"file:{use.sha256}" if use.sha256 else f"path:{use.path or f'{use.run_id}/{use.position}'}",
        kind=NodeKind.FILE,
        depth=depth,
        sha256=use.sha256,
        path=use.path,
    )


def _carried(flow: Flow) -> Carried:
    use = flow.use
    return Carried(sha256=use.sha256, output=flow.output, asset=use.asset, observed=use.observed)
