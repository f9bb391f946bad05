"""A lineage as a tree, and which of file, hash and run a word stands for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath.client import lineage
from swath.client.credentials import Credentials
from swath.client.errors import Invalid
from swath.client.http import Api
from swath.client.lineage import Lineage


def run(key: str, **more: Any) -> dict[str, Any]:
    told = {"id": f"run:{key}", "kind": "run", "title": "ada/mean 1.0.0", "run": {"id": key, "status": "finished"}}
    return {**told, **more}


def scene(item: str) -> dict[str, Any]:
    return {"id": f"scene:{item}", "kind": "scene", "title": f"s2/{item}", "collection": "s2", "item": item}


def edge(source: str, target: str, *names: str) -> dict[str, Any]:
    return {"source": source, "target": target, "files": [{"asset": name} for name in names]}


def told(nodes: list[dict[str, Any]], edges: list[dict[str, Any]], **more: Any) -> Lineage:
    data = {"root": nodes[0]["id"], "direction": "up", "nodes": nodes, "edges": edges, **more}
    return Lineage(data, picture=lambda: "<svg/>")


def test_a_tree_tells_each_branch_once() -> None:
    found = told(
        [run("c"), run("a"), run("b", run=None), scene("S1"), scene("S2")],
        [
            edge("run:a", "run:c", "mean"),
            edge("run:b", "run:c"),
            edge("scene:S1", "run:a", "B04", "B08"),
            edge("run:a", "run:b"),
            edge("scene:S2", "run:b", *[f"B{number:02}" for number in range(9)]),
        ],
    )
    assert found.tree().splitlines() == [
        "ada/mean 1.0.0  run c, finished",
        "├─ ada/mean 1.0.0  run a, finished  [mean]",
        "│  └─ s2/S1  [B04, B08]",
        "└─ ada/mean 1.0.0  a run of somebody else",
        "   ├─ ada/mean 1.0.0  run a, finished  (see above)",
        "   └─ s2/S2  [B00, B01, B02, B03, B04, B05 and 3 more]",
    ]
    assert found.scenes == ["s2/S1", "s2/S2"]


def test_a_chain_of_a_thousand_runs_is_a_tree_too() -> None:
    nodes = [run(str(number)) for number in range(1000)]
    edges = [edge(f"run:{number + 1}", f"run:{number}") for number in range(999)]
    lines = told(nodes, edges).tree().splitlines()
    assert len(lines) == 1000
    assert max(map(len, lines)) < 200


def test_what_is_cut_off_or_hidden_is_said() -> None:
    lines = told([run("a", cut=True)], [], hidden_runs=3, cut_off=True).tree().splitlines()
    assert lines == ["ada/mean 1.0.0  run a, finished  … cut off", "(3 runs of others are not shown)"]


def test_words_of_others_drive_no_terminal_and_no_page() -> None:
    found = told([run("a", title="<b>\x1b[2J\nx")], [])
    assert "\x1b" not in found.tree()
    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert "data:image/svg+xml;base64," in found._repr_html_()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def api(asked: list[str]) -> Api:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json={"root": "run:a", "direction": "up", "nodes": [run("a")], "edges": []})

    return Api(Credentials(url="http://hub/", token="t", source="test"), transport=httpx.MockTransport(answer))


def test_a_file_a_hash_or_a_run(api: Api, asked: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mean.tif"
    file.write_bytes(b"pixels")
    digest = hashlib.sha256(b"pixels").hexdigest()
    for what in (file, digest, f"sha256:{digest}"):
        lineage.of(api, what, down=True)
    lineage.of(api, "abc123", depth=2).svg()
    base = "/services/marketplace/"
    assert asked == [
        *[f"{base}lineage/{digest}?direction=down"] * 3,
        f"{base}runs/abc123/lineage?direction=up&depth=2",
        f"{base}runs/abc123/lineage?direction=up&depth=2&format=svg",
    ]
    with pytest.raises(Invalid, match="folder"):
        lineage.of(api, tmp_path)
    with pytest.raises(Invalid, match="no file here"):
        lineage.of(api, "no/such.tif")
