"""Notebooks made in memory, one fault at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from swath.contract.interface import Interface
from swath.contract.notebook import Reading, read_notebook

GOOD_METADATA = {
    "name": "good-one",
    "title": "A good one",
    "summary": "Has nothing to complain about.",
    "version": "1.0.0",
    "license": "Apache-2.0",
}
IMPORTS = (
    "from datetime import date, datetime, timedelta, timezone\n"
    "from typing import Annotated, List, Literal, Optional, Union\n"
    "import swath\n"
    "from swath import (BBox, Bounds, Ge, GeoJSON, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Pattern,\n"
    "                   TemporalInterval)\n"
)


def code(source: str, *tags: str, **members: Any) -> dict[str, Any]:
    """A code cell as JupyterLab saves it."""
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        **members,
    }


def markdown(source: str) -> dict[str, Any]:
    """A text cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def build(*cells: dict[str, Any], metadata: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """A notebook of these cells; `members` replace those of the file."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "language_info": {"name": "python"},
            "swath": GOOD_METADATA if metadata is None else metadata,
        },
        "cells": [{"id": f"cell-{position}", **cell} for position, cell in enumerate(cells)],
        **members,
    }


class Make:
    """The functions above, for tests that take the fixture `make`."""

    code = staticmethod(code)
    markdown = staticmethod(markdown)
    build = staticmethod(build)
    good_metadata = GOOD_METADATA
    imports = IMPORTS


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


@pytest.fixture(scope="session")
def read_parameters() -> Callable[..., Reading]:
    """Read a notebook whose parameters cell holds `declarations`, with everything imported above it."""

    def read(declarations: str, *below: str) -> Reading:
        cells = [code(IMPORTS), code(declarations, "parameters"), *(code(source) for source in below)]
        return read_notebook(build(*cells), environments=None)

    return read


@pytest.fixture(scope="session")
def interface_of(read_parameters: Callable[..., Reading]) -> Callable[..., Interface]:
    """The interface of a notebook that is right."""

    def interface(declarations: str, *below: str) -> Interface:
        reading = read_parameters(declarations, *below)
        assert reading.ok, reading.errors
        assert reading.interface is not None
        return reading.interface

    return interface
