"""Results in parts and conditionally, as GDAL, browsers and download managers ask for them."""

from __future__ import annotations

import email
import hashlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
import uvicorn
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster
from rasterio.transform import from_origin
from rasterio.windows import Window
from swath_marketplace.executors.fake import finishing
from swath_marketplace.testing import PREFIX, World, notebook

TEN = b"0123456789"
TAG = f'"{hashlib.sha256(TEN).hexdigest()}"'


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers={"Authorization": "Bearer bob"}
    ) as client:
        await client.post("algorithms", json={"notebook": notebook()}, headers={"Authorization": "Bearer ada"})
        yield client


async def result(http: httpx.AsyncClient, world: World, content: bytes) -> str:
    world.fake.script = finishing(outputs={"double": content})
    run_id = (await http.post("runs", json={"algorithm": "ada/double", "parameters": {"n": 3}})).json()["id"]
    world.look_until(run_id)
    return f"runs/{run_id}/results/double"


PARTS: dict[str, tuple[dict[str, str], int, bytes]] = {
    "whole": ({}, 200, TEN),
    "part": ({"Range": "bytes=2-4"}, 206, b"234"),
    "open": ({"Range": "bytes=7-"}, 206, b"789"),
    "suffix": ({"Range": "bytes=-3"}, 206, b"789"),
    "too long": ({"Range": "bytes=8-99"}, 206, b"89"),
    "no range": ({"Range": "bytes=5-2"}, 200, TEN),
    "another unit": ({"Range": "lines=1-2"}, 200, TEN),
    "same content": ({"Range": "bytes=0-1", "If-Range": TAG}, 206, b"01"),
    "other content": ({"Range": "bytes=0-1", "If-Range": '"other"'}, 200, TEN),
    "weak": ({"Range": "bytes=0-1", "If-Range": f"W/{TAG}"}, 200, TEN),
    "has it": ({"If-None-Match": TAG}, 304, b""),
    "has something": ({"If-None-Match": "*"}, 304, b""),
    "has one of": ({"If-None-Match": f'"x", W/{TAG}'}, 304, b""),
    "has another": ({"If-None-Match": '"x"'}, 200, TEN),
    "has it, wants a part": ({"If-None-Match": TAG, "Range": "bytes=0-1"}, 304, b""),
}


async def test_parts(http: httpx.AsyncClient, world: World) -> None:
    path = await result(http, world, TEN)
    for name, (headers, status, content) in PARTS.items():
        answer = await http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (status, content), name
        assert (answer.headers["etag"], answer.headers["accept-ranges"]) == (TAG, "bytes"), name
        assert answer.headers["content-security-policy"].startswith("sandbox"), name
        if status != 304:
            assert answer.headers["content-length"] == str(len(content)), name
            assert answer.headers["content-disposition"].startswith("attachment; filename="), name
        if status == 206:
            start = TEN.index(content)
            assert answer.headers["content-range"] == f"bytes {start}-{start + len(content) - 1}/10", name


async def test_what_is_not_there_is_416_with_how_much_there_is(http: httpx.AsyncClient, world: World) -> None:
    path = await result(http, world, TEN)
    answer = await http.get(path, headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert (answer.headers["content-range"], answer.headers["etag"]) == ("bytes */10", TAG)
    empty = await result(http, world, b"")
    assert (await http.get(empty, headers={"Range": "bytes=0-"})).status_code == 416
    assert (await http.get(empty)).content == b""


async def test_head_is_get_without_the_bytes(http: httpx.AsyncClient, world: World) -> None:
    path = await result(http, world, TEN)
    answer = await http.head(path, headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "10")
    assert (await http.head(path, headers={"If-None-Match": TAG})).status_code == 304


async def test_several_parts_are_one_multipart_answer(http: httpx.AsyncClient, world: World) -> None:
    content = bytes(range(256)) * 4096
    path = await result(http, world, content)
    answer = await http.get(path, headers={"Range": "bytes=0-9,300000-900000,-5"})
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    message = email.message_from_bytes(
        f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.content
    )
    parts: Any = message.get_payload()
    told = [(part["Content-Range"], part.get_payload(decode=True)) for part in parts]
    size = len(content)
    assert [one[0] for one in told] == [
        f"bytes 0-9/{size}",
        f"bytes 300000-900000/{size}",
        f"bytes {size - 5}-{size - 1}/{size}",
    ]
    assert answer.content.count(content[300_000:900_001]) == 1
    assert answer.content.count(content[-5:] + b"\r\n--") == 1


async def test_answers_in_json_have_a_tag_too(http: httpx.AsyncClient, world: World) -> None:
    await result(http, world, TEN)
    version = "algorithms/ada/double/versions/1.0.0"
    for path in (version, f"{version}/schema", f"{version}/notebook", "algorithms/ada/double", "environments", "runs"):
        first = await http.get(path)
        again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["x-request-id"]
    before = (await http.get(version)).headers["etag"]
    yanked = await http.post(f"{version}/yank", json={"reason": "wrong"}, headers={"Authorization": "Bearer ada"})
    assert yanked.status_code == 200
    changed = await http.get(version, headers={"If-None-Match": before})
    assert (changed.status_code, changed.json()["yank_reason"]) == (200, "wrong")
    missing = await http.get("algorithms/ada/none", headers={"If-None-Match": "*"})
    assert missing.status_code == 404


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The marketplace behind a socket, since GDAL has a client of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(world.app(), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


def cog(size: int) -> tuple[bytes, Any]:
    values = np.random.default_rng(7).integers(0, 10_000, (size, size)).astype("uint16")
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "uint16", "crs": "EPSG:32632"}
    with MemoryFile() as plain, MemoryFile() as made:
        with plain.open(**profile, transform=from_origin(600_000, 5_200_000, 10, 10)) as raster:
            raster.write(values, 1)
        copy_raster(plain.name, made.name, driver="COG", blocksize=256, compress="DEFLATE")
        return made.read(), values


async def test_gdal_reads_a_window_of_a_raster_through_the_door(
    http: httpx.AsyncClient, world: World, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, values = cog(2048)
    path = await result(http, world, content)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sent: list[int] = []
    real = world.made.context.runs.result
    monkeypatch.setattr(world.made.context.runs, "result", lambda *args: sent.append(1) or real(*args))
    options = {
        "GDAL_HTTP_HEADERS": "Authorization: Bearer bob",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_CHUNK_SIZE": 65_536,
        "CPL_CURL_VERBOSE": False,
    }
    window = Window(600, 900, 100, 50)  # type: ignore[no-untyped-call]
    with rasterio.Env(**options), rasterio.open(f"/vsicurl/{address}{PREFIX}{path}") as raster:
        assert (raster.width, raster.overviews(1)) == (2048, [2, 4, 8])
        assert (raster.read(1, window=window) == values[900:950, 600:700]).all()
    # The header's parts and the blocks that the window touches, not the file.
    assert 1 < len(sent) < 12
    wrong = {**options, "GDAL_HTTP_HEADERS": "Authorization: Bearer cyd"}
    with rasterio.Env(**wrong), pytest.raises(rasterio.errors.RasterioIOError):
        rasterio.open(f"/vsicurl/{address}{PREFIX}{path}?somebody-else")
