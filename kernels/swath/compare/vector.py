"""Vectors: geometries by their Hausdorff distance, attributes as a table."""

from __future__ import annotations

from typing import Any

import numpy
import shapely

from swath.compare.features import Layer, read
from swath.compare.files import Job
from swath.compare.limits import MAX_VERTEX_PAIRS, CannotCompare
from swath.compare.table import compare_frames, row_hashes, rows_sentence, tell_rows
from swath.compare.tally import Tally
from swath.compare.wording import clean, count, number
from swath.contract.comparison import Comparison, Tolerance

#: Between vertices the distance is looked at in this part of each segment: at vertices alone, two outlines through the
#: same points in another order would be no distance apart.
_DENSIFY = 0.25
#: Of the greatest coordinate: a few units in its last place.
_ROUNDED = 8 * float(numpy.finfo("float64").eps)


def compare(job: Job) -> Comparison:
    """Compare two vectors in one coordinate reference system.

    Features are laid side by side by their ids where all have one, else in their order. Where a ring begins, and which
    way round it goes, does not count. A missing feature or attribute is out of any tolerance.
    """
    expected, found = read(job.expected, "the expected file"), read(job.found, "the found file")
    tally = Tally("vector", compared="features")
    for name in sorted(expected.keys() ^ found.keys()):
        tally.reshape(f"layer {name}", *("there" if name in side else None for side in (expected, found)))
    sentences = []
    for name in (name for name in expected if name in found):
        _check_crs(expected[name], found[name])
        sentences.append(_compare_layers(tally, expected[name], found[name], job.tolerance, layer=name))
    return tally.comparison(job.tolerance, where="; ".join(filter(None, sentences)))


def _check_crs(expected: Layer, found: Layer) -> None:
    mine, other = expected.crs, found.crs
    if (mine is None) != (other is None) or (mine is not None and not mine.equals(other, ignore_axis_order=True)):
        raise CannotCompare(f"another coordinate reference system: {_name(other)} instead of {_name(mine)}")


def _name(crs: Any) -> str:
    if crs is None:
        return "none"
    authority = crs.to_authority()
    return ":".join(authority) if authority else clean(crs.name)


def _compare_layers(tally: Tally, expected: Layer, found: Layer, tolerance: Tolerance, *, layer: str) -> str:
    what = f"layer {layer}, feature" if layer else "feature"
    if expected.ids and found.ids and expected.ids != found.ids and set(expected.ids) == set(found.ids):
        found = _sorted_as(found, expected.ids)
        tally.note("the features come in another order, by their ids", exact=True)
    sizes = len(expected.geometries), len(found.geometries)
    tally.compared += max(sizes)
    if sizes[0] != sizes[1]:
        tally.reshape(f"{what}s", f"{sizes[0]:,}", f"{sizes[1]:,}")
        _tell_features(tally, expected, found, what)
        return ""
    # The cells of the attributes are counted apart: what is compared here are features.
    inner = Tally("table", compared="cells")
    wrong = compare_frames(
        inner, expected.attributes, found.attributes, tolerance, where=what + " {row}, attribute {column}"
    )
    _take(tally, inner)
    wrong = wrong | _compare_geometries(tally, expected, found, tolerance, what=what)
    tally.differing += int(wrong.sum())
    if wrong.any() and (_hashes(expected) == _hashes(found)):
        tally.reshaped, tally.shape = True, "the same features in another order"
    return rows_sentence(wrong, what)


def _take(tally: Tally, inner: Tally) -> None:
    """What the comparison of the attributes found, but its counts."""
    for one in inner.differences():
        tally.add(one.where, one.expected, one.found, one.distance)
    for text in inner.notes:
        tally.note(text, exact=inner.exact)
    tally.exact = tally.exact and inner.exact
    if inner.reshaped and inner.shape == Tally("table", compared="cells").shape:
        tally.reshaped = True
    tally.saw(inner.largest)


def _sorted_as(layer: Layer, ids: tuple[str, ...]) -> Layer:
    place = {one: at for at, one in enumerate(layer.ids or ())}
    order = [place[one] for one in ids]
    attributes = layer.attributes.iloc[order].reset_index(drop=True)
    attributes.attrs = layer.attributes.attrs
    return Layer(geometries=layer.geometries[order], attributes=attributes, crs=layer.crs, ids=ids)


def _hashes(layer: Layer) -> list[int]:
    texts = shapely.to_wkb(shapely.normalize(layer.geometries))
    columns = sorted(layer.attributes.columns, key=str)
    rows = row_hashes(layer.attributes, columns)
    return sorted(hash((text, int(row))) for text, row in zip(texts, rows, strict=True))


def _tell_features(tally: Tally, expected: Layer, found: Layer, what: str) -> None:
    hashes = [
        numpy.asarray([hash(text) for text in shapely.to_wkb(shapely.normalize(layer.geometries))], dtype="int64")
        for layer in (expected, found)
    ]
    tell_rows(tally, *hashes, what=what)


def _compare_geometries(tally: Tally, expected: Layer, found: Layer, tolerance: Tolerance, *, what: str) -> Any:
    mine, other = expected.geometries, found.geometries
    wrong = numpy.zeros(len(mine), dtype=bool)
    missing = shapely.is_missing(mine), shapely.is_missing(other)
    same = (missing[0] & missing[1]) | shapely.equals_identical(mine, other)
    left = numpy.flatnonzero(~same)
    if not left.size:
        return wrong
    same[left] |= shapely.equals_identical(shapely.normalize(mine[left]), shapely.normalize(other[left]))
    left = numpy.flatnonzero(~same)
    _check_effort(mine[left], other[left])
    for place in left:
        if missing[0][place] or missing[1][place]:
            wrong[place] = True
            tally.add(f"{what} {place}", _told(mine[place]), _told(other[place]))
            continue
        distance, same_place = _apart(mine[place], other[place])
        tally.exact = False
        tally.saw(distance)
        if distance is None or distance > tolerance.distance or (distance == 0 and not same_place):
            wrong[place] = True
            tally.add(f"{what} {place}, geometry", _told(mine[place]), _told(other[place]), distance)
    return wrong


def _check_effort(mine: Any, other: Any) -> None:
    pairs = shapely.get_num_coordinates(mine).astype("float64") * shapely.get_num_coordinates(other)
    # Along segments four points are looked at in place of one, on both sides.
    effort = float(pairs.sum()) / _DENSIFY
    if effort > MAX_VERTEX_PAIRS:
        raise CannotCompare(
            f"the geometries have {effort:,.0f} pairs of points; up to {MAX_VERTEX_PAIRS:,} are measured"
        )


def _apart(mine: Any, other: Any) -> tuple[float | None, bool]:
    """Hausdorff distance, and whether the two cover the same points although they are written otherwise."""
    if mine.geom_type.removeprefix("Multi") != other.geom_type.removeprefix("Multi") or mine.is_empty or other.is_empty:
        return None, False
    distance = float(shapely.hausdorff_distance(mine, other, densify=_DENSIFY))
    if numpy.isnan(distance):
        return None, False
    if mine.has_z or other.has_z:
        heights = _heights(mine, other)
        if heights is None:
            return distance or None, False
        distance = max(distance, heights)
    # A point put on a slanted edge is beside it by what its coordinates are rounded by.
    noise = _ROUNDED * max(map(abs, (*mine.bounds, *other.bounds)))
    return (distance, False) if distance > noise else (0.0, _covers_the_same(mine, other, noise))


def _covers_the_same(mine: Any, other: Any, noise: float) -> bool:
    if not mine.geom_type.endswith("Polygon"):
        return bool(shapely.hausdorff_distance(mine, other, densify=_DENSIFY / 8) <= noise)
    try:
        return bool(shapely.symmetric_difference(mine, other).area <= 2 * noise * mine.length)
    except shapely.errors.GEOSException:
        # Rings that cross themselves cover nothing that can be told.
        return False


def _heights(mine: Any, other: Any) -> float | None:
    sides = [shapely.get_coordinates(shapely.normalize(one), include_z=True)[:, 2] for one in (mine, other)]
    if sides[0].shape != sides[1].shape or numpy.isnan(sides[0]).any() != numpy.isnan(sides[1]).any():
        return None
    return float(numpy.nanmax(numpy.abs(sides[0] - sides[1]), initial=0.0))


def _told(geometry: Any) -> str:
    if geometry is None:
        return "no geometry"
    points = count(int(shapely.get_num_coordinates(geometry)), "point")
    if geometry.is_empty:
        return f"an empty {geometry.geom_type}"
    bounds = ", ".join(number(round(one, 6)) for one in geometry.bounds)
    return f"{geometry.geom_type} of {points} within {bounds}"
