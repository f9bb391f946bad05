"""A small archive that the tests make themselves: two dates, two grids, measured and categorical bands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from swath_archive.domain.bands import Band, scene_classification
from swath_archive.domain.collections import CollectionSpec, Licence
from swath_archive.domain.scenes import Grid, Pending, Scene
from swath_archive.services.fill import Report, fill
from swath_archive.sources import Batch
from swath_service.actor import Actor

GRID = Grid(crs="EPSG:32631", transform=(10.0, 0.0, 640000.0, 0.0, -10.0, 5680000.0), height=300, width=280)
#: Landsat's pixels do not start at multiples of their size.
ODD_GRID = Grid(crs="EPSG:32621", transform=(30.0, 0.0, 694005.0, 0.0, -30.0, -2766615.0), height=40, width=50)
DAYS = (datetime(2023, 4, 2, tzinfo=UTC), datetime(2023, 4, 7, tzinfo=UTC), datetime(2023, 4, 12, tzinfo=UTC))

REFLECTANCE = CollectionSpec(
    id="reflectance",
    title="Reflectance",
    description="Made by the tests.",
    licence=Licence(id="CC0-1.0"),
    providers=(),
    bands=(
        Band(
            name="B04",
            data_type="uint16",
            description="red",
            nodata=65535,
            scale=0.0001,
            unit="1",
            common_name="red",
        ),
        Band(
            name="B08",
            data_type="uint16",
            description="near infrared",
            nodata=65535,
            scale=0.0001,
            unit="1",
            common_name="nir",
        ),
        scene_classification(),
    ),
    provenance="Made by the tests.",
)
ODD = CollectionSpec(
    id="odd-grid",
    title="Odd grid",
    description="Made by the tests.",
    licence=Licence(id="CC0-1.0"),
    providers=(),
    bands=(
        Band(name="B4", data_type="uint16", description="red", nodata=0, scale=2e-5, offset=-0.1, common_name="red"),
    ),
    provenance="Made by the tests.",
)


def numbers(day: int, band: str) -> np.ndarray:
    """The stored numbers of one band, the same at every call."""
    random = np.random.default_rng([day, *band.encode()])
    if band == "SCL":
        values = random.integers(4, 6, (GRID.height, GRID.width)).astype(np.uint8)
        values[:20, :20] = 9
        values[-5:, -5:] = 0
        return values
    if band == "B4":
        values = random.integers(6000, 12000, (ODD_GRID.height, ODD_GRID.width)).astype(np.uint16)
        values[0, 0] = 0
        return values
    low, high = {"B04": (300, 900), "B08": (2000, 5000)}[band]
    values = random.integers(low, high, (GRID.height, GRID.width)).astype(np.uint16)
    values[-5:, -5:] = 65535
    return values


def _read(day: int, bands: tuple[str, ...], grid: Grid, seen: Callable[[], None]) -> Callable[[], Scene]:
    def read() -> Scene:
        seen()
        return Scene(grid=grid, pixels={band: numbers(day, band) for band in bands})

    return read


def batches(seen: Callable[[], None] = lambda: None) -> list[Batch]:
    """The archive's content; `seen` is called whenever pixels are read."""
    reflectance = tuple(
        Pending(
            item_id=f"reflectance-{at:%Y%m%d}",
            at=at,
            source=f"tests#{day}",
            source_sha256=f"{day:064x}",
            read=_read(day, ("B04", "B08", "SCL"), GRID, seen),
        )
        for day, at in enumerate(DAYS)
    )
    odd = Pending(
        item_id="odd",
        at=DAYS[1],
        source="tests#odd",
        source_sha256="0" * 64,
        read=_read(7, ("B4",), ODD_GRID, seen),
        start_at=DAYS[0],
        end_at=DAYS[2],
    )
    return [Batch(spec=REFLECTANCE, items=reflectance), Batch(spec=ODD, items=(odd,))]


def build(root: Path) -> Report:
    """Fill an archive in `root`."""
    return fill(root, batches())


class Tokens:
    """Who a token stands for, without a hub."""

    async def actor_for(self, token: str) -> Actor | None:
        """`reader` may read; `stranger` is known and may nothing."""
        scopes = {"reader": frozenset({"custom:swath:read"}), "stranger": frozenset()}
        return Actor(name=token, scopes=scopes[token]) if token in scopes else None


@contextmanager
def serving(root: Path, data: Path) -> Iterator[str]:
    """Serve the archive in `root` on a free port, as the hub's proxy would show it."""
    import uvicorn
    from swath_archive.bootstrap import Settings, build

    settings = Settings(SWATH_DATA=data, SWATH_ARCHIVE=root)  # type: ignore[call-arg]
    app = build(settings, identity=Tokens(), prefix="/services/archive/")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started:
                assert time.monotonic() < deadline, "the service does not start"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/archive/"
        finally:
            server.should_exit = True
            thread.join(20)
