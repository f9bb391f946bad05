"""OGC API - Processes: request to result of an echo, through Swath and through pygeoapi's own process manager.

pygeoapi answers twice: with its hello-world, a function in the server's process, which is the floor of a request; and
with the very notebook that Swath runs, by papermill in a process of its own. Swath also holds the price, isolates the
run, hashes what it left, settles, and signs a receipt.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from plain_swath import PlainSwath, free_port
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
_SOURCE = """\
import json
from pathlib import Path

import swath

Path("echoed.json").write_text(json.dumps(text))
swath.emit("text", Path("echoed.json"))"""


def bench_echo(say: Console, *, python: Path, rounds: int) -> None:
    """Interleaved rounds of all, synchronous and asynchronous; prints medians."""
    with tempfile.TemporaryDirectory(prefix="swath-bench-") as scratch:
        folder = Path(scratch)
        book = folder / "echo.ipynb"
        book.write_text(json.dumps(_notebook()))
        swath = PlainSwath(folder / "data", python=python, editable=False, users=["bea"])
        try:
            for service in ("quota", "marketplace"):
                swath.start(service)
            for service in ("quota", "marketplace"):
                swath.wait_ready(service)
            with swath.client("bea") as ours, _pygeoapi(folder, python=python, notebook=book) as theirs:
                ours.post("algorithms", json={"notebook": _notebook()}).raise_for_status()
                _rounds(say, ours, theirs, rounds=rounds)
        finally:
            swath.close()


def _rounds(say: Console, ours: httpx.Client, theirs: httpx.Client, *, rounds: int) -> None:
    asked = {
        "pygeoapi, hello-world in its process": (theirs, "processes/hello-world/execution", "name"),
        "pygeoapi, the notebook by papermill": (theirs, "processes/notebook-echo/execution", "text"),
        "Swath, the notebook in the sandbox": (ours, "ogc/processes/bea.bench-echo/execution", "text"),
    }
    ways: dict[str, Callable[..., None]] = {"sync": _synchronous, "async": _asynchronous}
    seconds: dict[tuple[str, str], list[float]] = {(name, way): [] for name in asked for way in ways}
    for number in range(rounds + 1):
        for name, (http, path, given) in asked.items():
            for way, ask in ways.items():
                began = time.perf_counter()
                ask(http, path, {given: f"round {number}"})
                if number:
                    seconds[name, way].append(time.perf_counter() - began)
    table = Table("echo", *(f"{way}, s" for way in ways), title=f"request→result of echo, {rounds} rounds, medians")
    for name in asked:
        table.add_row(name, *(f"{statistics.median(seconds[name, way]):.3f}" for way in ways))
    say.print(table)


def _synchronous(http: httpx.Client, path: str, inputs: dict[str, str]) -> None:
    answer = http.post(path, json={"inputs": inputs, "response": "document"})
    answer.raise_for_status()
    _echoed(answer, inputs)


def _asynchronous(http: httpx.Client, path: str, inputs: dict[str, str]) -> None:
    answer = http.post(path, json={"inputs": inputs, "response": "document"}, headers={"Prefer": "respond-async"})
    answer.raise_for_status()
    job = answer.headers["location"]
    while (status := http.get(job, params={"f": "json"}).json()["status"]) in {"accepted", "running"}:
        time.sleep(0.02)
    if status != "successful":
        raise RuntimeError(f"a job of the bench ended as {status}")
    _echoed(http.get(f"{job}/results", params={"f": "json"}), inputs)


def _echoed(answer: httpx.Response, inputs: dict[str, str]) -> None:
    if next(iter(inputs.values())) not in answer.text:
        raise RuntimeError(f"no echo: {answer.status_code} {answer.text[:300]}")


@contextmanager
def _pygeoapi(folder: Path, *, python: Path, notebook: Path) -> Iterator[httpx.Client]:
    """A client of a pygeoapi in a virtual environment of its own, as `requirements/bench.lock` says."""
    uv, place = ROOT / ".tools" / "bin" / "uv", folder / "pygeoapi"
    lock = ROOT / "requirements" / "bench.lock"
    subprocess.run([uv, "venv", "-q", "--python", "3.11", place], check=True)
    interpreter = place / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "--python", interpreter, "--require-hashes", "-r", lock], check=True)
    port = free_port()
    config, definition = folder / "pygeoapi.yml", folder / "pygeoapi-openapi.yml"
    config.write_text(yaml.safe_dump(_config(folder, port)))
    environment = {
        **os.environ,
        "PYGEOAPI_CONFIG": str(config),
        "PYGEOAPI_OPENAPI": str(definition),
        "PYTHONPATH": str(Path(__file__).parent),
        "BENCH_PYTHON": str(python),
        "BENCH_NOTEBOOK": str(notebook),
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }
    command = [place / "bin" / "pygeoapi"]
    made = [*command, "openapi", "generate", str(config), "--output-file", str(definition)]
    subprocess.run(made, env=environment, check=True, capture_output=True)
    with (folder / "pygeoapi.log").open("wb") as log:
        server = subprocess.Popen([*command, "serve"], env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/", timeout=120, trust_env=False) as http:
                _wait_for(http, server, folder / "pygeoapi.log")
                yield http
        finally:
            server.terminate()
            server.wait()


def _wait_for(http: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"pygeoapi ended: {log.read_text()[-1000:]}")
        try:
            if http.get("processes", params={"f": "json"}).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("pygeoapi does not answer")


def _config(folder: Path, port: int) -> dict[str, Any]:
    bind = {"host": "127.0.0.1", "port": port}
    manager = {"name": "TinyDB", "connection": str(folder / "pygeoapi.db"), "output_dir": str(folder)}
    words = {"title": "Bench", "description": "Bench", "keywords": ["bench"], "terms_of_service": "https://example.org"}
    return {
        "server": {
            "bind": bind,
            "url": f"http://127.0.0.1:{port}",
            "mimetype": "application/json",
            "encoding": "utf-8",
            "language": "en-US",
            "map": {"url": "https://example.org/{z}/{x}/{y}.png", "attribution": "none"},
            "manager": manager,
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {**words, "url": "https://example.org"},
            "license": {"name": "none", "url": "https://example.org"},
            "provider": {"name": "bench", "url": "https://example.org"},
            "contact": {"name": "bench"},
        },
        "resources": {
            "hello-world": {"type": "process", "processor": {"name": "HelloWorld"}},
            "notebook-echo": {"type": "process", "processor": {"name": "pygeoapi_notebook.NotebookEcho"}},
        },
    }


def _notebook() -> dict[str, Any]:
    """A notebook that both papermill and Swath take."""

    def cell(key: str, source: str, *tags: str) -> dict[str, Any]:
        meta = {"tags": list(tags)} if tags else {}
        code = {"cell_type": "code", "metadata": meta, "source": source, "outputs": [], "execution_count": None}
        return {"id": key, **code}

    swath = {
        "name": "bench-echo",
        "title": "For the bench",
        "summary": "For the bench",
        "license": "Apache-2.0",
        "version": "1.0.0",
        "resources": {"cpus": 1, "memory_mb": 1024, "wall_seconds": 120},
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell("params", '# What comes back\ntext: str = "hello"', "parameters"), cell("work", _SOURCE)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, "swath": swath}, "cells": cells}
