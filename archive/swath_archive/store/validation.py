"""STAC metadata checked without a network: STAC 1.1's own schemas for the core, our rules for the extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from swath_archive.domain.errors import BadMetadata
from swath_archive.store.extensions import FIELDS, PREFIXES

STAC_VERSION = "1.1.0"
_TYPES = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}
#: Our own fields; everything else with a colon belongs to an extension.
_OWN_PREFIX = "swath"


@cache
def _core(kind: str) -> Any:
    import jsonschema
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource

    schemas = get_local_schema_cache()
    registry: Any = Registry().with_resources(
        [(uri, Resource.from_contents(schema)) for uri, schema in schemas.items()]
    )
    uri = f"https://schemas.stacspec.org/v{STAC_VERSION}/{kind}-spec/json-schema/{kind}.json"
    # A registry without a retriever raises on a schema it does not hold; it never looks further.
    return jsonschema.validators.validator_for(schemas[uri])(schemas[uri], registry=registry)


@cache
def _rule(extension: str, field: str) -> Any:
    import jsonschema

    return jsonschema.Draft7Validator(FIELDS[extension][field])


def findings(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every fault of a STAC item, collection or catalogue: where it is and what is wrong.

    An extension that this archive has no rules for is a fault: passing it unread would call it valid.
    """
    kind = _TYPES.get(str(document.get("type")))
    if kind is None:
        return [{"field": "type", "message": f"{document.get('type')!r} is none of {', '.join(_TYPES)}"}]
    if document.get("stac_version") != STAC_VERSION:
        return [{"field": "stac_version", "message": f"{document.get('stac_version')!r} is not {STAC_VERSION}"}]
    faults = [_core_fault(error) for error in _core(kind).iter_errors(document)]
    declared = document.get("stac_extensions") or []
    faults += [
        {"field": "stac_extensions", "message": f"no rules for the extension {extension}"}
        for extension in declared
        if extension not in FIELDS
    ]
    faults += _extension_faults(document, set(declared), path="")
    return faults


def _core_fault(error: Any) -> dict[str, str]:
    # Of alternatives that all fail, the first is the usual one, and what it misses says more than that none held.
    while error.context:
        error = error.context[0]
    return {
        "field": "/".join(str(part) for part in error.absolute_path) or "(whole)",
        "message": error.message[:500],
    }


def _extension_faults(value: Any, declared: set[str], *, path: str) -> Iterator[dict[str, str]]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _extension_faults(inner, declared, path=f"{path}/{index}")
        return
    if not isinstance(value, Mapping):
        return
    for name, inner in value.items():
        where = f"{path}/{name}".lstrip("/")
        prefix = name.split(":")[0] if ":" in name else None
        if prefix and prefix != _OWN_PREFIX and "://" not in name:
            yield from _field_faults(name, inner, declared=declared, where=where, extension=PREFIXES.get(prefix))
        yield from _extension_faults(inner, declared, path=where)


def _field_faults(
    name: str, value: Any, *, declared: set[str], where: str, extension: str | None
) -> Iterator[dict[str, str]]:
    if extension is None:
        yield {"field": where, "message": f"{name} belongs to no extension that this archive knows"}
    elif extension not in declared:
        yield {"field": where, "message": f"{name} stands here, and {extension} is not in stac_extensions"}
    elif name not in FIELDS[extension]:
        yield {"field": where, "message": f"{extension} has no field {name} that this archive knows"}
    else:
        for error in _rule(extension, name).iter_errors(value):
            yield {"field": where, "message": error.message[:500]}


def validate(document: Mapping[str, Any]) -> None:
    """Check one STAC document.

    Raises
    ------
    BadMetadata
        With every fault in `findings`.
    """
    faults = findings(document)
    if faults:
        raise BadMetadata(
            code="stac-invalid",
            message=f"{document.get('type')} {document.get('id')!r} is not valid STAC {STAC_VERSION}: "
            f"{faults[0]['field']}: {faults[0]['message']}"
            + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""),
            findings=faults,
        )
