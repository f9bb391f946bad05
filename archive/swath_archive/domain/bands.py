"""Bands: what the numbers in one raster mean."""

from __future__ import annotations

from dataclasses import dataclass

#: The names that the STAC extension `eo` v2 allows; other rooms may be asked for a band by any of them.
# fmt: off
COMMON_NAMES = frozenset({
    "pan", "coastal", "blue", "green", "green05", "yellow", "red", "rededge", "rededge071", "rededge075", "rededge078",
    "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12",
})
# fmt: on


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """One value of a categorical band."""

    value: int
    name: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """One measured or categorical band, as stored.

    The physical value is ``stored * scale + offset`` wherever ``stored != nodata``. A categorical band has neither.
    """

    name: str
    data_type: str
    """A numpy name: ``uint8``, ``uint16``, ``int16``, ``float32`` …"""
    description: str
    nodata: float | None = None
    """``float("nan")`` for floating bands; ``None`` when every pixel holds a value."""
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    common_name: str | None = None
    center_wavelength_um: float | None = None
    categories: tuple[Category, ...] = ()

    @property
    def categorical(self) -> bool:
        """Whether the values are names of classes rather than measures."""
        return bool(self.categories)


#: Sentinel-2's scene classification, as in ESA's level-2A algorithm theoretical basis document.
SCENE_CLASSES = (
    Category(value=0, name="no_data", description="no data"),
    Category(value=1, name="saturated_or_defective", description="saturated or defective"),
    Category(value=2, name="dark_area", description="dark area or cast shadow"),
    Category(value=3, name="cloud_shadow", description="cloud shadow"),
    Category(value=4, name="vegetation", description="vegetation"),
    Category(value=5, name="not_vegetated", description="bare soil"),
    Category(value=6, name="water", description="water"),
    Category(value=7, name="unclassified", description="unclassified"),
    Category(value=8, name="cloud_medium_probability", description="cloud, medium probability"),
    Category(value=9, name="cloud_high_probability", description="cloud, high probability"),
    Category(value=10, name="thin_cirrus", description="thin cirrus"),
    Category(value=11, name="snow", description="snow or ice"),
)

#: name -> (common name, centre wavelength in micrometres, what it is), Sentinel-2 MSI.
_SENTINEL_2 = {
    "B01": ("coastal", 0.443, "coastal aerosol"),
    "B02": ("blue", 0.490, "blue"),
    "B03": ("green", 0.560, "green"),
    "B04": ("red", 0.665, "red"),
    "B05": ("rededge071", 0.704, "red edge 1"),
    "B06": ("rededge075", 0.740, "red edge 2"),
    "B07": ("rededge078", 0.783, "red edge 3"),
    "B08": ("nir", 0.842, "near infrared"),
    "B8A": ("nir08", 0.865, "near infrared, narrow"),
    "B09": ("nir09", 0.945, "water vapour"),
    "B10": ("cirrus", 1.375, "cirrus"),
    "B11": ("swir16", 1.610, "short-wave infrared 1"),
    "B12": ("swir22", 2.190, "short-wave infrared 2"),
}


def sentinel_2_band(name: str, *, quantity: str = "surface reflectance") -> Band:
    """A reflectance band of Sentinel-2 as openEO back ends deliver it: 10000 times reflectance, 65535 none.

    Parameters
    ----------
    quantity
        What is measured: surface reflectance (level 2A), or top-of-atmosphere reflectance (level 1C).
    """
    common_name, wavelength, what = _SENTINEL_2[name]
    return Band(
        name=name,
        data_type="uint16",
        description=f"{what}, {quantity}",
        nodata=65535,
        scale=0.0001,
        unit="1",
        common_name=common_name,
        center_wavelength_um=wavelength,
    )


def scene_classification(*, simulated: bool = False) -> Band:
    """The scene classification band; 0 stands for no data."""
    return Band(
        name="SCL",
        data_type="uint8",
        description="SIMULATED scene classification" if simulated else "scene classification",
        nodata=0,
        categories=SCENE_CLASSES,
    )
