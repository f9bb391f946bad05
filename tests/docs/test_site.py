"""The documentation is built whole, from the programs as they are, and leads nowhere that is not there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"swath_docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = load(ROOT / "docs" / "check_links.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds; a warning fails it."""
    target = tmp_path_factory.mktemp("site")
    command = [str(Path(sys.executable).with_name("sphinx-build")), "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(target / ".doctrees"), "docs", str(target / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return target / "html"


def test_every_link_leads_somewhere_and_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    wrong, external = links.faults(site)
    assert wrong == []
    assert all(link.startswith(("http://", "https://")) for link in external)


def test_the_reference_has_every_door_every_verb_and_the_search_its_index(site: Path) -> None:
    from swath.cli.verbs import CLIENT

    command = (site / "reference" / "command.html").read_text()
    assert [verb for verb in CLIENT if f'id="swath-{verb}"' not in command] == []
    doors = "".join(path.read_text() for path in (site / "reference" / "http").glob("*.html"))
    for door in ("/services/marketplace/runs", "/services/marketplace/account/exports", "/services/quota/wallet"):
        assert door in doors
    assert "open_cube" in (site / "reference" / "python" / "notebook.html").read_text()
    assert "Search.setIndex" in (site / "searchindex.js").read_text()[:200]


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="https://x.example/">4</a>'
        '<script src="https://cdn.example/x.js"></script><a href="#here">5</a><i id="here"></i>'
    )
    (tmp_path / "b.html").write_text('<i id="there"></i>')
    (tmp_path / "c.css").write_text("@import url('https://fonts.example/x');")
    wrong, external = links.faults(tmp_path)
    assert sorted(wrong) == [
        "a.html: b.html#gone: there is no such place",
        "a.html: c.html is not there",
        "a.html: fetches https://cdn.example/x.js",
        "c.css: fetches @import url('https://fonts.example/x')",
    ]
    assert external == {"https://x.example/", "https://cdn.example/x.js"}
