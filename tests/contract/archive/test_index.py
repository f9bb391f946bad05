"""The index answers as a plain look would, on SQLite and PostgreSQL, and is never older than the catalogue."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from shapely.geometry import box, shape
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from swath_archive.domain.search import Search
from swath_archive.domain.times import parse_time
from swath_archive.services.fill import fill
from swath_archive.sources import Batch
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.engine import DatabaseUnfit, connect
from swath_archive.store.index import Index
from swath_archive.store.migrate import VERSION_TABLE, migrate
from swath_archive.store.tables import CollectionRow, ItemRow, metadata

Document = dict[str, Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/index/index.sqlite"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine at the newest schema."""
    engine = connect(database)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def root(small_archive: Path, tmp_path: Path) -> Path:
    """A copy of the small archive that a test may change."""
    return Path(shutil.copytree(small_archive, tmp_path / "archive"))


@pytest.fixture
def index(engine: Engine, root: Path) -> Index:
    """An index of `root` that nobody has asked yet."""
    return Index(engine, Catalogue(root))


def test_migrations_make_what_the_tables_say(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_constraints_stand_in_the_database_too(engine: Engine) -> None:
    good = {"collection": "c", "id": "i", "at_us": 0, "starts_us": 0, "ends_us": 0, "body": "{}"}
    place = {"west": 0.0, "south": 0.0, "east": 1.0, "north": 1.0}
    with Session(engine) as session:
        session.add(CollectionRow(id="c", body="{}"))
        session.commit()
    for wrong in ({"starts_us": 5}, {"south": 2.0}, {"collection": "none"}):
        with Session(engine) as session:
            session.add(ItemRow(**good | place | wrong))
            with pytest.raises(IntegrityError):
                session.commit()


def test_it_holds_what_the_catalogue_holds(index: Index, root: Path) -> None:
    catalogue = Catalogue(root)
    assert index.collections() == catalogue.collections()
    assert index.collection("odd-grid") == catalogue.collection("odd-grid")
    assert index.item("odd-grid", "odd") == catalogue.item("odd-grid", "odd")
    assert index.collection("none") is None
    assert index.item("odd-grid", "none") is None
    assert index.item("reflectance", "odd") is None


WEST_OF_ODD = (-56.0, -25.5, -55.0, -25.0)
SEARCHES = [
    Search(),
    Search(collections=("reflectance",)),
    Search(collections=("reflectance", "odd-grid"), ids=("odd", "reflectance-20230402", "none")),
    Search(collections=("none",)),
    Search(bbox=(4.9, 51.1, 5.1, 51.4)),
    Search(bbox=WEST_OF_ODD),
    Search(bbox=(-180, -90, 180, 90)),
    Search(bbox=(0, 0, 1, 1)),
    Search(bbox=(4.0, 50.0, -50.0, 60.0)),
    Search(bbox=(170.0, -80.0, -50.0, 0.0)),
    Search(start=datetime(2023, 4, 7, tzinfo=UTC)),
    Search(end=datetime(2023, 4, 6, tzinfo=UTC)),
    Search(start=datetime(2023, 4, 3, tzinfo=UTC), end=datetime(2023, 4, 3, tzinfo=UTC)),
    Search(start=datetime(2023, 4, 7, tzinfo=UTC), end=datetime(2023, 4, 7, tzinfo=UTC), bbox=(4.9, 51.1, 5.1, 51.4)),
    Search(intersects=box(*WEST_OF_ODD).__geo_interface__),
    Search(intersects={"type": "Point", "coordinates": [5.02, 51.24]}),
    # The bounds of this triangle hold the archive's north, the triangle itself does not.
    Search(intersects={"type": "Polygon", "coordinates": [[[4.0, 51.0], [5.3, 51.0], [4.0, 51.5], [4.0, 51.0]]]}),
]


def _fits(item: Document, search: Search) -> bool:
    properties = item["properties"]
    starts = parse_time(properties.get("start_datetime", properties["datetime"]))
    ends = parse_time(properties.get("end_datetime", properties["datetime"]))
    west, south, east, north = item["bbox"]
    checks = [
        not search.collections or item["collection"] in search.collections,
        not search.ids or item["id"] in search.ids,
        search.start is None or ends >= search.start,
        search.end is None or starts <= search.end,
        search.intersects is None or shape(item["geometry"]).intersects(shape(search.intersects)),
    ]
    if search.bbox is not None:
        w, s, e, n = search.bbox
        parts = [(w, e)] if w <= e else [(w, 180), (-180, e)]
        checks.append(any(west <= b and east >= a for a, b in parts) and south <= n and north >= s)
    return all(checks)


@pytest.mark.parametrize("search", SEARCHES, ids=range(len(SEARCHES)))
def test_it_finds_what_a_plain_look_finds(index: Index, root: Path, search: Search) -> None:
    catalogue = Catalogue(root)
    everything = [item for one in catalogue.collections() for item in catalogue.items(one["id"])]
    wanted = [item for item in everything if _fits(item, search)]
    wanted.sort(
        key=lambda item: (-parse_time(item["properties"]["datetime"]).timestamp(), item["collection"], item["id"])
    )
    found, following = index.search(search)
    assert [item["id"] for item in found] == [item["id"] for item in wanted]
    assert following is None
    assert index.count(search) in (None, len(wanted))


def test_a_shape_is_not_its_bounds(index: Index) -> None:
    triangle = SEARCHES[-1]
    assert triangle.intersects is not None
    assert index.search(triangle)[0] == []
    assert len(index.search(Search(bbox=shape(triangle.intersects).bounds))[0]) == 3


def test_pages_give_each_item_once(engine: Engine, small: ModuleType, tmp_path: Path) -> None:
    batch = small.batches()[1]
    (pending,) = batch.items
    # Many of one instant: the order must not hang on the time alone.
    items = tuple(
        type(pending)(
            item_id=f"item-{number:03d}", at=pending.at, source=str(number), source_sha256="0" * 64, read=pending.read
        )
        for number in range(30)
    )
    root = tmp_path / "many"
    fill(root, [Batch(spec=batch.spec, items=items)])
    index = Index(engine, Catalogue(root))
    for search in (Search(limit=7), Search(limit=7, intersects=box(-180, -90, 180, 90).__geo_interface__)):
        seen: list[str] = []
        after = None
        pages = 0
        while True:
            page, after = index.search(Search(limit=7, after=after, intersects=search.intersects))
            seen += [item["id"] for item in page]
            pages += 1
            if after is None:
                break
        assert seen == [f"item-{number:03d}" for number in range(30)]
        assert pages == 5


def test_it_follows_the_catalogue(index: Index, root: Path, small: ModuleType) -> None:
    assert index.item("reflectance", "reflectance-20230402") is not None
    assert index.refresh() is False
    shutil.rmtree(root / "reflectance/reflectance-20230402")
    Catalogue(root).publish()
    assert index.item("reflectance", "reflectance-20230402") is None
    fill(root, small.batches())
    assert index.item("reflectance", "reflectance-20230402") is not None
    shutil.rmtree(root)
    assert index.collections() == []


def test_an_item_is_not_shown_before_it_is_published(index: Index, root: Path, small: ModuleType) -> None:
    batch = small.batches()[1]
    (pending,) = batch.items
    another = type(pending)(item_id="new", at=pending.at, source="x", source_sha256="1" * 64, read=pending.read)
    Catalogue(root).store_item(batch.spec, another)
    assert index.item("odd-grid", "new") is None
    Catalogue(root).publish()
    assert index.item("odd-grid", "new") is not None


def test_a_second_service_takes_what_the_first_has_made(engine: Engine, database: str, root: Path) -> None:
    assert Index(engine, Catalogue(root)).refresh() is True
    other = connect(database)
    try:
        assert Index(other, Catalogue(root)).refresh() is False
    finally:
        other.dispose()


def test_many_ask_while_it_changes(engine: Engine, root: Path, small: ModuleType) -> None:
    batch = small.batches()[1]
    (pending,) = batch.items
    indexes = [Index(engine, Catalogue(root)) for _ in range(2)]
    ready = threading.Event()
    counts: list[int] = []
    failures: list[BaseException] = []

    def ask(index: Index) -> None:
        try:
            while not ready.is_set():
                counts.append(len(index.search(Search(collections=("odd-grid",)))[0]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(index,)) for index in indexes for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(8):
        another = type(pending)(
            item_id=f"new-{number}", at=pending.at, source="x", source_sha256="1" * 64, read=pending.read
        )
        with Catalogue(root).writing():
            Catalogue(root).store_item(batch.spec, another)
            Catalogue(root).publish()
    ready.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counts
    # Never an index that is half made: there is always the first item.
    assert min(counts) >= 1
    assert all(len(index.search(Search(collections=("odd-grid",)))[0]) == 9 for index in indexes)


@pytest.mark.parametrize("url", ["mysql://u:hunter2@host/x", "sqlite://", "sqlite:///:memory:", "no url hunter2"])
def test_other_databases_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(DatabaseUnfit) as caught:
        connect(url)
    assert "hunter2" not in str(caught.value)


def test_bodies_are_the_documents(engine: Engine, index: Index, root: Path) -> None:
    index.refresh()
    with Session(engine) as session:
        row = session.get(ItemRow, ("odd-grid", "odd"))
        assert row is not None
        assert json.loads(row.body) == json.loads((root / "odd-grid/odd/odd.json").read_text())
