"""One input's value as this door takes it, into the value that the interface takes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from swath.contract.interface import Interface
from swath.contract.kinds import Kind, ParameterType

from swath_marketplace.api.ogc.asking import wrong
from swath_marketplace.api.ogc.references import References
from swath_marketplace.api.ogc.words import CRS84, CRS84H

_QUALIFIERS = {"value", "mediaType", "encoding", "schema", "format"}
_LINK = {"href", "rel", "type", "hreflang", "title", "format"}
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
_EPSG = re.compile(r"(?:https?://www\.opengis\.net/def/crs/EPSG/[0-9.]+/|urn:ogc:def:crs:EPSG:[0-9.]*:|EPSG:)(\d{4,6})")
#: Reference systems of the EPSG whose first axis is east: Web Mercator and the zones of UTM on WGS 84.
_EAST_FIRST = re.compile(r"3857|32[67](?:0[1-9]|[1-5]\d|60)")


def parameters_of(interface: Interface, inputs: Mapping[str, Any], references: References) -> dict[str, Any]:
    """The parameters that `inputs` stand for; types and bounds are checked where a run is made, all at once.

    Raises
    ------
    Invalid
        When a value's wrapping cannot be undone: a media type that the input has not, a reference that is not opened.
    """
    told: dict[str, Any] = {}
    for name, value in inputs.items():
        parameter = interface.parameter(name)
        # One that nobody knows is named with the others that are wrong.
        told[name] = value if parameter is None else _value(parameter.type, value, name, references)
    return told


def _value(of: ParameterType, value: Any, field: str, references: References) -> Any:
    if of.items is not None:
        return _list(of.items, value, field, references)
    if isinstance(value, dict):
        if "href" in value and value.keys() <= _LINK:
            return _referred(of, value, field, references)
        if "value" in value and value.keys() <= _QUALIFIERS:
            return _qualified(of, value, field)
        if of.kind is Kind.BBOX and "bbox" in value:
            return _bbox(value, field)
    return value


def _list(of: ParameterType, value: Any, field: str, references: References) -> Any:
    if isinstance(value, dict) and "value" in value and isinstance(value["value"], list):
        value = value["value"]
    # The standard lets a single value stand where several may.
    values = value if isinstance(value, list) else [value]
    return [_value(of, one, f"{field}[{place}]", references) for place, one in enumerate(values)]


def _qualified(of: ParameterType, value: Mapping[str, Any], field: str) -> Any:
    nested = value.get("format")
    described = {**(nested if isinstance(nested, dict) else {}), **value}
    media_type, encoding = described.get("mediaType"), described.get("encoding")
    inner = value["value"]
    if encoding not in (None, "", "utf-8", "UTF-8"):
        if encoding != "base64" or not isinstance(inner, str):
            raise wrong(field, "a value is encoded as base64, or not at all", "send encoding: base64 and a string")
        return _decoded(of, _unpacked(inner, field), media_type, field)
    _check_media_type(of, media_type, field)
    if isinstance(inner, str) and of.kind in (Kind.GEOJSON, Kind.BBOX) and media_type:
        return _parsed(inner.encode(), field)
    return _bbox(inner, field) if of.kind is Kind.BBOX and isinstance(inner, dict) and "bbox" in inner else inner


def _referred(of: ParameterType, link: Mapping[str, Any], field: str, references: References) -> Any:
    href = link["href"]
    if not isinstance(href, str) or len(href) > 2 << 20:
        raise wrong(field, "its href is no address", "send a string")
    found = references.resolve(href, field=field)
    told = link.get("type") or found.media_type
    # Most servers and people say text/plain of what they have not looked at.
    return _decoded(of, found.content, None if told == "text/plain" else told, field)


def _decoded(of: ParameterType, content: bytes, media_type: Any, field: str) -> Any:
    _check_media_type(of, media_type, field)
    if of.kind is Kind.STR and not (isinstance(media_type, str) and _JSON.fullmatch(media_type)):
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise wrong(field, "it is no text in UTF-8", "send text") from None
    parsed = _parsed(content, field)
    return _bbox(parsed, field) if of.kind is Kind.BBOX and isinstance(parsed, dict) and "bbox" in parsed else parsed


def _check_media_type(of: ParameterType, media_type: Any, field: str) -> None:
    if media_type is None:
        return
    base = str(media_type).partition(";")[0].strip().lower()
    text = of.kind not in (Kind.GEOJSON, Kind.BBOX) and base.startswith("text/")
    if not (text or _JSON.fullmatch(base)):
        expected = "application/geo+json" if of.kind is Kind.GEOJSON else "application/json"
        raise wrong(
            field, "it is not of the media types that this input has", f"send {expected}", code="bad-media-type"
        )


def _unpacked(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(field, "it is no base64", "send RFC 4648 base64") from None


def _parsed(content: bytes, field: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise wrong(field, "it is no JSON", "send JSON") from None


def _bbox(value: Mapping[str, Any], field: str) -> Any:
    """The standard's box as openEO's: minima, then maxima, in the order of the axes of its reference system."""
    numbers, crs = value["bbox"], value.get("crs", CRS84)
    if not isinstance(numbers, list) or len(numbers) not in (4, 6) or value.keys() - {"bbox", "crs"}:
        raise wrong(
            field, "a box has four numbers, or six with heights", f'send {{"bbox": [W, S, E, N], "crs": "{CRS84}"}}'
        )
    half = len(numbers) // 2
    first, second, third, fourth = *numbers[:2], *numbers[half : half + 2]
    code = _code(crs, field)
    if code == 4326:
        # EPSG says latitude first; openEO's degrees have names, so that nobody has to know.
        first, second, third, fourth, code = second, first, fourth, third, None
    box = {"west": first, "south": second, "east": third, "north": fourth}
    return box if code is None else {**box, "crs": code}


def _code(crs: Any, field: str) -> int | None:
    if crs in (CRS84, CRS84H):
        return None
    match = _EPSG.fullmatch(crs) if isinstance(crs, str) else None
    if match and (match[1] == "4326" or _EAST_FIRST.fullmatch(match[1])):
        return int(match[1])
    raise wrong(
        f"{field}.crs",
        "this door knows CRS84, CRS84h, and of the EPSG 4326, 3857 and UTM on WGS 84",
        f"send {CRS84}",
        code="bad-crs",
    )
