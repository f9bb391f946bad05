"""The references of the shipped algorithms, made by the independent paths and never by the notebooks.

``python tests/integration/algorithms/references.py ARCHIVE SLUG…`` writes them anew and quotes their digests in the
scenarios; the tests compute them again and compare.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import yaml
from rasterio.crs import CRS
from swath.contract.scenarios import Scenario

HERE = Path(__file__).parent
ALGORITHMS = HERE.parents[2] / "algorithms"


@dataclass(frozen=True, kw_only=True)
class Layers:
    """A raster: layers by rows and columns, north up."""

    values: Any
    transform: Any
    crs: Any
    nodata: float
    names: tuple[str, ...] = ()


Content = Layers | pd.DataFrame | Any
"""Whatever is neither a raster nor a table is JSON."""


def load(name: str) -> ModuleType:
    """A module beside this file, the one that the tests have if there is one."""
    full = f"swath_tests_algorithms_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


def independent(slug: str) -> ModuleType:
    """The module whose ``references(scenario, raw)`` computes an algorithm's outputs in another way."""
    load("pixels")
    return load(f"independent_{slug.replace('-', '_')}")


def write(content: Content, path: Path) -> None:
    """Write a reference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    elif isinstance(content, Layers):
        _write_layers(content, path)
    else:
        path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _write_layers(content: Layers, path: Path) -> None:
    bands, height, width = content.values.shape
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": height,
        "width": width,
        "dtype": content.values.dtype.name,
        "crs": CRS.from_user_input(content.crs),
        "transform": content.transform,
        "nodata": content.nodata,
        "compress": "DEFLATE",
        "zlevel": 9,
        "predictor": 3 if content.values.dtype.kind == "f" else 2,
        "interleave": "band",
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(content.values)
        for number, name in enumerate(content.names, start=1):
            file.set_band_description(number, name)


def differs(content: Content, path: Path) -> str | None:
    """How a committed reference differs from what was computed now: nothing beyond the last digits of a machine."""
    if isinstance(content, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(pd.read_csv(path), content, check_dtype=False, rtol=1e-9, atol=1e-9)
        except AssertionError as error:
            return str(error)
        return None
    if not isinstance(content, Layers):
        committed = json.loads(path.read_text())
        return None if _near(committed, json.loads(json.dumps(content))) else f"{committed} is not {content}"
    with rasterio.open(path) as file:
        committed = file.read()
        place = (tuple(file.transform), file.crs)
    if place != (tuple(content.transform), CRS.from_user_input(content.crs)):
        return f"another grid: {place}"
    if committed.shape != content.values.shape or committed.dtype != content.values.dtype:
        return f"{committed.shape} {committed.dtype} is not {content.values.shape} {content.values.dtype}"
    apart = ~np.isclose(committed, content.values, rtol=1e-6, atol=1e-7, equal_nan=True)
    return f"{apart.sum()} pixels differ" if apart.any() else None


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-9, atol=1e-9))
    return bool(one == other)


def main(archive: str, *slugs: str) -> None:
    """Write the references of `slugs` and quote their digests."""
    raw = load("raw").Raw(Path(archive))
    for slug in slugs:
        for file in sorted((ALGORITHMS / slug / "scenarios").glob("*.yaml")):
            scenario = Scenario.from_dict(file.stem, yaml.safe_load(file.read_text()))
            if scenario.refused is not None:
                continue
            made = independent(slug).references(scenario, raw)
            for name, expected in scenario.outputs.items():
                path = ALGORITHMS / slug / expected.reference
                write(made[name], path)
                _quote(file, expected.reference, sha256(path.read_bytes()).hexdigest())
                sys.stdout.write(f"{slug}/{file.stem}/{name}: {path.stat().st_size} bytes\n")


def _quote(file: Path, reference: str, digest: str) -> None:
    """Put the digest behind its reference, in whatever form the scenario writes it."""
    pattern = rf"({re.escape(reference)}[\"']?\s*,?\s*sha256:\s*)[\"']?[0-9a-f]{{64}}[\"']?"
    text, count = re.subn(pattern, rf'\g<1>"{digest}"', file.read_text())
    assert count == 1, f"{file}: 'sha256' does not follow {reference}"
    file.write_text(text)


if __name__ == "__main__":
    # The independent paths find this module by the name that the tests give it.
    sys.modules["swath_tests_algorithms_references"] = sys.modules[__name__]
    main(*sys.argv[1:])
