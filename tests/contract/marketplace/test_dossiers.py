"""What an author puts beside a version: over HTTP, over each database, every bad one with its own finding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.testing import PREFIX, World, notebook

REFERENCE = b'{"value": 6}'
SCENARIO = f"""\
title: Three doubled
parameters: {{n: 3}}
outputs:
  double:
    reference: references/three/double.json
    sha256: "{hashlib.sha256(REFERENCE).hexdigest()}"
    tolerance: {{rtol: 1.0e-3}}
""".encode()
FILES = {
    "README.md": "# Doubles\n\nä".encode(),
    "scenarios/three.yaml": SCENARIO,
    "references/three/double.json": REFERENCE,
}
PATH = "algorithms/ada/double/versions/1.0.0/dossier"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        made = await client.post(
            "algorithms", json={"notebook": notebook(), "version": "1.0.0"}, headers={"Authorization": "Bearer ada"}
        )
        assert made.status_code == 201
        yield client


async def put(http: httpx.AsyncClient, files: Mapping[str, bytes], *, who: str = "ada") -> httpx.Response:
    parts = [("files", (path, content)) for path, content in files.items()]
    return await http.put(PATH, files=parts, headers={"Authorization": f"Bearer {who}"})


async def get(http: httpx.AsyncClient, path: str = "", *, who: str = "bob") -> httpx.Response:
    return await http.get(PATH + path, headers={"Authorization": f"Bearer {who}"})


async def test_a_dossier_is_put_once_and_read_by_anybody(http: httpx.AsyncClient) -> None:
    first, again = await put(http, FILES), await put(http, FILES)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    told = (await get(http)).json()
    assert [file["path"] for file in told["files"]] == sorted(FILES)
    assert told["number"] == 1
    assert [one["name"] for one in told["scenarios"]] == ["three"]
    assert told["scenarios"][0]["outputs"]["double"]["tolerance"]["rtol"] == 1e-3
    file = await get(http, "/files/references/three/double.json")
    assert file.content == REFERENCE
    assert "sandbox" in file.headers["content-security-policy"]


async def test_a_later_dossier_counts_and_the_earlier_one_stays_on_record(http: httpx.AsyncClient) -> None:
    await put(http, FILES)
    changed = await put(http, {**FILES, "LIFECYCLE.md": b"two years"})
    assert (changed.status_code, changed.json()["number"]) == (201, 2)
    back = await put(http, FILES)
    assert (back.status_code, back.json()["number"]) == (201, 3)
    told = (await get(http)).json()
    assert [one["number"] for one in told["history"]] == [1, 2, 3]
    assert told["history"][0]["digest"] == told["history"][2]["digest"] == told["digest"]


async def test_only_the_author_and_operators_put(http: httpx.AsyncClient) -> None:
    assert (await get(http)).json()["code"] == "no-dossier"
    refused = await put(http, FILES, who="bob")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-the-owner")
    assert (await get(http)).status_code == 404
    assert (await put(http, FILES, who="root")).status_code == 201
    assert (await get(http, "/files/nothing.txt")).json()["code"] == "no-such-file"


def scenario(**members: Any) -> dict[str, bytes]:
    told = {"title": "t", "parameters": {"n": 3}, **members}
    return {"scenarios/three.json": json.dumps(told).encode(), "references/r": b"r"}


def reference(**members: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(b"r").hexdigest()
    return {"outputs": {"double": {"reference": "references/r", "sha256": sha256, **members}}}


BAD: list[tuple[str, Mapping[str, bytes], str, str]] = [
    ("a hidden file", {".env": b"x"}, ".env", "begins with a '.'"),
    ("a path upwards", {"a/../b": b"x"}, "a/../b", "the path of a file"),
    ("an absolute path", {"/etc/passwd": b"x"}, "/etc/passwd", "the path of a file"),
    ("too deep", {"a/" * 9 + "b": b"x"}, "a/" * 9 + "b", "up to 8 steps"),
    ("the notebook", {"notebook.ipynb": b"{}"}, "notebook.ipynb", "the version itself"),
    ("a card that is no text", {"README.md": b"\xff\xfe"}, "README.md", "not UTF-8"),
    ("a large file", {"big.bin": b"x" * ((4 << 20) + 1)}, "files", "at most 4 MiB"),
    ("much in all", {f"{n}.bin": b"x" * (2700 << 10) for n in range(4)}, "files", "more than 10 MiB"),
    ("many files", {f"{n}.txt": b"x" for n in range(301)}, "files", "more than 300 files"),
    ("another suffix", {"scenarios/three.txt": b"x"}, "scenarios/three.txt", "<name>.yaml or .json"),
    ("no YAML", {"scenarios/three.yaml": b"a: [1"}, "scenarios/three.yaml", "line 1"),
    ("a bomb", {"scenarios/b.yaml": b"a: &a [1]\nb: [*a, *a]"}, "scenarios/b.yaml", "aliases"),
    ("a member twice", {"scenarios/b.yaml": b"title: a\ntitle: b"}, "scenarios/b.yaml", "twice"),
    ("a bad name", {"scenarios/Three.yaml": SCENARIO}, "scenarios/Three.yaml", "lower-case"),
    ("no outputs", scenario(), "scenarios/three.json", "either 'outputs' or 'refused'"),
    ("an unknown member", scenario(expect=1, **reference()), "scenarios/three.json", "unknown member 'expect'"),
    (
        "no reference",
        scenario(**reference(reference="references/gone")),
        "scenarios/three.outputs.double.reference",
        "n",
    ),
    ("another hash", scenario(**reference(sha256="0" * 64)), "scenarios/three.outputs.double.sha256", "has the sha256"),
    ("a short hash", scenario(**reference(sha256="12")), "scenarios/three.json", "64 hexadecimal digits"),
    ("a path out", scenario(**reference(reference="../../x")), "scenarios/three.json", "below the algorithm's folder"),
    ("a bad tolerance", scenario(**reference(tolerance={"rtol": -1})), "scenarios/three.json", "tolerance.rtol"),
    ("a share over 1", scenario(**reference(tolerance={"share": 2})), "scenarios/three.json", "from 0 to 1"),
    ("NaN", {"scenarios/x.yaml": SCENARIO.replace(b"1.0e-3", b".nan")}, "scenarios/x.yaml", "tolerance.rtol"),
    (
        "an unknown output",
        scenario(outputs={"dubble": reference()["outputs"]["double"]}),
        "scenarios/three.outputs.dubble",
        "no output",
    ),
    ("a bad parameter", scenario(**{**reference(), "parameters": {"n": "x"}}), "scenarios/three.parameters.n", ""),
    (
        "a refusal that is none",
        scenario(refused={"code": "invalid"}),
        "scenarios/three.refused",
        "nothing would refuse",
    ),
    ("an unknown refusal", scenario(refused={"code": "never"}), "scenarios/three.json", "expected one of"),
]


@pytest.mark.parametrize(("files", "field", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_every_bad_dossier_has_its_finding_and_stores_nothing(
    http: httpx.AsyncClient, files: Mapping[str, bytes], field: str, says: str
) -> None:
    answer = await put(http, files)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert told["code"] == "dossier-invalid"
    assert any(one["field"] == field and says in one["message"] and one["mend"] for one in told["findings"]), told
    assert (await get(http)).json()["code"] == "no-dossier"


async def test_two_files_of_one_name_are_refused(http: httpx.AsyncClient) -> None:
    parts = [("files", ("a.txt", b"1")), ("files", ("a.txt", b"2"))]
    twice = await http.put(PATH, files=parts, headers={"Authorization": "Bearer ada"})
    assert (twice.status_code, twice.json()["findings"][0]["field"]) == (422, "a.txt")
    names = {"scenarios/three.yaml": SCENARIO, **scenario(**reference()), **FILES}
    assert "two files" in (await put(http, names)).text
    assert (await http.put(PATH, headers={"Authorization": "Bearer ada"})).status_code == 422


async def test_sql_keeps_dossiers_as_they_are(http: httpx.AsyncClient, world: World) -> None:
    await put(http, FILES)
    database: Database = world.made.database
    for statement in ("UPDATE dossiers SET digest = 'x'", "DELETE FROM dossiers"):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(sa.text(statement))
    version = world.registry.version(world.identity.actors["ada"], "ada/double@1.0.0")
    kept = DossierStore(database).latest(version.algorithm_id, version.digest)
    assert kept is not None
    assert kept.scenarios[0].outputs["double"].tolerance.rtol == 1e-3


async def test_what_follows_a_dossier_is_told_once_and_may_fail(http: httpx.AsyncClient, world: World) -> None:
    told: list[str] = []
    dossiers = world.made.context.dossiers

    def failing(dossier: Any, version: Any) -> None:
        raise RuntimeError("not today")

    dossiers.add_listener(failing)
    dossiers.add_listener(lambda dossier, version: told.append(f"{version.version} {dossier.sequence}"))
    assert (await put(http, FILES)).status_code == 201
    assert (await put(http, FILES)).status_code == 200
    assert told == ["1.0.0 1"]
