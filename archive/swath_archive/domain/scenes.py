"""Scenes: the pixels of one item before they are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: A name at run time too, without importing numpy for it.
Pixels: TypeAlias = "npt.NDArray[np.generic]"

#: Part of every recipe: raise it when the same source would be stored differently, and `archive init` stores it anew.
RECIPE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where pixels lie: CRS (``EPSG:…`` or WKT2), the six numbers of the affine transform by rows, rows and columns."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in the grid's own CRS; the grid is north-up."""
        a, _, c, _, e, f = self.transform
        return c, f + e * self.height, c + a * self.width, f


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One item's pixels: an array of rows and columns for each band, all on one grid."""

    grid: Grid
    pixels: Mapping[str, Pixels] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A file that goes beside the rasters as it is: parcels, a field's outline."""

    name: str
    """File name in the item's folder; its stem is the key of the asset."""
    content: bytes = field(repr=False)
    media_type: str
    title: str
    roles: tuple[str, ...] = ("data",)


@dataclass(frozen=True, kw_only=True)
class Pending:
    """An item that may have to be stored: named at once, read only when it is not there already."""

    item_id: str
    at: datetime
    """Nominal time, aware and UTC."""
    source: str
    """File and part that it comes from, for the provenance."""
    source_sha256: str
    read: Callable[[], Scene | None] = field(repr=False)
    """The pixels; ``None`` when the item has none (vector data)."""
    start_at: datetime | None = None
    end_at: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    extras: tuple[Extra, ...] = ()
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees, for an item without pixels."""

    @property
    def recipe(self) -> str:
        """Digest of all that decides what is stored; the same recipe is the same item."""
        text = f"{RECIPE_VERSION}|{self.source_sha256}|{self.source}|{self.item_id}|{self.at.isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()
