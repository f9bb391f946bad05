"""The STAC API as its callers meet it: pystac-client, a plain HTTP client, GDAL, and whoever may not come in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pystac_client import Client
from swath_archive.client import ArchiveClient, ArchiveUnavailable
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.validation import findings

pytestmark = pytest.mark.integration
READER = {"Authorization": "Bearer reader"}


@pytest.fixture
def http(service: str) -> Any:
    with httpx.Client(base_url=service, headers=READER, timeout=30) as client:
        yield client


def test_pystac_client_reads_it_all(service: str, small_archive: Path) -> None:
    client = Client.open(service, headers=READER)
    assert {one.id for one in client.get_collections()} == {"odd-grid", "reflectance"}
    assert [item.id for item in client.get_collection("odd-grid").get_items()] == ["odd"]
    found = list(client.search(collections=["reflectance"], limit=1).items())
    assert [item.id for item in found] == ["reflectance-20230412", "reflectance-20230407", "reflectance-20230402"]
    point = {"type": "Point", "coordinates": [5.02, 51.24]}
    assert len(list(client.search(intersects=point, datetime="2023-04-07").items())) == 1
    search = client.search(bbox=[4.9, 51.1, 5.1, 51.4], method="GET", limit=2)
    assert search.matched() == 3
    assert len(list(search.items())) == 3
    item = client.get_collection("reflectance").get_item("reflectance-20230402")
    assert item is not None
    content = httpx.get(item.assets["B04"].href, headers=READER).content
    assert content == (small_archive / "reflectance/reflectance-20230402/B04.tif").read_bytes()


def test_what_it_answers_is_valid(http: httpx.Client) -> None:
    documents = [http.get("").json(), http.get("collections/reflectance").json()]
    documents += http.get("collections").json()["collections"]
    documents += http.get("search").json()["features"]
    assert len(documents) == 2 + 2 + 4
    assert [findings(document) for document in documents] == [[]] * len(documents)
    landing = documents[0]
    assert landing["conformsTo"] == http.get("conformance").json()["conformsTo"]
    assert {"self", "root", "data", "conformance", "search", "service-desc"} <= {
        link["rel"] for link in landing["links"]
    }
    for link in landing["links"]:
        answer = http.post(link["href"], json={}) if link.get("method") == "POST" else http.get(link["href"])
        assert answer.status_code == 200, link


def test_pages_by_get_and_by_post(http: httpx.Client) -> None:
    by_get, url = [], "search?limit=3"
    while url:
        page = http.get(url).json()
        by_get += [item["id"] for item in page["features"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    body: dict[str, Any] = {"limit": 3}
    by_post: list[str] = []
    while True:
        page = http.post("search", json=body).json()
        assert page["numberMatched"] == 4
        by_post += [item["id"] for item in page["features"]]
        following = next((link for link in page["links"] if link["rel"] == "next"), None)
        if following is None:
            break
        body |= following["body"]
    assert by_get == by_post
    assert len(by_get) == len(set(by_get)) == 4


def test_assets_by_ranges(http: httpx.Client, small_archive: Path) -> None:
    item = http.get("collections/reflectance/items/reflectance-20230402").json()
    asset = item["assets"]["B04"]
    whole = (small_archive / "reflectance/reflectance-20230402/B04.tif").read_bytes()
    part = http.get(asset["href"], headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert http.get(asset["href"], headers={"Range": "bytes=-10"}).content == whole[-10:]
    assert http.get(asset["href"], headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    head = http.head(asset["href"])
    assert head.headers["content-length"] == str(len(whole))
    assert head.headers["etag"] == f'"{hashlib.sha256(whole).hexdigest()}"'
    assert head.headers["content-type"] == asset["type"]


@pytest.mark.parametrize(
    "path",
    [
        "assets/reflectance/reflectance-20230402/reflectance-20230402.json",
        "assets/reflectance/reflectance-20230402/..%2freflectance-20230407%2fB04.tif",
        "assets/reflectance/%2e%2e/collection.json",
        "assets/..%2f..%2f/x/catalog.json",
        "assets/reflectance/reflectance-20230402/%2fetc%2fpasswd",
        "collections/..%2fodd-grid",
        "collections/none",
        "collections/none/items",
        "collections/reflectance/items/none",
        "nothing/here",
    ],
)
def test_only_what_is_listed_can_be_had(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "search?bbox=1,2,3", None, 400),
        ("GET", "search?limit=0", None, 400),
        ("GET", "search?datetime=soon", None, 400),
        ("GET", "search?filter=x", None, 400),
        ("GET", "search?limit=1&limit=2", None, 400),
        ("GET", "search?token=W10=", None, 400),
        ("GET", "collections/reflectance/items?collections=odd-grid", None, 400),
        ("GET", "collections/reflectance/items?bbox=200,0,201,1", None, 400),
        ("POST", "search", {"limit": "x", "bbox": [1]}, 400),
        ("POST", "search", {"query": {}}, 400),
        ("POST", "search", {"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, 400),
        ("POST", "search", [1], 422),
        ("DELETE", "collections/reflectance", None, 405),
    ],
)
def test_what_is_wrong_is_a_problem(http: httpx.Client, method: str, path: str, body: object, status: int) -> None:
    answer = http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "conformance",
        "collections",
        "collections/reflectance",
        "collections/reflectance/items",
        "collections/reflectance/items/reflectance-20230402",
        "search",
        "assets/reflectance/reflectance-20230402/B04.tif",
    ],
)
def test_nobody_comes_in_without_the_scope(service: str, path: str) -> None:
    assert httpx.get(service + path).status_code == 401
    assert httpx.get(service + path + "?token=reader").status_code == 401
    assert httpx.get(service + path, headers={"Authorization": "Bearer unknown"}).status_code == 401
    assert httpx.get(service + path, headers={"Authorization": "Bearer stranger"}).status_code == 403
    assert httpx.get(service + path, headers=READER).status_code == 200


def test_health_needs_nobody(service: str) -> None:
    answer = httpx.get(service + "health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "service": "archive", "database": "ok"}


def test_the_client_of_the_other_rooms(service: str, small_archive: Path) -> None:
    with ArchiveClient(service, "reader") as client:
        assert [one["id"] for one in client.collections()] == ["odd-grid", "reflectance"]
        assert client.collection("none") is None
        assert client.item("odd-grid", "none") is None
        item = client.item("odd-grid", "odd")
        assert item is not None
        stored = Catalogue(small_archive).item("odd-grid", "odd")
        assert stored is not None
        assert item["properties"] == stored["properties"]
        assert client.asset(item["assets"]["B4"]["href"]) == (small_archive / "odd-grid/odd/B4.tif").read_bytes()
        assert {one["id"] for one in client.search(bbox=[4, 51, 6, 52])} == {
            "reflectance-20230402",
            "reflectance-20230407",
            "reflectance-20230412",
        }
        with pytest.raises(ArchiveUnavailable, match="400") as caught:
            list(client.search(datetime="soon"))
        assert caught.value.status == 400
        with pytest.raises(ArchiveUnavailable, match="another host"):
            client.asset("http://127.0.0.1:9/x.tif")
    with ArchiveClient(service, "stranger") as client, pytest.raises(ArchiveUnavailable, match="403"):
        client.collections()
    with ArchiveClient("http://127.0.0.1:9/", "reader") as client, pytest.raises(ArchiveUnavailable) as silent:
        client.collections()
    assert "reader" not in str(silent.value)


def test_it_shows_what_is_added_while_it_runs(small: Any, tmp_path: Path, small_archive: Path) -> None:
    import shutil

    root = Path(shutil.copytree(small_archive, tmp_path / "archive"))
    with small.serving(root, tmp_path / "data") as url, httpx.Client(base_url=url, headers=READER) as client:
        assert client.get("search").json()["numberMatched"] == 4
        shutil.rmtree(root / "odd-grid/odd")
        Catalogue(root).publish()
        assert client.get("search").json()["numberMatched"] == 3
        assert client.get("collections/odd-grid/items").json()["features"] == []


def test_the_index_is_not_in_the_archive(small: Any, tmp_path: Path, small_archive: Path) -> None:
    before = {path.name for path in small_archive.iterdir()}
    with small.serving(small_archive, tmp_path / "data"):
        database = tmp_path / "data/archive-index/index.sqlite"
        assert database.stat().st_mode & 0o077 == 0
    assert {path.name for path in small_archive.iterdir()} == before


def test_a_page_is_json(http: httpx.Client) -> None:
    answer = http.get("search")
    assert answer.headers["content-type"] == "application/geo+json"
    assert json.loads(answer.text)["type"] == "FeatureCollection"
