"""How long searches of a catalogue of ten thousand algorithms take, on SQLite and on PostgreSQL; beside bare FTS5.

``make bench ARGS="search"`` runs this. The catalogue is made of words as they occur: few that stand in nearly every
card, many that stand in one alone. Each algorithm has a version with an interface, and a card. *search* is the whole
service: words, facets of eight kinds with their counts, the page of 24; *HTTP* the same as JSON through the
application; *page* the catalogue as HTML. The floor is FTS5 of Python's sqlite3 over the same texts: one query ordered
by its own rank, 24 rows, and one for their count; it knows no facets. *CPU* is what this process computed for the
slowest twentieth, also where others took the processors meanwhile; PostgreSQL's own work is not in it.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from postgres_scratch import PostgresMissing, ScratchCluster
from rich.console import Console
from rich.table import Table
from swath.contract.digest import sha256_bytes
from swath_marketplace.domain.search_request import read_request
from swath_marketplace.domain.search_words import terms
from swath_marketplace.store import tables
from swath_marketplace.store.dossier_tables import dossiers
from swath_marketplace.testing import PREFIX, World, make_world, user, write_environment

ALGORITHMS = 10_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_READER = user("reader")
#: Seconds by the clock, and of the processor.
Took = tuple[float, float]
_LISTED = """
water ndvi time series vegetation crop burned area cloud mask composite sentinel landsat snow flood index forest change
detection urban land cover soil moisture temperature surface classification biomass phenology drought yield harvest
mowing grassland wetland coast bathymetry chlorophyll turbidity ship oil ice glacier landslide subsidence interferometry
coherence backscatter radar optical fusion mosaic median percentile smoothing gap filling harmonic trend anomaly
evapotranspiration albedo emissivity aerosol methane nitrogen ozone fire severity
/ of the and by for from with over in each per a map maps table plot parcels dates pixels values before after
/ red green blue nir swir16 swir22 B01 B02 B03 B04 B05 B08 B8A B11 B12 SCL VV VH
/ sentinel-1 sentinel-2 sentinel-3 landsat-8 landsat-9 modis / l1c l2a grd composite field-spain
"""
_COMMON, _GLUE, _BANDS, _SENSORS, _LEVELS = (part.split() for part in _LISTED.split("/"))
_COLLECTIONS = [f"{sensor}-{level}" for sensor in _SENSORS for level in _LEVELS]
_LICENCES = ["Apache-2.0", "MIT", "BSD-3-Clause", "GPL-3.0-only", "CC-BY-4.0", "MIT OR Apache-2.0"]


class Words:
    """Words as often as in texts: the n-th in the order of use one n-th as often as the first."""

    def __init__(self, chance: random.Random) -> None:
        syllables = [a + b for a in "bcdfglmnprstv" for b in ("a", "e", "i", "o", "u", "an", "er")]
        rare = {"".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(8_000)}
        self._chance = chance
        self._all = [*_COMMON, *sorted(rare)]
        self._weights = [1 / (rank + 8) for rank in range(len(self._all))]
        self._stream: list[str] = []

    def some(self, count: int) -> list[str]:
        """So many words, with the small ones between them."""
        while len(self._stream) < count:
            self._stream += self._chance.choices(self._all, self._weights, k=100_000)
        taken, self._stream = self._stream[:count], self._stream[count:]
        return [word if self._chance.random() < 0.65 else self._chance.choice(_GLUE) for word in taken]

    def text(self, least: int, most: int) -> str:
        """A text of so many words."""
        return " ".join(self.some(self._chance.randint(least, most)))


def catalogue(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Algorithms, as they would be published."""
    words = Words(chance)
    for number in range(count):
        yield {
            "number": number,
            "owner": f"author{int(chance.paretovariate(0.7)) % 1_500}",
            "title": words.text(2, 7).capitalize(),
            "summary": words.text(10, 30).capitalize(),
            "keywords": list(dict.fromkeys(words.some(5))),
            "card": words.text(100, 500),
            "license": chance.choice(_LICENCES),
            "collection": chance.choice(_COLLECTIONS),
            "bands": chance.sample(_BANDS, k=chance.randint(1, 4)),
        }


def fill(world: World, made: Sequence[Mapping[str, Any]]) -> None:
    """Store algorithms with a version and a card each, as publishing would; the index is told by its triggers."""
    folder = Path(world.settings.data) / "marketplace" / "artifacts" / "sha256"
    rows: dict[str, list[dict[str, Any]]] = {"algorithms": [], "versions": [], "dossiers": []}
    for one in made:
        key, at = f"{one['number']:032x}", NOON + timedelta(minutes=one["number"])
        card = one["card"].encode()
        address = sha256_bytes(card)
        (folder / address[:2]).mkdir(exist_ok=True)
        (folder / address[:2] / address).write_bytes(card)
        digest = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        rows["algorithms"].append(_algorithm(one, key, at))
        rows["versions"].append(_version(one, key, at, digest))
        rows["dossiers"].append(
            {
                "algorithm_id": key,
                "version_digest": digest,
                "sequence": 1,
                "digest": digest,
                "files": {"README.md": address},
                "scenarios": {},
                "put_by": one["owner"],
                "put_at": at,
            }
        )
    with world.made.database.write() as connection:
        connection.execute(tables.algorithms.insert(), rows["algorithms"])
        connection.execute(tables.versions.insert(), rows["versions"])
        connection.execute(dossiers.insert(), rows["dossiers"])


def _algorithm(one: Mapping[str, Any], key: str, at: datetime) -> dict[str, Any]:
    name = f"a{one['number']}"
    words = {field: one[field] for field in ("owner", "title", "summary", "keywords")}
    return {"id": key, "name": name, **words, "search_text": name, "created_at": at, "updated_at": at}


def _version(one: Mapping[str, Any], key: str, at: datetime, digest: str) -> dict[str, Any]:
    text, several = {"kind": "str"}, {"kind": "list", "items": {"kind": "str"}}
    parameters = [
        {"name": "collection", "type": text, "description": "Its id", "required": False, "default": one["collection"]},
        {"name": "bands", "type": several, "description": "Names", "required": False, "default": one["bands"]},
    ]
    return {
        "algorithm_id": key,
        "version": "1.0.0",
        "digest": digest,
        "notebook_sha256": key,
        "interface": {"parameters": parameters, "outputs": []},
        "metadata": {"name": f"a{one['number']}", "title": one["title"], "license": one["license"]},
        "environment": "eo",
        "environment_lock_sha256": "0" * 64,
        "resources": {"cpus": 1.0, "memory_mb": 512, "wall_seconds": 60, "dask": False},
        "published_at": at,
    }


def questions(chance: random.Random, count: int) -> list[dict[str, list[str]]]:
    """What people ask: mostly words that are common, half of the time with facets."""
    asked = []
    for _ in range(count):
        words = chance.choices(_COMMON, k=chance.choice([0, 1, 1, 2, 2, 3]))
        if words and chance.random() < 0.3:
            words[-1] = words[-1][: chance.randint(2, 4)]
        given: dict[str, list[str]] = {"q": [" ".join(words)]} if words else {}
        if chance.random() < 0.5:
            given["collection"] = chance.sample(_COLLECTIONS, k=2)
        if chance.random() < 0.3:
            given["licence"] = ["MIT", "Apache-2.0"]
        if chance.random() < 0.3:
            given["band"] = [chance.choice(_BANDS)]
        if chance.random() < 0.3:
            given["sort"] = [chance.choice(["use", "level", "newest"])]
        asked.append(given)
    return asked


class Floor:
    """FTS5 as it comes."""

    def __init__(self, path: Path, made: Sequence[Mapping[str, Any]]) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("CREATE VIRTUAL TABLE bare USING fts5(title, summary, keywords, card)")
        self._connection.executemany(
            "INSERT INTO bare VALUES (?, ?, ?, ?)",
            [(one["title"], one["summary"], " ".join(one["keywords"]), one["card"]) for one in made],
        )
        self._connection.commit()

    def __call__(self, given: Mapping[str, Sequence[str]]) -> None:
        parts = [part for term in terms(given.get("q", [""])[0]) for part in term.parts]
        if not parts:
            self._connection.execute("SELECT rowid FROM bare ORDER BY rowid DESC LIMIT 24").fetchall()
            return
        match = " ".join(f'"{part}"' for part in parts) + "*"
        self._connection.execute("SELECT title FROM bare WHERE bare MATCH ? ORDER BY rank LIMIT 24", [match]).fetchall()
        self._connection.execute("SELECT count(*) FROM bare WHERE bare MATCH ?", [match]).fetchone()


def bench_search(say: Console, *, algorithms: int = ALGORITHMS, searches: int = 200) -> None:
    """Print the table."""
    chance = random.Random(7)
    made, asked = list(catalogue(chance, algorithms)), questions(chance, searches)
    table = Table(
        "database",
        "what",
        "median, ms",
        "p95, ms",
        "most, ms",
        "CPU p95, ms",
        title=f"search of {algorithms:,} algorithms",
    )
    with tempfile.TemporaryDirectory(prefix="swath-bench-") as scratch:
        folder = Path(scratch)
        floor = Floor(folder / "bare.sqlite", made)
        with _databases(folder, say) as urls:
            for name, url in urls.items():
                data = folder / name
                data.mkdir()
                write_environment(data, python=sys.executable)
                world = make_world(data, database_url=url)
                try:
                    fill(world, made)
                    began = time.perf_counter()
                    count = world.made.search.index.refresh(urgent=False)
                    say.print(f"{name}: {count:,} entries folded in {time.perf_counter() - began:.1f} s")
                    for what, took in _measured(world, floor, asked).items():
                        table.add_row(name, what, *_told(took))
                finally:
                    world.made.database.dispose()
    say.print(table)


def _told(took: Sequence[Took]) -> list[str]:
    """Median, p95 and most of the clock's milliseconds, and p95 of the processor's."""
    clock, processor = ([1e3 * one for one in column] for column in zip(*took, strict=True))
    told = [statistics.median(clock), statistics.quantiles(clock, n=20)[-1], max(clock)]
    return [f"{one:.1f}" for one in [*told, statistics.quantiles(processor, n=20)[-1]]]


class _Timed:
    """Both clocks at once."""

    def __init__(self, into: list[Took]) -> None:
        self._into = into

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        clock, processor = self._began
        self._into.append((time.perf_counter() - clock, time.process_time() - processor))


def _measured(world: World, floor: Floor, asked: Sequence[Mapping[str, Sequence[str]]]) -> Mapping[str, list[Took]]:
    """What each question took in each way, asked in turn."""
    searches = world.made.context.searches

    def search(given: Mapping[str, Sequence[str]]) -> None:
        searches.find(_READER, read_request(given, limit=24))

    async def all_of_them() -> Mapping[str, list[Took]]:
        transport = httpx.ASGITransport(world.app())
        headers = {"Authorization": "Bearer ada"}
        found: dict[str, list[Took]] = {}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://bench{PREFIX}", headers=headers) as http:

            async def ask(given: Mapping[str, Sequence[str]], accept: str) -> None:
                params = [(name, value) for name, values in given.items() for value in values]
                answer = await http.get("algorithms", params=[*params, ("limit", "24")], headers={"Accept": accept})
                answer.raise_for_status()

            search({})
            await ask({}, "text/html")
            for given in asked:
                for name, work in (("FTS5 alone", floor), ("search", search)):
                    with _Timed(found.setdefault(name, [])):
                        work(given)
                for name, accept in (("HTTP", "application/json"), ("page", "text/html")):
                    with _Timed(found.setdefault(name, [])):
                        await ask(given, accept)
        return found

    return asyncio.run(all_of_them())


@contextmanager
def _databases(folder: Path, say: Console) -> Iterator[Mapping[str, str]]:
    sqlite = {"SQLite": f"sqlite:///{folder / 'catalogue.sqlite'}"}
    try:
        cluster = ScratchCluster(durable=True)
    except PostgresMissing as error:
        say.print(f"PostgreSQL is left out: {error}")
        yield sqlite
        return
    try:
        cluster.start()
        with cluster.database() as url:
            yield {**sqlite, "PostgreSQL": url}
    finally:
        cluster.stop()
