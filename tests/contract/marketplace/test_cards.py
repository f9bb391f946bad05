"""Cards: what they tell of an algorithm, its example, its versions, how it is cited; and that nothing in them acts."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from datacite import schema45
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, write_environment

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GOES_THERE = {**HTML, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "same-origin"}
#: What somebody might write who wants it to run in another's browser.
XSS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    '<a href="javascript:alert(1)">x</a>',
    "]]><script>alert(1)</script>",
    "</pre></code></script><script>alert(1)</script>",
)
NASTY = " ".join(XSS)
MARKDOWN = f"""# Card {NASTY}

[link](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>) [own](references/x.tif) [away](https://a.example/?q="onmouseover=x)
![pixel](https://tracker.example/x.png) ![own](pictures/a.png) ![up](../../secret.png) ![svg](pictures/b.svg)

<img src=x onerror=alert(1)> <style>*{{}}</style>

| a | b |
|---|---|
| {NASTY.replace("|", "")} | 2 |

```html
<script>alert(1)</script>
```
"""
CSV = "time,value,label\n" + "".join(f"2024-0{n}-01,{n * 0.5},{XSS[0]}\n" for n in range(1, 8))
SHAPES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [5, 50]}, "properties": {NASTY: NASTY, "n": 1}}
    ],
}
OUTPUTS: dict[str, tuple[str, bytes]] = {
    "double": ("application/json", json.dumps({"value": 6, "word": NASTY}).encode()),
    "series": ("text/csv", CSV.encode()),
    "shapes": ("application/geo+json", json.dumps(SHAPES).encode()),
    "words": ("text/plain", NASTY.encode()),
    "picture": ("image/tiff; application=geotiff; profile=cloud-optimized", b"II*\0" + bytes(60)),
    "broken": ("application/json", b"{" * 5000),
}


def bringing(outputs: Mapping[str, tuple[str, bytes]]) -> Any:
    """A run that brings `outputs` back, each with its media type."""

    def script(_: Any, folder: Any) -> Any:
        write_report(folder, outputs={name: content for name, (_, content) in outputs.items()})
        path = folder.out / "report.json"
        report = json.loads(path.read_text())
        for record in report["outputs"]:
            record["media_type"] = outputs[record["name"]][0]
        path.write_text(json.dumps(report))
        return process_end(cpu_seconds=2.0)

    return script


@pytest.fixture
def world(tmp_path: Path) -> Any:
    write_environment(tmp_path, python=sys.executable)
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=bringing(OUTPUTS))
    made = make_world(tmp_path, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()


@pytest.fixture
def http(bobs_browser: httpx.AsyncClient) -> httpx.AsyncClient:
    return bobs_browser


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def published(http: httpx.AsyncClient, version: str = "1.0.0", **more: Any) -> None:
    emits = "\n".join(["import swath", *(f"swath.emit('{name}', list(str(n)))" for name in OUTPUTS)])
    book = notebook(emits, **{"title": "Doubles a number", "summary": "For tests", "keywords": ["twice"], **more})
    made = await http.post("algorithms", json={"notebook": book, "version": version}, headers=as_("ada"))
    assert made.status_code == 201, made.text


async def put(http: httpx.AsyncClient, version: str = "1.0.0", **files: bytes | str) -> None:
    reference = OUTPUTS["double"][1]
    expected = {"reference": "references/double.json", "sha256": hashlib.sha256(reference).hexdigest()}
    scenario = {"title": f"Three {XSS[0]}", "parameters": {"n": 3}, "outputs": {"double": expected}}
    contents: dict[str, Any] = {
        "scenarios/three.json": json.dumps(scenario),
        "references/double.json": reference,
        **{name.replace("__", "/").replace("_", "."): content for name, content in files.items()},
    }
    parts = [("files", (name, one if isinstance(one, bytes) else one.encode())) for name, one in contents.items()]
    address = f"algorithms/ada/double/versions/{version}/dossier"
    answer = await http.put(address, files=parts, headers=as_("ada"))
    assert answer.status_code == 201, answer.text


def settle(world: World) -> None:
    store = RoundStore(world.made.database)
    for _ in range(300):
        world.made.keeper.look()
        if not (store.open() or store.untold()):
            return
        world.made.reconciler.look()
    raise AssertionError("a round is still open")


async def runs_of(http: httpx.AsyncClient, world: World, *who: str, n: int = 3) -> None:
    for name in who:
        made = await http.post("runs", json={"algorithm": "ada/double", "parameters": {"n": n}}, headers=as_(name))
        assert made.status_code == 201, made.text
        world.look_until(made.json()["id"])


async def card(http: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await http.get("algorithms/ada/double/card", params=query, headers=as_("bob"))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_card_tells_everything_and_its_example_s_files_can_be_read(
    http: httpx.AsyncClient, world: World
) -> None:
    await published(http)
    assert (await card(http))["example"] is None
    await put(http, README_md="# What\n\nIt doubles.")
    settle(world)
    told = await card(http)
    assert told["readme"]["html"] == "<h3>What</h3>\n<p>It doubles.</p>\n"
    assert told["interface"]["schema"]["properties"]["n"]["default"] == 3
    example = told["example"]
    assert (example["scenario"], example["parameters"]) == ("three", {"n": 3})
    assert {one["name"] for one in example["outputs"]} == set(OUTPUTS)
    href = next(one["href"] for one in example["outputs"] if one["name"] == "double")
    for who in ("bob", "cyd"):
        got = await http.get(f"http://swath{href}", headers=as_(who))
        assert got.content == OUTPUTS["double"][1]
    part = await http.get(f"http://swath{href}", headers={**as_("bob"), "Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, OUTPUTS["double"][1][2:6])
    assert got.headers["content-security-policy"].startswith("sandbox")
    assert told["price"]["quote"]["hold"] > 0
    # The platform's run itself stays its own.
    (scenario,) = (await http.get("algorithms/ada/double/versions/1.0.0/rounds", headers=as_("bob"))).json()["rounds"]
    run_id = scenario["results"][0]["run_ids"][0]
    assert (await http.get(f"runs/{run_id}", headers=as_("bob"))).status_code == 404
    assert (await http.get(href.replace("double", "none").split(PREFIX)[1], headers=as_("bob"))).status_code == 404


async def test_the_example_outlives_the_other_benchmarks(http: httpx.AsyncClient, world: World) -> None:
    await published(http)
    await put(http)
    settle(world)
    first = (await card(http))["example"]
    await http.post("algorithms/ada/double/versions/1.0.0/rounds", headers=as_("ada"))
    settle(world)
    store = RoundStore(world.made.database)
    latest = store.latest_green()
    assert len(latest) == 1
    assert first["links"]["round"].rpartition("/")[2] not in latest


async def test_statistics_need_several_people_and_tell_of_nobody(http: httpx.AsyncClient, world: World) -> None:
    await published(http)
    await runs_of(http, world, *["bob"] * 5, "ada")
    few = (await card(http))["statistics"]
    assert (few["runs"], few["enough"], few["share"]) == (5, False, None)
    await runs_of(http, world, "cyd", n=123457)
    told = await card(http)
    statistics = told["statistics"]
    assert (statistics["runs"], statistics["finished"], statistics["share"]) == (6, 6, 1.0)
    assert statistics["seconds"]["median"] == 2.0
    assert sum(one["count"] for one in statistics["cost_millicredits"]["bins"]) == 6
    assert not re.search(r"bob|cyd|123457", json.dumps(told))
    page = (await http.get("algorithms/ada/double", headers=HTML)).text
    assert "100 %" in page
    assert not re.search(r"cyd|123457", page)


async def test_versions_tell_what_changed(http: httpx.AsyncClient, world: World) -> None:
    await published(http)
    await published(http, "1.1.0", parameters="# How many\nn: int = 4\n# Of what\nof: str = 'x'")
    await put(
        http, "1.1.0", CHANGELOG_md=f"# Changes\n\n## [1.1.0] - 2026-12-01\n\n- More {XSS[0]}\n\n## 1.0.0\n\nOld."
    )
    new, old = (await card(http))["versions"]
    assert (new["version"], new["since"], new["bump"]) == ("1.1.0", "1.0.0", "minor")
    assert {one["kind"] for one in new["interface"]["changes"]} == {"default-changed", "parameter-added"}
    assert "<li>More &lt;script&gt;" in new["changelog"]["html"]
    assert "Old" not in new["changelog"]["html"]
    assert (old["changelog"]["markdown"], old["changes"]) == ("Old.", ["The first version."])
    assert (await card(http, version="1.0.0"))["version"]["version"] == "1.0.0"
    settle(world)
    page = await http.get("algorithms/ada/double/compare", params={"from": "1.0.0", "to": "1.1.0"}, headers=HTML)
    assert page.status_code == 200
    for told in ("its default is another one", "at least a <strong>minor</strong> step", "one of the versions only"):
        assert told in page.text
    plain = await http.get("algorithms/ada/double/compare", headers=HTML)
    assert "1.0.0 and 1.1.0" in plain.text
    assert (await http.get("algorithms/ada/none/compare", headers=HTML)).status_code == 404


async def test_a_version_is_cited_as_the_formats_say(http: httpx.AsyncClient) -> None:
    await published(http, references=["White 2014, doi:10.1080/07038992.2014.945827."], license="MIT OR Apache-2.0")
    here = "algorithms/ada/double/versions/1.0.0"
    plain = yaml.safe_load((await http.get(f"{here}/CITATION.cff", headers=as_("bob"))).text)
    assert (plain["authors"], plain["cff-version"]) == ([{"name": "ada"}], "1.2.0")
    assert plain["license"] == ["MIT", "Apache-2.0"]
    authors = (
        "authors:\n  - family-names: Doe\n    given-names: Ada {x}\n    orcid: https://orcid.org/0000-0002-1825-0097\n"
    )
    await put(http, CITATION_cff=f"cff-version: 1.2.0\n{authors}doi: 10.5281/zenodo.123\n")
    told = yaml.safe_load((await http.get(f"{here}/CITATION.cff", headers=as_("bob"))).text)
    assert told["authors"][0]["family-names"] == "Doe"
    assert told["url"].endswith(f"{PREFIX}{here}")
    data = (await http.get(f"{here}/datacite.json", headers=as_("bob"))).json()
    schema45.validator.validate(data)
    assert data["doi"] == "10.5281/zenodo.123"
    assert data["relatedIdentifiers"][0]["relatedIdentifier"] == "10.1080/07038992.2014.945827"
    bib = (await http.get(f"{here}/citation.bib", headers=as_("bob"))).text
    assert "author = {Doe, Ada \\{x\\}}" in bib
    assert bib.count("{") - bib.count("\\{") == bib.count("}") - bib.count("\\}")


@pytest.mark.parametrize("evil", ["a: &a [x]\nb: [*a, *a]", "authors: 7", "[", "\u0000", "authors: [{name: {}}]"])
async def test_a_citation_file_that_is_none_names_the_publisher(http: httpx.AsyncClient, evil: str) -> None:
    await published(http)
    await put(http, CITATION_cff=evil)
    text = (await http.get("algorithms/ada/double/versions/1.0.0/CITATION.cff", headers=as_("bob"))).text
    assert yaml.safe_load(text)["authors"] == [{"name": "ada"}]


PNG = bytes.fromhex("89504e470d0a1a0a") + bytes(40)


async def test_nothing_that_users_wrote_becomes_markup(http: httpx.AsyncClient, world: World) -> None:
    await published(http, title=f"T {XSS[0]} {XSS[1]}"[:120], summary=NASTY, keywords=[one[:60] for one in XSS])
    await put(
        http,
        README_md=MARKDOWN,
        CHANGELOG_md=f"## 1.0.0\n\n{MARKDOWN}",
        pictures__a_png=PNG,
        pictures__b_svg="<svg onload=alert(1)>",
        CITATION_cff=json.dumps({"authors": [{"name": NASTY}], "doi": f"10.1234/{XSS[0]}"}),
    )
    settle(world)
    text = f"{NASTY} and forty characters more than that"
    review = {"kind": "technical", "verdict": "approve", "text": text}
    assert (await http.post("algorithms/ada/double/versions/1.0.0/reviews", json=review, headers=as_("cyd"))).is_success
    for address in ("algorithms/ada/double", "algorithms/ada/double/versions/1.0.0", "algorithms/ada/double/compare"):
        for headers in (HTML, GOES_THERE):
            page = await http.get(address, headers=headers)
            assert page.status_code == 200, page.text
            inert(page)
    page = await http.get("algorithms/ada/double", headers=HTML)
    for shown in ("data-geojson=", "data-raster=", "plot-line-plot", "2024-07-01", "data:image/png;base64,"):
        assert shown in page.text
    told = await card(http)
    assert "49" not in told["readme"]["html"]
    assert "tracker.example" not in told["readme"]["html"].replace("[pixel]", "")
    assert "<script" not in told["readme"]["html"]


class Tags(HTMLParser):
    """Every tag of a page with its attributes, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def inert(page: httpx.Response) -> None:
    """Nothing in the page is a script of anybody's, but those that the service names by its nonce."""
    nonce = re.search(r"'nonce-([^']+)'", page.headers["content-security-policy"])
    for tag, attributes in Tags(page.text).found:
        assert tag not in ("iframe", "object", "embed", "base", "style", "template", "math")
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")], attributes
        if tag == "script":
            assert nonce
            assert attributes["nonce"] == nonce[1]
        for name in ("href", "src", "action", "xlink:href", "formaction"):
            href = attributes.get(name)
            assert href is None or re.match(r"(https://a\.example|/|#|data:image/png;base64,|data:,$)", href), href
    assert "default-src 'none'" in page.headers["content-security-policy"]
