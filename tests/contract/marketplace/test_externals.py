"""Entries of other platforms over each database: what is imported, what is refused and why, and what a page shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace import import_records
from swath_marketplace.domain.externals import RECORD_CORE
from swath_marketplace.domain.search_request import SearchRequest
from swath_marketplace.domain.searching import EntryKind
from swath_marketplace.testing import PREFIX, World, user

UDP = "https://apex.esa.int/core/openeo-udp"
EVIL = "<script>alert(1)</script>"


def record(name: str, *, links: list[dict[str, str]] | None = None, **properties: Any) -> dict[str, Any]:
    """A record with the members of APEx's."""
    service = {"rel": "service", "type": "application/json", "title": "Service", "href": f"https://run.example/{name}"}
    floating = "https://code.example/refs/heads/main/process.json"
    return {
        "id": name,
        "type": "Feature",
        "conformsTo": [RECORD_CORE, UDP],
        "geometry": None,
        "properties": {
            "type": "service",
            "title": f"Title of {name}",
            "description": "What it does.\n\nAnd how.",
            "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-02T00:00:00Z",
            "cost_estimate": 0.5,
            "cost_unit": "credits per km²",
            "keywords": ["Vegetation"],
            "formats": [{"name": "GeoTIFF"}],
            "license": "CC-BY-4.0",
            **properties,
        },
        "links": [
            service,
            {"rel": "application", "type": "application/json", "title": "Process", "href": floating},
            {"rel": "thumbnail", "type": "image/png", "title": "Picture", "href": "https://pictures.example/x.png"},
            {"rel": "provider", "type": "application/json", "title": "Maker", "href": "../../record.json"},
            {"rel": "platform", "type": "application/json", "title": "There", "href": "../../../../places/p.json"},
        ]
        if links is None
        else links,
    }


def lay(root: Path, name: str, content: Any) -> None:
    path = root / "catalogue" / "maker" / name / "records" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "copy"
    lay(root, "one", record("one"))
    website = {"rel": "website", "type": "text/html", "title": "W", "href": "https://maker.example"}
    maker = {"id": "maker", "properties": {"title": "The Makers"}, "links": [website]}
    (root / "catalogue" / "maker" / "record.json").write_text(json.dumps(maker))
    (root / "places").mkdir()
    (root / "places" / "p.json").write_text(json.dumps({"id": "p", "properties": {"title": "A Platform"}, "links": []}))
    return root


def test_a_folder_is_imported_again_and_again(world: World, folder: Path) -> None:
    externals = world.made.context.judging.externals

    def found(words: str) -> list[str]:
        asked = SearchRequest(text=words, kinds=(EntryKind.EXTERNAL,))
        return [entry.path for entry in world.made.context.searches.find(user("bob"), asked).entries]

    first = externals.import_folder("apex", folder)
    assert (first.new, first.same, first.refused) == (("apex/one",), (), ())
    assert [remark for _, remark in first.remarks] == [
        "links: the application is read from a branch, and may change without a new version"
    ]
    listed = externals.get(user("bob"), "apex", "one")
    entry = listed.entry
    assert (entry.provider.title, entry.provider.href, entry.platform.title) == (
        "The Makers",
        "https://maker.example",
        "A Platform",
    )
    assert (entry.licence, entry.cost, entry.offers) == ("CC-BY-4.0", "0.5 credits per km²", "openEO process")
    assert [(link.rel, link.pinned) for link in entry.links] == [("service", True), ("application", False)]
    assert externals.import_folder("apex", folder).same == ("apex/one",)
    lay(folder, "one", record("one", title="Another"))
    lay(folder, "two", record("two"))
    assert externals.import_folder("apex", folder).new == ("apex/one", "apex/two")
    assert externals.get(user("bob"), "apex", "one").entry.title == "Another"
    assert found("another") == ["apex/one"]
    (folder / "catalogue" / "maker" / "one" / "records" / "one.json").unlink()
    assert externals.import_folder("apex", folder).gone == ()
    assert externals.import_folder("other", folder, prune=True).gone == ()
    assert externals.import_folder("apex", folder, prune=True).gone == ("one",)
    assert found("another") == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_listed_says_why(world: World, folder: Path, tmp_path: Path) -> None:
    bad = {"rel": "service", "type": "x", "title": "x", "href": "javascript:alert(1)"}
    for name, content, _ in (cases := (
        ("nojson", "{", "no JSON"),
        ("list", [], "expected a JSON object"),
        ("noid", {**record("x"), "id": "../x"}, "id:"),
        ("nocore", {**record("x"), "conformsTo": [UDP]}, "no record of OGC API"),
        ("notype", record("x", type="dataset"), "no service"),
        ("private", record("x", visibility="private"), "does not list it"),
        ("notitle", record("x", title=" \u200b"), "must say something"),
        ("nolink", record("x", links=[bad]), "nobody could call it"),
        ("zz-again", record("one"), "another record of this folder"),
    )):  # fmt: skip
        lay(folder, name, content)
    (tmp_path / "outside.json").write_text(json.dumps(record("outside")))
    (folder / "catalogue" / "maker" / "one" / "records" / "link.json").symlink_to(tmp_path / "outside.json")
    made = world.made.context.judging.externals.import_folder("apex", folder)
    why = {Path(path).stem: reason for path, reason in made.refused}
    assert made.new == ("apex/one",)
    assert set(why) == {name for name, _, _ in cases} | {"link"}
    for name, _, word in cases:
        assert word in why[name], (name, why[name])
    assert "outside the folder" in why["link"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_page_shows_foreign_words_as_words(world: World, folder: Path) -> None:
    evil = record("evil", title=f"T {EVIL}", description=f"{EVIL}\n\n<b>x</b>", license=EVIL, keywords=[EVIL])
    evil["links"] += [
        {"rel": "webapp", "type": EVIL, "title": EVIL, "href": 'https://app.example/"><script>alert(1)</script>'},
        {"rel": "about", "type": "x", "title": "x", "href": "javascript:alert(1)"},
        {"rel": "about", "type": "x", "title": "x", "href": "https://user:word@bank.example/"},
    ]
    lay(folder, "evil", evil)
    world.made.context.judging.externals.import_folder("apex", folder)
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    headers = {"Authorization": "Bearer bob", "Accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as http:
        page = await http.get("external/apex/evil", headers=headers)
        assert (page.status_code, "does not run here" in page.text) == (200, True)
        for word in ("<script", "javascript:", "pictures.example", "<b>x", "bank.example", "<img"):
            assert word not in page.text
        assert "Not pinned" in page.text
        assert (await http.get("external/apex/none", headers=headers)).status_code == 404
        told = (await http.get("external", params={"limit": 1}, headers={"Authorization": "Bearer bob"})).json()
        assert (told["total"], told["entries"][0]["runnable_here"]) == (2, False)
        rest = (await http.get(f"http://test{told['links']['next']}", headers={"Authorization": "Bearer bob"})).json()
        assert [one["record_id"] for one in rest["entries"]] == ["one"]


def test_the_command_counts_and_says_why(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWATH_MARKETPLACE_DATABASE_URL", f"sqlite:///{tmp_path / 'm.sqlite'}")
    lay(folder, "bad", "{")
    assert import_records.main([str(folder)]) == 0
    assert "1 new or changed, 0 unchanged, 1 refused, 0 removed" in capsys.readouterr().out
    assert import_records.main([str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == ["apex/one"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert import_records.main([str(empty)]) == 1
    with pytest.raises(SystemExit):
        import_records.main([str(folder), "--source", "A B"])
