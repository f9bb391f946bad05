"""Adding one file to the archive: examined, refused with every reason at once, or stored as a cloud-optimised copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swath_service.errors import Conflict

from swath_archive.domain.additions import Addition, band_names, bands_of, faults, misfits
from swath_archive.domain.bands import Band
from swath_archive.domain.collections import ID, CollectionSpec, Licence, Provider
from swath_archive.domain.errors import BadFile
from swath_archive.domain.scenes import Pending, Scene
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.cog import describe
from swath_archive.store.documents import Document, band_of
from swath_archive.store.rasters import examine, read_bands


def add(root: Path, addition: Addition) -> Document:
    """Store a GeoTIFF as an item and give the item's document; the file itself is only read.

    Idempotent: the same file under the same id is left as it is.

    Raises
    ------
    BadFile
        With every fault in `findings`: no CRS, unnamed bands, no nodata, no time, bands that do not fit the collection.
    Conflict
        Another file is stored under that id, and `addition.replace` is not set.
    """
    contents = examine(addition.path)
    found = list(faults(addition, contents))
    if not ID.match(addition.collection):
        mend = "lower-case letters, digits, '.', '-' and '_'"
        found.append({"field": "collection", "message": f"{addition.collection!r} is no id", "mend": mend})
    catalogue = Catalogue(root)
    with catalogue.writing():
        known = catalogue.collection(addition.collection) if not found else None
        if not found:
            bands = bands_of(addition, contents)
            found = list(misfits(bands, _known_bands(known))) if known else []
        if found:
            raise BadFile(
                code="file-refused",
                message=f"{addition.path.name} cannot be added: {found[0]['message']}"
                + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""),
                mend=found[0]["mend"],
                findings=found,
            )
        at = addition.at or contents.at
        assert at is not None, "`faults` saw to that"
        assert contents.grid is not None, "`faults` saw to that"
        grid, names = contents.grid, band_names(contents, addition.bands)
        pending = Pending(
            item_id=addition.item_id or _id_of(addition.path),
            at=at,
            source=addition.path.name,
            source_sha256=describe(addition.path).sha256,
            read=lambda: Scene(grid=grid, pixels=read_bands(addition.path, names)),
        )
        spec = _spec(addition, bands=bands, known=known)
        return _store(catalogue, spec, pending, known=known, replace=addition.replace)


def _store(
    catalogue: Catalogue, spec: CollectionSpec, pending: Pending, *, known: Document | None, replace: bool
) -> Document:
    old = catalogue.item(spec.id, pending.item_id)
    if old is not None and catalogue.holds(spec, pending):
        return old
    if old is not None and not replace:
        raise Conflict(
            code="item-exists",
            message=f"{spec.id} has an item {pending.item_id} that was made of another file",
            mend="give another id with --item, or --replace it",
        )
    document = catalogue.store_item(spec, pending)
    catalogue.publish(None if known else spec)
    return document


def _id_of(path: Path) -> str:
    kept = "".join(char if char.isalnum() or char in "._-" else "-" for char in path.stem)
    return kept.strip("._-")[:120] or "item"


def _known_bands(collection: Document) -> dict[str, Band]:
    return {
        name: band for name, asset in collection.get("item_assets", {}).items() if (band := band_of(asset)) is not None
    }


def _spec(addition: Addition, *, bands: tuple[Band, ...], known: Document | None) -> CollectionSpec:
    """The collection as the item needs it; of one that is there, its own words."""
    provenance = addition.provenance or f"Added from {addition.path.name} by the archive's operator."
    if known is None:
        return CollectionSpec(
            id=addition.collection,
            title=addition.title or addition.collection,
            description=addition.title or f"Files added by the archive's operator as {addition.collection}.",
            licence=Licence(id=addition.licence or "other"),
            providers=(),
            bands=bands,
            provenance=provenance,
        )
    named = {band.name: band for band in bands}
    merged: list[Band] = []
    for name, band in _known_bands(known).items():
        mine = named.get(name)
        # The file decides its own scale and offset; what a band is called and means, the collection.
        merged.append(_with_scale(band, mine) if mine else band)
    return CollectionSpec(
        id=known["id"],
        title=str(known.get("title") or known["id"]),
        description=known["description"],
        licence=Licence(id=known["license"]),
        providers=tuple(_provider(one) for one in known.get("providers", ()) if one["name"] != "This Swath archive"),
        bands=tuple(merged),
        provenance=provenance,
        simulated=bool(known.get("swath:simulated", False)),
    )


def _with_scale(known: Band, mine: Band) -> Band:
    from dataclasses import replace

    return known if known.categorical else replace(known, scale=mine.scale, offset=mine.offset)


def _provider(document: dict[str, Any]) -> Provider:
    return Provider(name=document["name"], roles=tuple(document.get("roles", ())), url=document.get("url"))
