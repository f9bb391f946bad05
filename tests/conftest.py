"""Fixtures that every room's tests may use: a scratch PostgreSQL."""

from __future__ import annotations

import functools
import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    """A module beside this file: pytest's importlib mode puts no folder of tests on ``sys.path``."""
    spec = importlib.util.spec_from_file_location(f"swath_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _share_tls() -> None:
    """Make httpx's settings of TLS once: reading every certificate authority is 15 ms of each poll of a health page."""
    import httpx

    httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)  # type: ignore[attr-defined]


def pytest_configure() -> None:
    """Let an interrupt reach what the tests start: a shell's background job ignores it, and so would every child."""
    _share_tls()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[object]:
    """A cluster of the session's own; a machine without PostgreSQL fails here, with the package to install."""
    scratch = _load("postgres_scratch")
    try:
        cluster = scratch.ScratchCluster()
    except scratch.PostgresMissing as error:
        pytest.fail(str(error), pytrace=False)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_cluster: object) -> str:
    """SQLAlchemy's URL of the cluster's maintenance database."""
    return str(postgres_cluster.url)  # type: ignore[attr-defined]


@pytest.fixture
def postgres_database(postgres_cluster: object) -> Iterator[str]:
    """SQLAlchemy's URL of a new, empty database, dropped after the test."""
    with postgres_cluster.database() as url:  # type: ignore[attr-defined]
        yield url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Side by side (``-n 5``: many tests wait) a file stays on one worker, as its fixtures are made once a file.

    What walks a whole Swath stays together: it shares one. (xdist's own groups do nothing under pytest 9.2, which keeps
    a test's id where xdist 3.8 does not write it.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "whole" if {"docs", "e2e", "notebooks"} & set(Path(file).parts) else file

    return ByFile(config, log)
