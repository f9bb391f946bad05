"""The index: the catalogue in SQL, made again whenever the catalogue's digest says that it is another one."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from swath_archive.domain.errors import ArchiveBroken
from swath_archive.domain.search import BBox, Place, Search
from swath_archive.domain.times import parse_time
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.documents import Document
from swath_archive.store.engine import WRITES
from swath_archive.store.migrate import take_turn
from swath_archive.store.tables import CollectionRow, ItemRow, StateRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 200
_ATTEMPTS = 5


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Index:
    """Reads of the archive. Every one of them first looks whether the catalogue is another than the one indexed.

    Safe to use from many threads, and from several processes on one database.
    """

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    def answers(self) -> bool:
        """Whether the database answers."""
        try:
            with Session(self._engine) as session:
                session.exec(select(StateRow)).first()
        except SQLAlchemyError:
            return False
        return True

    def refresh(self) -> bool:
        """Make the index that of the catalogue as it stands now; says whether anything was to be done.

        Costs one look at a file's time while nothing has changed.
        """
        with self._lock:
            stamp = self._stamp()
            if stamp == self._seen:
                return False
            rebuilt = self._rebuild()
            self._seen = stamp
            return rebuilt

    def collections(self) -> list[Document]:
        """Every collection's document, by id."""
        self.refresh()
        with Session(self._engine) as session:
            return [json.loads(row.body) for row in session.exec(select(CollectionRow).order_by(col(CollectionRow.id)))]

    def collection(self, collection_id: str) -> Document | None:
        """One collection's document."""
        self.refresh()
        with Session(self._engine) as session:
            row = session.get(CollectionRow, collection_id)
            return None if row is None else json.loads(row.body)

    def item(self, collection_id: str, item_id: str) -> Document | None:
        """One item's document."""
        self.refresh()
        with Session(self._engine) as session:
            row = session.get(ItemRow, (collection_id, item_id))
            return None if row is None else json.loads(row.body)

    def search(self, search: Search) -> tuple[list[Document], Place | None]:
        """A page of items, newest first, and where the next page starts if there is one."""
        self.refresh()
        shape = _prepared(search.intersects)
        found: list[ItemRow] = []
        after = search.after
        with Session(self._engine) as session:
            while len(found) <= search.limit:
                rows = session.exec(self._statement(search, shape=shape, after=after)).all()
                found += [row for row in rows if shape is None or _touches(shape, row)]
                if len(rows) < _BATCH:
                    break
                after = _place(rows[-1])
        page = found[: search.limit]
        return [json.loads(row.body) for row in page], _place(page[-1]) if len(found) > search.limit else None

    def count(self, search: Search) -> int | None:
        """How many items fit; ``None`` where only looking at each geometry would tell."""
        if search.intersects is not None:
            return None
        with Session(self._engine) as session:
            return session.exec(
                select(func.count()).select_from(ItemRow).where(*_conditions(search, bbox=search.bbox))
            ).one()

    def _statement(self, search: Search, *, shape: Any, after: Place | None) -> Any:
        bbox = search.bbox if shape is None else shape.bounds
        statement = select(ItemRow).where(*_conditions(search, bbox=bbox))
        if after is not None:
            statement = statement.where(_beyond(after))
        order = (col(ItemRow.at_us).desc(), col(ItemRow.collection), col(ItemRow.id))
        return statement.order_by(*order).limit(_BATCH)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = (self._catalogue.root / "catalog.json").stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _rebuild(self) -> bool:
        with Session(self._engine.execution_options(**{WRITES: True})) as session:
            take_turn(session.connection())
            state = session.get(StateRow, 1)
            digest = self._catalogue.digest() or ""
            if state is not None and state.digest == digest:
                return False
            digest, rows = self._read()
            session.exec(delete(ItemRow))
            session.exec(delete(CollectionRow))
            session.exec(delete(StateRow))
            session.add(StateRow(digest=digest))
            session.add_all(row for row in rows if isinstance(row, CollectionRow))
            session.flush()
            session.add_all(row for row in rows if isinstance(row, ItemRow))
            session.commit()
        return True

    def _read(self) -> tuple[str, list[CollectionRow | ItemRow]]:
        """The whole catalogue, and the digest that it had before and after it was read."""
        for _ in range(_ATTEMPTS):
            digest = self._catalogue.digest() or ""
            rows: list[CollectionRow | ItemRow] = []
            for collection in self._catalogue.collections():
                rows.append(CollectionRow(id=collection["id"], body=json.dumps(collection)))
                # A later document than the collection's links is of a writer that has not published yet.
                linked = {link["href"].split("/")[-2] for link in collection["links"] if link["rel"] == "item"}
                rows += [_row(item) for item in self._catalogue.items(collection["id"]) if item["id"] in linked]
            if digest == (self._catalogue.digest() or ""):
                return digest, rows
        raise ArchiveBroken(
            code="archive-busy",
            message="the catalogue changes faster than it can be read",
            mend="try again when `swath archive` has ended",
        )


def _row(item: Document) -> ItemRow:
    properties, box = item["properties"], item["bbox"]
    at = parse_time(properties["datetime"])
    starts = parse_time(properties["start_datetime"]) if "start_datetime" in properties else at
    ends = parse_time(properties["end_datetime"]) if "end_datetime" in properties else at
    half = len(box) // 2
    return ItemRow(
        collection=item["collection"],
        id=item["id"],
        at_us=microseconds(at),
        starts_us=microseconds(starts),
        ends_us=microseconds(ends),
        west=box[0],
        south=box[1],
        east=box[half],
        north=box[half + 1],
        body=json.dumps(item),
    )


def _conditions(search: Search, *, bbox: BBox | None) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if search.collections:
        conditions.append(col(ItemRow.collection).in_(search.collections))
    if search.ids:
        conditions.append(col(ItemRow.id).in_(search.ids))
    if search.start is not None:
        conditions.append(col(ItemRow.ends_us) >= microseconds(search.start))
    if search.end is not None:
        conditions.append(col(ItemRow.starts_us) <= microseconds(search.end))
    if bbox is not None:
        west, south, east, north = bbox
        conditions += [col(ItemRow.south) <= north, col(ItemRow.north) >= south]
        reaches = (col(ItemRow.west) <= east, col(ItemRow.east) >= west)
        # Over the 180th meridian it is what lies east of `west` or west of `east`.
        conditions.append(or_(*reaches) if west > east else and_(*reaches))
    return conditions


def _beyond(after: Place) -> ColumnElement[bool]:
    at, collection, item = col(ItemRow.at_us), col(ItemRow.collection), col(ItemRow.id)
    return or_(
        at < after.at_us,
        and_(at == after.at_us, collection > after.collection),
        and_(at == after.at_us, collection == after.collection, item > after.item),
    )


def _place(row: ItemRow) -> Place:
    return Place(at_us=row.at_us, collection=row.collection, item=row.id)


def _prepared(geometry: Any) -> Any:
    if geometry is None:
        return None
    from shapely import from_geojson, make_valid, prepare

    shape = make_valid(from_geojson(json.dumps(geometry)))
    prepare(shape)
    return shape


def _touches(shape: Any, row: ItemRow) -> bool:
    from shapely import from_geojson

    geometry = json.loads(row.body)["geometry"]
    return bool(shape.intersects(from_geojson(json.dumps(geometry))))
