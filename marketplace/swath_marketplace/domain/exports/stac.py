"""A STAC 1.1 Item of a run's outputs, with the processing and file extensions and links to what it is derived from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swath.contract.receipts import MEDIA_TYPE
from swath.contract.statements import StatedOutput, Statement
from swath.contract.times import moment, read_either

PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
_GEOMETRIES = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"})


def stac_item(
    statement: Statement,
    *,
    output_href: Callable[[StatedOutput], str],
    item_href: Callable[[str, str], str],
    receipt_href: str,
) -> dict[str, Any]:
    """The Item. Where and when are those of the parameters, as far as one says so; else no geometry and the run's end.

    Parameters
    ----------
    output_href
        Where an output is.
    item_href
        Where an item of the archive is, by its collection and id.
    """
    place = _place(statement.parameters)
    bbox = {"bbox": _bbox(place)} if place else {}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [PROCESSING, FILE],
        "id": statement.run_id,
        "geometry": place,
        **bbox,
        "properties": {**_when(statement), **_processing(statement)},
        "links": [*_derived_from(statement, item_href), _receipt(receipt_href)],
        "assets": {output.name: _asset(output, output_href(output)) for output in statement.outputs},
    }


def _processing(statement: Statement) -> dict[str, Any]:
    version = f"{statement.algorithm}@{statement.version}"
    return {
        "title": f"Outputs of {version}",
        "created": moment(statement.finished_at),
        "processing:expression": {"format": "swath-algorithm", "expression": version},
        "processing:lineage": f"Run {statement.run_id} of {version} (sha256:{statement.version_sha256}) over "
        f"{len(statement.inputs)} inputs in the environment {statement.environment.name} "
        f"(lock sha256:{statement.environment.lock_sha256})",
        "processing:facility": statement.origin,
        "processing:version": statement.version,
        "processing:datetime": moment(statement.finished_at),
        "processing:software": {statement.algorithm: statement.version, **statement.software},
        "swath:run": statement.run_id,
        "swath:parameters": dict(statement.parameters),
    }


def _asset(output: StatedOutput, href: str) -> dict[str, Any]:
    return {
        "href": href,
        "type": output.media_type,
        "title": output.name,
        "roles": ["metadata" if output.name.startswith("notebook") else "data"],
        "file:size": output.bytes,
        # A multihash: 0x12 is sha2-256, 0x20 its length.
        "file:checksum": f"1220{output.sha256}",
    }


def _derived_from(statement: Statement, item_href: Callable[[str, str], str]) -> list[dict[str, Any]]:
    items = dict.fromkeys(
        (str(read.about["collection"]), str(read.about["item"]))
        for read in statement.inputs
        if read.about.get("collection") and read.about.get("item")
    )
    return [
        {"rel": "derived_from", "href": item_href(collection, item), "type": "application/geo+json", "title": item}
        for collection, item in items
    ]


def _receipt(href: str) -> dict[str, Any]:
    return {"rel": "receipt", "href": href, "type": MEDIA_TYPE, "title": "The signed receipt of the run"}


def _when(statement: Statement) -> dict[str, Any]:
    for value in statement.parameters.values():
        if isinstance(value, list) and len(value) == 2 and all(isinstance(end, str) for end in value):
            start, end = (read_either(end) for end in value)
            if start and end and start[0] <= end[0]:
                return {"datetime": None, "start_datetime": moment(start[0]), "end_datetime": moment(end[0])}
    return {"datetime": moment(statement.finished_at)}


def _place(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    for value in parameters.values():
        if not isinstance(value, Mapping):
            continue
        if {"west", "south", "east", "north"} <= set(value) and value.get("crs") in (None, 4326):
            west, south, east, north = (float(value[side]) for side in ("west", "south", "east", "north"))
            ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
            return {"type": "Polygon", "coordinates": [ring]}
        if value.get("type") in _GEOMETRIES and isinstance(value.get("coordinates"), list):
            return {"type": value["type"], "coordinates": value["coordinates"]}
    return None


def _bbox(geometry: Mapping[str, Any]) -> list[float]:
    found: list[tuple[float, float]] = []

    def gather(part: Any) -> None:
        if part and isinstance(part[0], int | float):
            found.append((float(part[0]), float(part[1])))
        else:
            for inner in part:
                gather(inner)

    gather(geometry["coordinates"])
    xs, ys = zip(*found, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]
