"""STAC metadata is checked without a network, and what cannot be checked does not pass."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_archive.domain.errors import BadMetadata
from swath_archive.store.validation import findings, validate

Document = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("validation asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def item(small_archive: Path) -> Document:
    path = small_archive / "reflectance/reflectance-20230402/reflectance-20230402.json"
    document: Document = json.loads(path.read_text())
    return document


def test_what_the_archive_writes_is_valid(small_archive: Path) -> None:
    documents = [json.loads(path.read_text()) for path in small_archive.rglob("*.json")]
    assert len(documents) == 1 + 2 + 4
    assert [findings(document) for document in documents] == [[]] * len(documents)


def _extension(item: Document) -> None:
    item["stac_extensions"].append("https://stac-extensions.github.io/sar/v1.0.0/schema.json")


def _undeclared(item: Document) -> None:
    item["stac_extensions"] = [uri for uri in item["stac_extensions"] if "/file/" not in uri]


def _unknown_prefix(item: Document) -> None:
    item["properties"]["sat:orbit_state"] = "ascending"


def _unknown_field(item: Document) -> None:
    item["assets"]["B04"]["proj:epsg"] = 32631


def _checksum(item: Document) -> None:
    item["assets"]["B04"]["file:checksum"] = "0" * 64


def _scale(item: Document) -> None:
    item["assets"]["B04"]["bands"][0]["raster:scale"] = "0.0001"


def _zero_scale(item: Document) -> None:
    item["assets"]["B04"]["bands"][0]["raster:scale"] = 0


def _common_name(item: Document) -> None:
    item["assets"]["B04"]["bands"][0]["eo:common_name"] = "infrared"


def _shape(item: Document) -> None:
    item["assets"]["B04"]["proj:shape"] = [300]


def _classes(item: Document) -> None:
    item["assets"]["SCL"]["bands"][0]["classification:classes"] = [{"value": "four", "name": "vegetation"}]


def _no_id(item: Document) -> None:
    del item["id"]


def _no_bbox(item: Document) -> None:
    del item["bbox"]


def _datetime(item: Document) -> None:
    item["properties"]["datetime"] = "2 April 2023"


def _no_datetime(item: Document) -> None:
    del item["properties"]["datetime"]


def _geometry(item: Document) -> None:
    item["geometry"]["coordinates"] = "here"


def _version(item: Document) -> None:
    item["stac_version"] = "1.0.0"


def _type(item: Document) -> None:
    item["type"] = "Thing"


def _asset(item: Document) -> None:
    del item["assets"]["B04"]["href"]


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_extension, "sar"),
        (_undeclared, "file"),
        (_unknown_prefix, "sat:orbit_state"),
        (_unknown_field, "proj:epsg"),
        (_checksum, "does not match"),
        (_scale, "not of type"),
        (_zero_scale, "not"),
        (_common_name, "infrared"),
        (_shape, "too short"),
        (_classes, "four"),
        (_no_id, "id"),
        (_no_bbox, "bbox"),
        (_datetime, "April"),
        (_no_datetime, "datetime"),
        (_geometry, "here"),
        (_version, "1.0.0"),
        (_type, "Thing"),
        (_asset, "href"),
    ],
)
def test_what_is_wrong_does_not_pass(item: Document, spoil: Callable[[Document], None], word: str) -> None:
    spoiled = copy.deepcopy(item)
    spoil(spoiled)
    with pytest.raises(BadMetadata) as caught:
        validate(spoiled)
    assert any(word in finding["message"] or word in finding["field"] for finding in caught.value.findings)
