"""What the archive holds, for people and programs at a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swath_service.errors import NotFound

from swath_archive.store.catalogue import Catalogue


def list_collections(root: Path) -> list[dict[str, Any]]:
    """A row for each collection, by id."""
    rows = []
    for document in Catalogue(root).collections():
        start, end = document["extent"]["temporal"]["interval"][0]
        rows.append(
            {
                "collection": document["id"],
                "data": "SIMULATED" if document.get("swath:simulated") else "real",
                "items": sum(1 for link in document["links"] if link["rel"] == "item"),
                "bands": list(document.get("item_assets", {})),
                "from": (start or "")[:10],
                "to": (end or "")[:10],
            }
        )
    return rows


def list_items(root: Path, collection_id: str) -> list[dict[str, Any]]:
    """A row for each item of one collection, by time.

    Raises
    ------
    NotFound
        Naming the collections that there are.
    """
    catalogue = Catalogue(root)
    collections = [document["id"] for document in catalogue.collections()]
    if collection_id not in collections:
        raise NotFound(
            code="no-such-collection",
            message=f"there is no collection {collection_id!r}",
            mend=f"those there are: {', '.join(collections) or 'none'}",
        )
    return [
        {
            "item": item["id"],
            "datetime": item["properties"]["datetime"],
            "data": "SIMULATED" if item["properties"].get("swath:simulated") else "real",
            "assets": list(item["assets"]),
            "bytes": sum(asset.get("file:size", 0) for asset in item["assets"].values()),
        }
        for item in sorted(catalogue.items(collection_id), key=lambda item: str(item["properties"]["datetime"]))
    ]
