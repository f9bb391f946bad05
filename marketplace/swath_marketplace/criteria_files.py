"""Criteria files: versioned data, checked against the schema beside them before anything is believed."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from swath_marketplace.domain.assessments import CriteriaFile, LevelCriteria
from swath_marketplace.domain.criteria import SettingsInvalid, make
from swath_marketplace.domain.maturity import MaturityLevel

_MAX_BYTES = 1 << 20


class CriteriaInvalid(RuntimeError):
    """A criteria file is not what its schema says; the message names every fault and where it is."""


def load_criteria(path: Path | None = None) -> CriteriaFile:
    """The criteria in `path`, by default the newest that come with Swath.

    Raises
    ------
    CriteriaInvalid
    """
    folder = files("swath_marketplace") / "criteria"
    shipped = max((one for one in folder.iterdir() if one.name.endswith(".yaml")), key=lambda one: one.name)
    name, place = (path.name, path) if path else (shipped.name, shipped)
    try:
        content = place.read_bytes()
        if len(content) > _MAX_BYTES:
            raise CriteriaInvalid(f"{name}: larger than {_MAX_BYTES} bytes")
        found = yaml.safe_load(content.decode())
    except OSError as error:
        raise CriteriaInvalid(f"{name}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CriteriaInvalid(f"{name}: not YAML: {error}") from error
    _check(found, name)
    faults: list[str] = []
    levels = tuple(_level(one, faults) for one in found["levels"])
    if faults:
        raise CriteriaInvalid(f"{name}: " + "; ".join(faults))
    return CriteriaFile(version=found["version"], sha256=hashlib.sha256(content).hexdigest(), levels=levels)


@cache
def shipped_criteria() -> CriteriaFile:
    """The newest criteria that come with Swath, read once."""
    return load_criteria()


def _check(found: Any, name: str) -> None:
    # Not at the top: compiling schemas costs an importer time that it may never need.
    from jsonschema import Draft202012Validator

    schema = (files("swath_marketplace") / "criteria" / "criteria.schema.json").read_text(encoding="utf-8")
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(json.loads(schema)).iter_errors(found)
    ]
    if faults:
        raise CriteriaInvalid(f"{name}: " + "; ".join(faults))


def _level(data: dict[str, Any], faults: list[str]) -> LevelCriteria:
    made, seen = [], set()
    for one in data["criteria"]:
        settings = dict(one)
        key = settings.pop("criterion")
        if key in seen:
            faults.append(f"{data['level']}: {key} stands there twice")
        seen.add(key)
        try:
            made.append(make(key, settings))
        except SettingsInvalid as error:
            faults.append(f"{data['level']}: {error}")
    return LevelCriteria(level=MaturityLevel(data["level"]), criteria=tuple(made), fresh_days=data.get("fresh_days"))
