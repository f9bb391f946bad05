"""A marketplace in this process, on a free port, with a hub that lets everybody in: what pages need, and no more.

The origin is shared, as in a real Swath: below ``/user/eve/`` somebody's Lab server says whatever the test wants.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.run_folder import RunFolder
from swath_marketplace.testing import PREFIX, World, notebook
from swath_service.oauth import BrowserSessions, OAuthSettings


@dataclass
class PagesStack:
    """Where it is, and who signs in next."""

    world: World
    url: str
    app: FastAPI
    who: str = "ada"
    evil: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What ``/user/eve/<path>`` answers: media type and content."""
    asked: list[str] = field(default_factory=list)
    """Paths below ``/user/`` that were asked for."""

    def at(self, path: str) -> str:
        """The address of `path` below the service."""
        return f"{self.url}{PREFIX}{path}"


@contextmanager
def serving(world: World) -> Iterator[PagesStack]:
    """Serve `world` until the end of the block."""
    app: FastAPI = world.app()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        stack = PagesStack(world=world, url=f"http://127.0.0.1:{listening.getsockname()[1]}", app=app)
        _install_hub(app, stack)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
        thread.start()
        _wait(lambda: server.started)
        try:
            yield stack
        finally:
            server.should_exit = True
            thread.join(15)


def _wait(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 15
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.01)


def _install_hub(app: FastAPI, stack: PagesStack) -> None:
    @app.get("/hub/api/oauth2/authorize")
    async def authorize(state: str) -> Response:
        return RedirectResponse(f"{PREFIX}oauth_callback?code={stack.who}&state={state}", status_code=302)

    @app.get("/user/eve/{path:path}")
    async def somebody(path: str, request: Request) -> Response:
        stack.asked.append(str(request.url))
        kind, content = stack.evil.get(path, ("text/html", "<p>a Lab server"))
        if kind == "text/html":
            return HTMLResponse(content)
        return Response(content, media_type=kind, headers={"Service-Worker-Allowed": "/"})

    def token(request: httpx.Request) -> httpx.Response:
        code = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))["code"]
        return httpx.Response(200, json={"access_token": code})

    settings = OAuthSettings(
        name="marketplace",
        prefix=PREFIX,
        client_id="service-marketplace",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    BrowserSessions(settings, transport=httpx.MockTransport(token)).install(app)


HERE = Path(__file__).parents[2] / "algorithms"
#: What users could write to have it run in somebody else's browser. Each tells on itself: a flag, a dialog, a request.
NASTY = (
    "<script>globalThis.owned = 1</script>",
    "<img src=x onerror='globalThis.owned = 2; alert(2)'>",
    '"><svg onload="globalThis.owned = 3"><!--',
    "javascript:globalThis.owned=4",
    "<iframe srcdoc=\"<script>parent.owned = 5; fetch('/user/eve/frame')</script>\"></iframe>",
    "</script><script>globalThis.owned = 6</script>",
    "<link rel=stylesheet href='http://elsewhere.invalid/x.css'><img src='http://elsewhere.invalid/x.png'>",
    "{{7*7}}${globalThis.owned = 7}",
)
_PAGE = f"""<!doctype html><html><head><title>Out</title></head><body><h1>The executed notebook</h1>
<a href="javascript:parent.owned=8" id="link">a link</a><form action="/user/eve/form"><button>send</button></form>
<script>parent.owned = 9; top.location = '/user/eve/top'; fetch('/user/eve/fetch')</script>
<meta http-equiv="refresh" content="0;url=/user/eve/refresh">{"".join(NASTY)}</body></html>"""


def everything() -> dict[str, Any]:
    """A notebook with a parameter of every kind, the ones of the algorithm ``echo``."""
    cells = json.loads((HERE / "echo" / "notebook.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    asked = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    made = notebook(
        *(f"swath.emit({name!r}, 1)" for name in OUTPUTS if name != "notebook-html"),
        parameters="".join(asked["source"]),
        name="everything",
        title=f"Everything at once {NASTY[0]}",
        summary="Every kind of question that a form can ask, and every kind of result that it can show.",
    )
    made["cells"].insert(0, {**made["cells"][1], "id": "imports", "metadata": {}, "source": sources[0]})
    return made


OUTPUTS: dict[str, tuple[str, Path | bytes]] = {
    "frequency": ("image/tiff", HERE / "water-index/references/betsiboka-scene/water_frequency.tif"),
    "zones": ("application/geo+json", HERE / "zonal-statistics/references/betsiboka-zones/zones.geojson"),
    "area": ("text/csv", HERE / "whittaker-smoothing/references/crop-cycle/timeseries.csv"),
    "summary": ("application/json", HERE / "water-index/references/betsiboka-scene/summary.json"),
    "shapes": ("application/geo+json", b""),
    "words": ("text/csv", b""),
    "notebook-html": ("text/html", _PAGE.encode()),
}


def bringing(run: Run, folder: RunFolder) -> ProcessEnd:
    """A run that prints, and brings back one of each kind, with what nobody should run in it."""
    say(folder, 0, "start", total_cells=4)
    for number, text in enumerate(NASTY, start=1):
        say(folder, number, "log", stream="stdout", text=f"line {number}: {text}\n", cell=1)
    say(folder, 20, "progress", fraction=0.4, message="Reading scenes")
    shapes = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [46.3, -15.8]},
                "properties": {NASTY[1]: NASTY[0], "name": NASTY[4], "count": 3},
            }
        ],
    }
    words = "place,value,when\n" + "\n".join(
        f'"{text.replace(chr(34), chr(34) * 2)}",{at},2024-01-{at + 1:02d}' for at, text in enumerate(NASTY)
    )
    made = {"shapes": json.dumps(shapes).encode(), "words": words.encode()}
    records = []
    for name, (media_type, source) in OUTPUTS.items():
        content = made.get(name) or (source.read_bytes() if isinstance(source, Path) else source)
        (folder.out / f"{name}.bin").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        told = {"name": name, "path": f"{name}.bin", "media_type": media_type, "bytes": len(content)}
        records.append({**told, "sha256": digest, "description": f"What {name} is {NASTY[1]}"})
    write_report(folder, outputs={})
    report = json.loads((folder.out / "report.json").read_text())
    (folder.out / "report.json").write_text(json.dumps({**report, "outputs": records}))
    return process_end(cpu_seconds=2.0)


def say(folder: RunFolder, seq: int, kind: str, **told: Any) -> None:
    """A line of a run's event log."""
    event = {"seq": seq, "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"), "type": kind, **told}
    with (folder.out / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")
