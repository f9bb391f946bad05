"""What of an output a page shows without a script: the beginning of a table, a plot of it, JSON, text.

Files are users': what is read of them is bounded, and it becomes text alone.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from swath.contract.media import Kind, named_kind

from swath_marketplace.api.plots import line, moment_of, number_of
from swath_marketplace.domain.runs import OutputFile

_MOST_BYTES = 1 << 20
_ROWS = 12
_COLUMNS = 12
_PLOTTED = 500
_PLOTS = 3
_TEXT = 4000
_CELL = 80
_FEATURES = 8
_MOST_FEATURE_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The beginning of a table."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: int
    """Rows that were read."""
    whole: bool
    """Whether that is all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A plot with what it says in words."""

    picture: Markup
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a page shows of one output."""

    kind: str
    """``raster``, ``vector``, ``table``, ``json``, ``text``, ``picture``, ``notebook`` or ``file``."""
    table: Table | None = None
    plots: Sequence[Plot] = field(default=())
    text: str = ""
    cut: bool = False
    """Whether `text` is its beginning alone."""

    @property
    def on_map(self) -> bool:
        """Whether it can be shown on a map."""
        return self.kind in ("raster", "vector")


def preview_of(output: OutputFile, path: Path | None) -> Preview:
    """What a page shows of `output`, whose file is at `path`, if it is still there."""
    kind = named_kind(output.media_type)
    word = kind.value if kind and kind not in (Kind.ARCHIVE, Kind.BYTES) else "file"
    if output.media_type.partition(";")[0].strip() == "text/html":
        word = "notebook" if output.name == "notebook-html" else "file"
    if path is None:
        return Preview(kind=word)
    try:
        return _read(word, output, path)
    except (OSError, ValueError, RecursionError, csv.Error):
        # It is no such file, whatever its media type says; it can be saved all the same.
        return Preview(kind=word)


def _read(word: str, output: OutputFile, path: Path) -> Preview:
    if word == "table" and output.media_type.startswith("text/csv"):
        return _table(path)
    if word == "vector" and output.media_type.startswith("application/geo+json"):
        return Preview(kind=word, table=_features(path))
    if word == "json":
        told = json.loads(_beginning(path, _MOST_BYTES))
        text = json.dumps(told, indent=2, ensure_ascii=False)
        return Preview(kind=word, text=text[:_TEXT], cut=len(text) > _TEXT)
    if word == "text":
        text = _beginning(path, 4 * _TEXT + 4).decode(errors="replace")
        return Preview(kind=word, text=text[:_TEXT], cut=len(text) > _TEXT)
    return Preview(kind=word)


def _beginning(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(most)


def _table(path: Path) -> Preview:
    content = _beginning(path, _MOST_BYTES)
    whole = path.stat().st_size <= len(content)
    text = content.decode("utf-8-sig", errors="replace")
    reader = csv.reader(io.StringIO(text if whole else text.rpartition("\n")[0]))
    heads = [cell[:_CELL] for cell in next(reader, [])]
    rows = list(itertools.islice(reader, _PLOTTED))
    more = next(reader, None) is not None
    shown = [[cell[:_CELL] for cell in row[:_COLUMNS]] for row in rows[:_ROWS]]
    table = Table(heads=heads[:_COLUMNS], rows=shown, total=len(rows), whole=whole and not more)
    return Preview(kind="table", table=table, plots=_plots(heads, rows))


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A column of numbers over one of times."""

    name: str
    over: str
    points: Sequence[tuple[float, float]]
    """In order of their times, in seconds since 1970."""


def series_of(path: Path) -> Sequence[Series]:
    """What can be plotted of the beginning of a CSV; nothing where it is no such file."""
    try:
        text = _beginning(path, _MOST_BYTES).decode("utf-8-sig", errors="replace")
        reader = csv.reader(io.StringIO(text))
        heads = [cell[:_CELL] for cell in next(reader, [])]
        return _series(heads, list(itertools.islice(reader, _PLOTTED)))
    except (OSError, ValueError, csv.Error):
        return ()


def _plots(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Sequence[Plot]:
    made = []
    for one in _series(heads, rows):
        values = [y for _, y in one.points]
        words = (
            f"{one.name} over {one.over}: {len(values)} values from {min(values):.4g} to {max(values):.4g},"
            f" first {values[0]:.4g}, last {values[-1]:.4g}"
        )
        made.append(Plot(picture=line(one.points, title=words), words=words))
    return made


def _series(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Sequence[Series]:
    """Columns of numbers against the first column of times; none where there is no such pair."""
    if len(rows) < 3:
        return ()
    columns = [[row[place] if place < len(row) else "" for row in rows] for place in range(min(len(heads), _COLUMNS))]
    times = [[moment_of(cell) for cell in column] for column in columns]
    numbers = [[number_of(cell) for cell in column] for column in columns]
    along = next((place for place, some in enumerate(times) if _mostly(some)), None)
    if along is None:
        return ()
    made = []
    for place, some in enumerate(numbers):
        if place == along or not _mostly(some):
            continue
        pairs = sorted((x, y) for x, y in zip(times[along], some, strict=True) if x is not None and y is not None)
        if len(pairs) >= 3:
            made.append(Series(name=heads[place], over=heads[along], points=pairs))
    return made[:_PLOTS]


def _mostly(values: Sequence[float | None]) -> bool:
    return sum(value is not None for value in values) >= max(3, 0.8 * len(values))


def _features(path: Path) -> Table | None:
    """The properties of the first features: what a map shows in its bubbles, for those who see none."""
    if path.stat().st_size > _MOST_FEATURE_BYTES:
        return None
    told = json.loads(path.read_bytes())
    features = told.get("features") if isinstance(told, dict) else None
    some = [one.get("properties") for one in features if isinstance(one, dict)] if isinstance(features, list) else []
    properties = [one if isinstance(one, dict) else {} for one in some]
    heads = list(dict.fromkeys(str(key)[:_CELL] for one in properties[:_FEATURES] for key in one))[:_COLUMNS]
    rows = [[_cell(one.get(head)) for head in heads] for one in properties[:_FEATURES]]
    return Table(heads=heads, rows=rows, total=len(properties), whole=len(properties) <= _FEATURES) if heads else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_CELL]
