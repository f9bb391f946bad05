"""A small hub with marketplace and quota behind it, on a real socket, that can be told to misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse

TOKEN = "good-token-0123456789"
SCOPES = ["custom:swath:read", "custom:swath:publish", "custom:swath:execute", "self"]
TERMINAL = {"finished", "error", "canceled"}
MATURITY: dict[str, Any] = {
    "level": "verified",
    "may_earn": True,
    "reason": "earned",
    "message": "every criterion of verified is met",
    "expires_at": "2026-12-31T12:00:00Z",
    "next": {
        "level": "validated",
        "missing": [
            {
                "level": "validated",
                "criterion": "validation-report",
                "title": "A validation report",
                "told": "no validation report is attached",
                "mend": "attach \x1b[2Jvalidation.md",
            }
        ],
    },
    "assessment": {
        "number": 7,
        "cause": "round",
        "at": "2026-12-01T12:00:00Z",
        "meets": "verified",
        "criteria": {"version": "2026-12", "sha256": "ab" * 32},
        "results": [
            {"level": "verified", "criterion": "benchmarks", "title": "Scenarios", "met": True, "told": "2 are green"},
            {"level": "validated", "criterion": "validation-report", "title": "A report", "met": False, "told": "none"},
        ],
    },
    "reviews": [
        {"reviewer": "eve", "kind": "technical", "verdict": "approve", "counts": False, "text": "\x1b]0;owned\x07 ok"}
    ],
}
QUOTE: dict[str, Any] = {
    "algorithm": "ada/ndvi",
    "version": "1.2.0",
    "digest": "sha256:a",
    "hold_millicredits": 2100,
    "ceiling_millicredits": 5000,
    "estimate": {
        "quote_id": "ask-1",
        "p50": 2010,
        "p95": 2050,
        "upper": 2100,
        "hold": 2100,
        "ceiling": 5000,
        "p50_seconds": 8.0,
        "p95_seconds": 14.5,
        "basis": "history",
        "observations": 40,
        "explanation": "learnt from 40 past runs",
        "price_version": "2023-11-01",
        "valid_until": "2026-05-20T13:00:00+00:00",
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "minimum": 1},
        "label": {"type": "string"},
        "bbox": {"subtype": "bounding-box", "anyOf": [{"type": "object"}, {"type": "array"}]},
    },
    "required": ["count"],
    "additionalProperties": False,
}


def log_event(seq: int, text: str) -> dict[str, Any]:
    """A line of a run's log."""
    return {"seq": seq, "at": "2026-01-01T00:00:00Z", "type": "log", "stream": "stdout", "text": text}


@dataclass
class Fake:
    """What the server holds, how it is to behave, and what it was asked."""

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=lambda: {"status": "finished"})
    cuts: list[int] = field(default_factory=list)
    """Events that each connection to the event stream carries before it breaks; then it holds."""
    stall: bool = False
    """Whether the event stream stays open, silent, after the last event."""
    tells_status: bool = True
    """Whether the event stream ends with the run's status."""
    stream_status: int = 200
    stream_type: str = "text/event-stream"
    file_cuts: list[int] = field(default_factory=list)
    busy: dict[str, int] = field(default_factory=dict)
    """How often `METHOD path` answers 503 before it does what it should."""
    busy_status: int = 503
    """What `busy` answers instead; 404 is a proxy that does not know the service yet."""
    broken_posts: int = 0
    """How often an answer to POST runs breaks off after the run was made."""
    last_ids: list[str | None] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)

    def run(self, run_id: str = "r1", **members: Any) -> dict[str, Any]:
        """Put a run there that was made before."""
        made = {
            "id": run_id,
            "algorithm": "ada/ndvi",
            "owner": "ada",
            "name": "ndvi",
            "version": "1.2.0",
            "digest": "sha256:" + "0" * 64,
            "caller": "bob",
            "status": "running",
            "progress": 0.0,
            "parameters": {"count": 2},
            "error": None,
            "refusal": None,
            "quote_millicredits": 5000,
            "cost_millicredits": None,
            "created_at": "2026-01-01T00:00:00Z",
            "started_at": "2026-01-01T00:00:01Z",
            "ended_at": None,
            **members,
        }
        self.runs[run_id] = made
        self.events.setdefault(run_id, [log_event(0, "one\n"), log_event(1, "two\n"), log_event(2, "three\n")])
        return made

    def end(self, run_id: str) -> None:
        """Bring a run to its outcome."""
        if self.runs[run_id]["status"] not in TERMINAL:
            self.runs[run_id].update(
                {"progress": 1.0, "cost_millicredits": 1500, "ended_at": "2026-01-01T00:00:09Z", **self.outcome}
            )


def problem(status: int, code: str, detail: str, **members: Any) -> JSONResponse:
    body = {"title": code, "status": status, "detail": detail, "code": code, "id": "abc123", **members}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


class Answered(Exception):
    """Ends a request with a response of its own."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def make_app(fake: Fake) -> FastAPI:
    market = "/services/marketplace"

    # A dependency, not a middleware: Starlette's would end a broken answer as if it were whole.
    async def door(request: Request) -> None:
        path = request.url.path
        fake.asked.append(f"{request.method} {path}")
        if path == "/hub/api/":
            return
        fake.authorizations.add(request.headers.get("authorization"))
        if left := fake.busy.get(f"{request.method} {path}", 0):
            fake.busy[f"{request.method} {path}"] = left - 1
            raise Answered(HTMLResponse("<h1>Busy</h1>", status_code=fake.busy_status))
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            if path.startswith("/hub/"):
                body = {"status": 403, "message": "Missing or invalid credentials."}
                raise Answered(JSONResponse(body, status_code=403))
            raise Answered(problem(401, "unknown-token", "JupyterHub does not know this token", mend="it may be old"))

    app = FastAPI(dependencies=[Depends(door)])

    @app.exception_handler(Answered)
    async def answered(_: Request, answer: Answered) -> Response:
        return answer.response

    @app.get("/hub/api/")
    async def hub() -> dict[str, str]:
        return {"version": "6.1.0"}

    @app.get("/hub/api/user")
    async def user() -> dict[str, Any]:
        return {"name": "bob", "kind": "user", "admin": False, "groups": ["students"], "scopes": SCOPES}

    @app.get("/elsewhere/hub/api/user")
    async def elsewhere() -> Response:
        return RedirectResponse("https://login.example.org/")

    @app.get("/page/hub/api/user")
    async def page() -> Response:
        return HTMLResponse("<h1>Hello</h1>")

    @app.get("/services/quota/wallet")
    async def wallet() -> dict[str, Any]:
        entry = {
            "kind": "capture",
            "direction": "debit",
            "amount": 1500,
            "previous_balance": 10000,
            "current_balance": 8500,
            "reference": "run-r1",
            "description": "ada/ndvi <b>1.2.0</b>",
            "at": "2026-01-01T00:00:09Z",
        }
        return {
            "account": "bob",
            "tier": "general",
            "balance": 8500,
            "held": 500,
            "available": 8000,
            "entries": [entry],
        }

    @app.get(f"{market}/environments")
    async def environments() -> list[dict[str, str]]:
        return [{"name": "eo", "title": "Earth observation", "lock_sha256": "f" * 64}]

    @app.get(f"{market}/algorithms")
    async def algorithms(q: str = "", limit: int = 50) -> dict[str, Any]:
        one = {"owner": "ada", "name": "ndvi", "title": "NDVI <script>", "summary": "Green", "latest_version": "1.2.0"}
        found = [one] if q in one["title"] else []
        return {"algorithms": found[:limit], "total": len(found)}

    @app.post(f"{market}/algorithms")
    async def publish(request: Request) -> Response:
        body = await request.json()
        metadata = body["notebook"]["metadata"].get("swath")
        if not metadata:
            finding = {"code": "no-name", "severity": "error", "cell": None, "line": None, "message": "no name"}
            second = {
                "code": "x",
                "severity": "error",
                "cell": 1,
                "line": 3,
                "message": "unannotated",
                "mend": "x: int",
            }
            return problem(422, "invalid-notebook", "this cannot be published", findings=[finding, second])
        version = {"owner": "bob", "name": metadata["name"], "version": body.get("version") or metadata["version"]}
        version["digest"] = "sha256:" + hashlib.sha256(json.dumps(body["notebook"]).encode()).hexdigest()
        key = f"{version['name']}@{version['version']}"
        if key in fake.versions and fake.versions[key] != version:
            return problem(409, "version-exists", f"{key} exists and differs", difference=["notebook"])
        created = key not in fake.versions
        fake.versions[key] = version
        return JSONResponse(version, status_code=201 if created else 200)

    @app.get(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}/schema")
    async def schema(wanted: str) -> dict[str, Any]:
        return SCHEMA

    @app.get(f"{market}/algorithms/ada/ndvi")
    async def algorithm() -> dict[str, Any]:
        old = {"version": "1.1.0", "yanked_at": "2026-01-02T00:00:00Z"}
        return {"owner": "ada", "name": "ndvi", "versions": [{"version": "1.2.0", "yanked_at": None}, old]}

    @app.get(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}")
    async def version(wanted: str) -> dict[str, Any]:
        kind = {"kind": "int", "ge": 1}
        label = {"kind": "str", "nullable": True}
        return {
            "owner": "ada",
            "name": "ndvi",
            "version": "1.2.0",
            "title": "NDVI \x1b]0;owned\x07",
            "license": "MIT",
            "maturity": "verified",
            "environment": {"name": "eo", "lock_sha256": "f" * 64},
            "resources": {"cpus": 1.0, "memory_mb": 2048, "wall_seconds": 900, "dask": False},
            "interface": {
                "parameters": [
                    {"name": "count", "type": kind, "required": True, "description": "how many"},
                    {"name": "label", "type": label, "required": False, "default": None},
                    {"name": "later", "type": {"kind": "hologram"}, "required": False, "default": 1},
                ],
                "outputs": [{"name": "data", "media_type": "text/csv", "kind": "table", "description": "rows"}],
            },
        }

    @app.post(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}/yank")
    async def yank(wanted: str, request: Request) -> dict[str, Any]:
        return {"version": wanted, "yank_reason": (await request.json())["reason"]}

    @app.get(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}/maturity")
    async def maturity(wanted: str) -> dict[str, Any]:
        return {"algorithm": "ada/ndvi", "version": wanted, **MATURITY}

    @app.get(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}/assessments")
    async def assessments(wanted: str, limit: int, cursor: int = 451) -> dict[str, Any]:
        numbers = range(cursor - 1, max(cursor - 1 - limit, 0), -1)
        found = [{**MATURITY["assessment"], "number": number} for number in numbers]
        return {"assessments": found, "next_cursor": str(numbers[-1]) if numbers[-1] > 1 else None}

    @app.post(f"{market}/algorithms/ada/ndvi/versions/{{wanted}}/reviews")
    async def review(wanted: str, request: Request) -> Response:
        body = await request.json()
        fake.bodies.append(body)
        if len(body["text"]) < 40:
            finding = {"field": "text", "message": "too short", "mend": "say why"}
            return problem(422, "review-invalid", "too short", findings=[finding])
        return JSONResponse({**body, "number": 3, "reviewer": "bob", "counts": False}, status_code=201)

    @app.post(f"{market}/runs")
    async def start(request: Request) -> Response:
        body = await request.json()
        fake.bodies.append(body)
        key = request.headers.get("idempotency-key")
        if not body["algorithm"].startswith("ada/ndvi@"):
            return problem(404, "no-such-algorithm", "there is no such algorithm")
        if unknown := sorted(set(body["parameters"]) - set(SCHEMA["properties"])):
            findings = [{"field": name, "message": "no such parameter", "mend": "leave it out"} for name in unknown]
            return problem(422, "invalid-parameters", "the parameters do not fit", findings=findings)
        if body.get("budget_millicredits") == 1:
            return problem(402, "budget-too-small", "the budget is below the quote", retry_at=None)
        if key in fake.keys:
            return JSONResponse(fake.runs[fake.keys[key]], status_code=200)
        made = fake.run(f"r{len(fake.runs) + 1}", status="created", parameters=body["parameters"])
        fake.keys[key] = made["id"]
        if fake.broken_posts:
            fake.broken_posts -= 1
            return StreamingResponse(_broken(json.dumps(made).encode(), 10), status_code=201)
        return JSONResponse(made, status_code=201)

    @app.post(f"{market}/quotes")
    async def quote(request: Request) -> Response:
        body = await request.json()
        fake.bodies.append(body)
        if unknown := sorted(set(body["parameters"]) - set(SCHEMA["properties"])):
            findings = [{"field": name, "message": "no such parameter", "mend": "leave it out"} for name in unknown]
            return problem(422, "invalid-parameters", "the parameters do not fit", findings=findings)
        return JSONResponse({**QUOTE, "hold_millicredits": min(2100, body.get("budget_millicredits", 2100))})

    @app.get(f"{market}/runs")
    async def runs(status: str | None = None, limit: int = 20) -> dict[str, Any]:
        found = [run for run in fake.runs.values() if status in (None, run["status"])]
        return {"runs": found[:limit]}

    @app.get(f"{market}/runs/{{run_id}}")
    async def run(run_id: str) -> Response:
        if run_id not in fake.runs:
            return problem(404, "no-such-run", "there is no such run of yours")
        return JSONResponse(fake.runs[run_id])

    @app.delete(f"{market}/runs/{{run_id}}")
    async def cancel(run_id: str) -> Response:
        if fake.runs[run_id]["status"] not in TERMINAL:
            fake.runs[run_id]["status"] = "canceled"
        return JSONResponse(fake.runs[run_id], status_code=202)

    @app.get(f"{market}/runs/{{run_id}}/log")
    async def log(run_id: str) -> Response:
        text = "".join(event.get("text", "") for event in fake.events[run_id])
        if fake.stream_status != 200 or fake.stream_type != "text/event-stream":
            fake.end(run_id)
        return Response(text, media_type="text/plain")

    @app.get(f"{market}/runs/{{run_id}}/events")
    async def events(run_id: str, request: Request) -> Response:
        last = request.headers.get("last-event-id")
        fake.last_ids.append(last)
        if fake.stream_status != 200:
            return Response("no", status_code=fake.stream_status)
        cut = fake.cuts.pop(0) if fake.cuts else None
        return StreamingResponse(_events(fake, run_id, int(last) if last else -1, cut), media_type=fake.stream_type)

    @app.get(f"{market}/runs/{{run_id}}/comparison")
    async def comparison(request: Request, run_id: str) -> dict[str, Any]:
        fake.asked.append(str(request.url.query))
        here = f"{request.url.path}/pictures/data?{request.url.query}"
        found = {
            "verdict": "differs",
            "kind": "raster",
            "message": "far",
            "compared": 4,
            "differing": 1,
            "largest": 2.0,
            "differences": [{"where": "band 1, row 0, column 0", "expected": "1", "found": "3", "distance": 2.0}],
            "picture": here,
            "tolerance": {},
        }
        return {"verdict": "differs", "comparisons": {"data": found}}

    @app.get(f"{market}/runs/{{run_id}}/comparison/pictures/data")
    async def picture(run_id: str) -> Response:
        return Response(b"\x89PNG", media_type="image/png")

    @app.get(f"{market}/runs/{{run_id}}/results")
    async def results(run_id: str) -> list[dict[str, Any]]:
        kinds = {"data": "text/csv", "notebook": "application/x-ipynb+json", "facts": "application/json"}
        return [
            {
                "name": name,
                "media_type": kinds.get(name, "application/octet-stream"),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "description": f"{name} of the run",
            }
            for name, content in fake.files.items()
        ]

    @app.get(f"{market}/runs/{{run_id}}/results/{{name}}")
    async def result(run_id: str, name: str, request: Request) -> Response:
        wanted = request.headers.get("range")
        fake.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        content = fake.files[name][start:]
        headers = {"Content-Length": str(len(content))}
        if fake.file_cuts:
            body = _broken(content, fake.file_cuts.pop(0))
            return StreamingResponse(body, status_code=206 if wanted else 200, headers=headers)
        return Response(content, status_code=206 if wanted else 200)

    return app


async def _broken(content: bytes, size: int) -> AsyncIterator[bytes]:
    yield content[:size]
    # What was written has to leave before the connection is closed.
    await asyncio.sleep(0.05)
    raise ConnectionAbortedError("told to break")


async def _events(fake: Fake, run_id: str, last: int, cut: int | None) -> AsyncIterator[str]:
    sent = 0
    yield "retry: 100\r\n\r\n: hello\r\n\r\n"
    for event in fake.events[run_id]:
        if event["seq"] <= last:
            continue
        if sent == cut:
            await asyncio.sleep(0.05)
            raise ConnectionAbortedError("told to break")
        sent += 1
        yield f"id: {event['seq']}\r\nevent: {event['type']}\r\ndata: {json.dumps(event, ensure_ascii=False)}\r\n\r\n"
    if cut is not None and sent == cut:
        await asyncio.sleep(0.05)
        raise ConnectionAbortedError("told to break")
    fake.end(run_id)
    if fake.tells_status and not fake.stall:
        yield f"event: status\r\ndata: {json.dumps(fake.runs[run_id])}\r\n\r\n"
    while fake.stall:
        yield ": ping\n\n"
        await asyncio.sleep(0.05)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """The server, listening."""
    state = Fake()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        state.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        config = uvicorn.Config(make_app(state), log_level="critical", access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield state
        state.stall = False
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture
def signed_in(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Fake:
    """The server, with this process signed in to it by its environment and no trace of the machine's own sign-in."""
    for name in ("JUPYTERHUB_API_TOKEN", "SWATH_INSECURE", "SWATH_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SWATH_URL", fake.url)
    monkeypatch.setenv("SWATH_TOKEN", TOKEN)
    return fake
