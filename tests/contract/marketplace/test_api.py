"""The marketplace over HTTP, without sockets: what a caller sends and gets."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from swath_marketplace.api.errors import STATUSES
from swath_marketplace.domain import errors
from swath_marketplace.domain.runs import Stage
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.executors.protocol import Going
from swath_marketplace.testing import PREFIX, World, make_world, notebook
from swath_service.errors import STATUSES as FAMILIES
from swath_service.errors import SwathError


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def publish(http: httpx.AsyncClient, book: dict[str, Any] | None = None, *, who: str = "ada") -> httpx.Response:
    return await http.post("algorithms", json={"notebook": book or notebook()}, headers=as_(who))


async def ask(http: httpx.AsyncClient, *, who: str = "bob", key: str | None = None, **body: Any) -> httpx.Response:
    headers = as_(who) | ({"Idempotency-Key": key} if key else {})
    return await http.post("runs", json={"algorithm": "ada/double@^1", "parameters": {"n": 3}, **body}, headers=headers)


async def finished(http: httpx.AsyncClient, world: World, **more: Any) -> str:
    await publish(http)
    run_id: str = (await ask(http, **more)).json()["id"]
    world.look_until(run_id)
    return run_id


async def test_health_needs_no_token(http: httpx.AsyncClient) -> None:
    answer = await http.get("health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


DOORS = [
    ("POST", "account/exports"),
    ("GET", "account/exports"),
    ("GET", "account/exports/a1"),
    ("GET", "account/exports/a1/archive"),
    ("DELETE", "account/exports/a1"),
    ("POST", "account/imports"),
    ("GET", "account/imports"),
    ("GET", "account/imports/a1"),
    ("GET", "imported-runs"),
    ("GET", "imported-runs/a1"),
    ("GET", "imported-runs/a1/receipt"),
    ("GET", "imported-runs/a1/results/double"),
    ("POST", "imported-runs/a1/reproductions"),
    ("GET", "algorithms/ada/double/versions/1.0.0/provenance"),
    ("GET", ""),
    ("GET", "environments"),
    ("POST", "validate"),
    ("POST", "algorithms"),
    ("GET", "algorithms"),
    ("GET", "algorithms/ada/double"),
    ("GET", "algorithms/ada/double/versions/1.0.0"),
    ("GET", "algorithms/ada/double/versions/1.0.0/notebook"),
    ("GET", "algorithms/ada/double/versions/1.0.0/schema"),
    ("POST", "algorithms/ada/double/versions/1.0.0/yank"),
    ("POST", "algorithms/ada/double/versions/1.0.0/revoke"),
    ("POST", "algorithms/ada/double/hide"),
    ("POST", "algorithms/ada/double/unhide"),
    ("GET", "acts"),
    ("GET", "dashboard"),
    ("GET", "operator"),
    ("POST", "reports"),
    ("GET", "reports"),
    ("GET", "reports/a1"),
    ("POST", "reports/a1/answer"),
    ("POST", "algorithms/ada/double/versions/1.0.0/reviews/1/replies"),
    ("POST", "algorithms/ada/double/versions/1.0.0/reviews/1/withhold"),
    ("GET", "algorithms/ada/double/price"),
    ("PUT", "algorithms/ada/double/price"),
    ("GET", "algorithms/ada/double/versions/1.0.0/maturity"),
    ("PUT", "algorithms/ada/double/versions/1.0.0/maturity"),
    ("GET", f"inventories/{'0' * 64}"),
    ("GET", f"inventories/{'0' * 64}/changes/{'0' * 64}"),
    ("GET", "algorithms/ada/double/versions/1.0.0/assessments"),
    ("POST", "algorithms/ada/double/versions/1.0.0/reviews"),
    ("GET", "algorithms/ada/double/versions/1.0.0/reviews"),
    ("GET", "algorithms/ada/double/versions/1.0.0/rounds"),
    ("POST", "algorithms/ada/double/versions/1.0.0/rounds"),
    ("GET", "algorithms/ada/double/versions/1.0.0/drift"),
    ("GET", "breaks"),
    ("GET", "notices"),
    ("POST", "runs"),
    ("POST", "quotes"),
    ("GET", "runs"),
    ("GET", "runs/a1"),
    ("DELETE", "runs/a1"),
    ("GET", "runs/a1/events"),
    ("GET", "runs/a1/log"),
    ("GET", "runs/a1/results"),
    ("GET", "runs/a1/results/double"),
    ("POST", "runs/a1/shares"),
    ("GET", "runs/a1/shares"),
    ("DELETE", "runs/a1/shares/a1"),
    ("GET", "shared/abc"),
    ("GET", "shared/abc/log"),
    ("GET", "shared/abc/events"),
    ("GET", "shared/abc/results/double"),
    ("GET", "runs/a1/receipt"),
    ("GET", "runs/a1/receipt/prov"),
    ("GET", "runs/a1/receipt/ro-crate"),
    ("GET", "runs/a1/receipt/cdse"),
    ("GET", "runs/a1/receipt/stac"),
    ("POST", "receipts/keys/rotate"),
    ("POST", f"receipts/keys/{'0' * 64}/revoke"),
    ("GET", "receipts/log/checkpoint"),
    ("GET", "receipts/log/entries"),
    ("GET", "receipts/log/consistency"),
    ("GET", "receipts/log/inclusion"),
    ("GET", f"receipts/by-hash/{'0' * 64}"),
    ("GET", "runs/a1/comparison"),
    ("GET", "algorithms/ada/double/versions/1.0.0/comparison"),
    ("GET", "algorithms/ada/double/versions/1.0.0/dossier"),
    ("PUT", "algorithms/ada/double/versions/1.0.0/dossier"),
    ("GET", "algorithms/ada/double/versions/1.0.0/dossier/files/README.md"),
    ("GET", "runs/a1/comparison/pictures/double"),
    ("GET", "runs/a1/lineage"),
    ("GET", f"lineage/{'0' * 64}"),
    ("POST", "runs/a1/reproductions"),
    ("GET", "runs/a1/reproductions"),
    ("POST", "reproductions"),
    ("GET", "reproductions"),
    ("GET", "reproductions/a1"),
    ("GET", "reproductions/a1/pictures/double"),
    ("GET", "rounds/a1"),
    ("GET", "rounds/a1/pictures/three/reference/double"),
    ("POST", "notices/a1/read"),
    ("POST", "notices/read"),
    ("GET", "algorithms/ada/double/card"),
    ("GET", "algorithms/ada/double/versions/1.0.0/example/double"),
    ("GET", "algorithms/ada/double/versions/1.0.0/CITATION.cff"),
    ("GET", "algorithms/ada/double/versions/1.0.0/citation.bib"),
    ("GET", "algorithms/ada/double/versions/1.0.0/datacite.json"),
    ("GET", "favourites"),
    ("GET", "favourites/ada/double"),
    ("PUT", "favourites/ada/double"),
    ("DELETE", "favourites/ada/double"),
    ("GET", "follows/ada/double"),
    ("PUT", "follows/ada/double"),
    ("DELETE", "follows/ada/double"),
    ("GET", "external"),
    ("GET", "external/apex/one"),
    ("POST", "webhooks"),
    ("GET", "webhooks"),
    ("GET", "webhooks/a1"),
    ("PATCH", "webhooks/a1"),
    ("DELETE", "webhooks/a1"),
    ("POST", "webhooks/a1/rotate"),
    ("POST", "webhooks/a1/test"),
    ("GET", "webhooks/a1/deliveries"),
    ("GET", "webhooks/a1/deliveries/m1"),
    ("POST", "webhooks/a1/deliveries/m1/redeliver"),
]
#: What anybody may ask: whether it is up, and which keys it signs with.
OPEN_DOORS = {("GET", "health"), ("GET", "receipts/keys")}


@pytest.fixture(scope="module")
def closed_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """An application for all whom it refuses: nothing becomes of their requests."""
    world = make_world(tmp_path_factory.mktemp("closed"))
    yield world.app()
    world.made.database.dispose()


@pytest.mark.parametrize(("method", "path"), DOORS)
@pytest.mark.parametrize("headers", [{}, as_("nobody")], ids=["none", "unknown"])
async def test_every_other_door_needs_one(closed_app: FastAPI, method: str, path: str, headers: dict[str, str]) -> None:
    transport = httpx.ASGITransport(closed_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as http:
        answer = await http.request(method, path, headers=headers, json={} if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


#: What stands in a path's place holders.
FILLED = {
    "owner": "ada",
    "version": "1.0.0",
    "run_id": "a1",
    "output": "double",
    "path": "README.md",
    "work_id": "a1",
    "round_id": "a1",
    "report_id": "a1",
    "review": "1",
    "reproduction_id": "a1",
    "notice_id": "a1",
    "webhook_id": "a1",
    "delivery_id": "m1",
    "scenario": "three",
    "share_id": "a1",
    "secret": "abc",
    "source": "apex",
    "record_id": "one",
    "kind": "reference",
    "name": "double",
    **dict.fromkeys(("inventory_sha256", "other_sha256", "key", "sha256"), "0" * 64),
}


HEADS = {
    ("HEAD", "runs/a1/results/double"),
    ("HEAD", "algorithms/ada/double/versions/1.0.0/example/double"),
}


def test_the_list_of_doors_is_whole(world: World) -> None:
    paths = world.app().openapi()["paths"]
    told = {(method.upper(), path.removeprefix(PREFIX)) for path, methods in paths.items() for method in methods}
    filled = {(method, path.format(**FILLED)) for method, path in told}
    assert filled - OPEN_DOORS - HEADS == set(DOORS)


def test_every_error_of_this_room_has_a_status() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SwathError)]
    own = [kind for kind in kinds if kind.__module__ == errors.__name__]
    assert own
    for kind in own:
        assert kind in STATUSES, f"add {kind.__name__} to api/errors.py"
        family = next(parent for parent in kind.__mro__[1:] if parent in FAMILIES)
        assert STATUSES[kind] == FAMILIES[family]


async def test_publishing_is_201_once_and_200_again(http: httpx.AsyncClient) -> None:
    first, again = await publish(http), await publish(http)
    assert (first.status_code, again.status_code) == (201, 200)
    told = first.json()
    assert (told["owner"], told["name"], told["version"]) == ("ada", "double", "1.0.0")
    assert first.headers["location"] == f"{PREFIX}algorithms/ada/double/versions/1.0.0"
    assert again.json()["digest"] == told["digest"]
    assert [parameter["name"] for parameter in told["interface"]["parameters"]] == ["n"]


async def test_the_walk_through_the_registry(http: httpx.AsyncClient) -> None:
    await publish(http)
    page = (await http.get("algorithms", params={"q": "doubles"}, headers=as_("bob"))).json()
    assert [found["name"] for found in page["algorithms"]] == ["double"]
    assert (page["total"], page["next_offset"]) == (1, None)
    whole = (await http.get("algorithms/ada/double", headers=as_("bob"))).json()
    assert (whole["latest_version"], len(whole["versions"]), whole["runs_count"]) == ("1.0.0", 1, 0)
    schema = (await http.get("algorithms/ada/double/versions/%5E1/schema", headers=as_("bob"))).json()
    assert schema["properties"]["n"]["type"] == "integer"
    book = await http.get("algorithms/ada/double/versions/latest/notebook", headers=as_("bob"))
    assert book.json() == notebook()
    assert book.headers["content-security-policy"].startswith("sandbox")
    yanked = await http.post(
        "algorithms/ada/double/versions/1.0.0/yank", json={"reason": "wrong numbers"}, headers=as_("ada")
    )
    assert yanked.json()["yank_reason"] == "wrong numbers"
    environments = (await http.get("environments", headers=as_("bob"))).json()["environments"]
    assert [sorted(found) for found in environments] == [["lock_sha256", "name", "title"]]


async def test_validate_tells_everything_and_stores_nothing(http: httpx.AsyncClient) -> None:
    good = (await http.post("validate", json={"notebook": notebook()}, headers=as_("ada"))).json()
    assert good["ok"]
    assert good["schema"]["properties"]["n"]["default"] == 3
    bad = await http.post("validate", json={"notebook": notebook(parameters="n = 3")}, headers=as_("ada"))
    assert (bad.status_code, bad.json()["ok"]) == (200, False)
    assert all({"code", "cell", "line", "message", "mend"} <= finding.keys() for finding in bad.json()["findings"])
    assert (await http.get("algorithms", headers=as_("ada"))).json()["total"] == 0


async def test_a_quote_has_the_body_of_a_run_and_holds_nothing(http: httpx.AsyncClient, world: World) -> None:
    await publish(http)
    body = {"algorithm": "ada/double@^1", "parameters": {"n": 4}, "budget_millicredits": 2500}
    told = (await http.post("quotes", json=body, headers=as_("bob"))).json()
    assert (told["algorithm"], told["version"]) == ("ada/double", "1.0.0")
    assert (told["hold_millicredits"], told["ceiling_millicredits"]) == (2500, 2875)
    assert (told["estimate"]["basis"], told["estimate"]["price_version"]) == ("cold-start", "2023-11-01")
    assert world.quota.wallet("bob").held == 0
    assert (await http.get("runs", headers=as_("bob"))).json()["total"] == 0
    made = (await http.post("runs", json=body, headers=as_("bob"))).json()
    assert (made["quote_millicredits"], made["budget_millicredits"], made["ceiling_millicredits"]) == (2500, 2500, 2875)
    assert made["estimate"]["hold"] == 2875
    wrong = await http.post("quotes", json={**body, "parameters": {"n": "x", "q": 1}}, headers=as_("bob"))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "parameters-invalid")
    assert {finding["field"] for finding in wrong.json()["findings"]} == {"n", "q"}
    poor = await http.post("runs", json={**body, "budget_millicredits": 1999}, headers=as_("bob"))
    assert (poor.status_code, poor.json()["least_millicredits"]) == (422, 2074)
    assert (await http.post("quotes", json=body)).status_code == 401


async def test_the_walk_of_a_run(http: httpx.AsyncClient, world: World) -> None:
    await publish(http)
    made = await ask(http, key="k1")
    assert made.status_code == 201
    run = made.json()
    assert (run["status"], run["algorithm"], run["caller"]) == ("queued", "ada/double", "bob")
    assert (run["cost_millicredits"], run["quote_millicredits"]) == (None, 2875)
    again = await ask(http, key="k1")
    assert (again.status_code, again.json()["id"]) == (200, run["id"])
    assert (await http.get(f"runs/{run['id']}/results", headers=as_("bob"))).json() == []
    world.look_until(run["id"])
    told = (await http.get(f"runs/{run['id']}", headers=as_("bob"))).json()
    assert (told["status"], told["progress"]) == ("finished", 1.0)
    assert told["cost_millicredits"] > 2000
    (output,) = (await http.get(f"runs/{run['id']}/results", headers=as_("bob"))).json()
    content = await http.get(f"http://test{output['href']}", headers=as_("bob"))
    assert content.content == b"6"
    page = (await http.get("runs", params={"status": "finished"}, headers=as_("bob"))).json()
    assert [found["id"] for found in page["runs"]] == [run["id"]]
    assert (await http.get("runs", params={"status": "error"}, headers=as_("bob"))).json()["total"] == 0


async def test_another_caller_does_not_know_of_it(http: httpx.AsyncClient, world: World) -> None:
    run_id = await finished(http, world)
    for rest in ("", "/events", "/log", "/results", "/results/double"):
        for who, status in (("ada", 404), ("root", 200)):
            assert (await http.get(f"runs/{run_id}{rest}", headers=as_(who))).status_code == status, (rest, who)
    assert (await http.delete(f"runs/{run_id}", headers=as_("ada"))).status_code == 404


async def test_what_users_made_is_handed_out_so_that_it_cannot_act(http: httpx.AsyncClient, world: World) -> None:
    def script(_: Any, folder: Any) -> Any:
        write_report(folder, outputs={"double": b"<script>alert(1)</script>"})
        report = json.loads((folder.out / "report.json").read_text())
        report["outputs"][0]["media_type"] = "text/html"
        (folder.out / "report.json").write_text(json.dumps(report))
        return process_end()

    world.fake.script = script
    run_id = await finished(http, world)
    answer = await http.get(f"runs/{run_id}/results/double", headers=as_("bob"))
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == 'attachment; filename="double.html"'
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_broken_download_can_be_gone_on_with(http: httpx.AsyncClient, world: World) -> None:
    world.fake.script = lambda run, folder: write_report(folder, outputs={"double": b"0123456789"}) or process_end()
    run_id = await finished(http, world)
    path = f"runs/{run_id}/results/double"
    whole = await http.get(path, headers=as_("bob"))
    part = await http.get(path, headers=as_("bob") | {"Range": "bytes=4-", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, b"456789")
    assert part.headers["content-range"] == "bytes 4-9/10"
    beyond = await http.get(path, headers=as_("bob") | {"Range": "bytes=99-"})
    assert beyond.status_code == 416
    head = await http.head(path, headers=as_("bob"))
    assert (head.status_code, head.headers["content-length"]) == (200, "10")


async def test_a_refusal_is_402_with_the_run_and_when_to_come_back(http: httpx.AsyncClient, world: World) -> None:
    await publish(http, notebook(resources={"memory_mb": 8192, "cpus": 4, "wall_seconds": 86_400}))
    for number in range(60):
        answer = await ask(http, key=f"k{number}")
        if answer.status_code != 201:
            break
    told = answer.json()
    assert answer.status_code == 402
    assert told["retry_at"]
    run = (await http.get(f"runs/{told['run']}", headers=as_("bob"))).json()
    assert (run["status"], run["refusal"]["code"], run["cost_millicredits"]) == ("error", told["code"], 0)
    assert (await ask(http, key=f"k{number}")).status_code == 402


def nested(levels: int) -> str:
    return '{"notebook": ' + '{"a": ' * levels + "1" + "}" * levels + "}"


TEXT = {"Content-Type": "application/json"}
BAD: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no body": ("POST", "runs", {}, 422, "malformed-request"),
    "no JSON": ("POST", "runs", {"content": "{", "headers": TEXT}, 422, "malformed-request"),
    "JSON list": ("POST", "runs", {"json": []}, 422, "malformed-request"),
    "unknown member": ("POST", "runs", {"json": {"algorithm": "ada/double", "x": 1}}, 422, "malformed-request"),
    "parameters a list": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "parameters": []}},
        422,
        "malformed-request",
    ),
    "budget a text": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "budget_millicredits": "5"}},
        422,
        "malformed-request",
    ),
    "budget zero": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "budget_millicredits": 0}},
        422,
        "malformed-request",
    ),
    "budget too small": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "budget_millicredits": 5}},
        422,
        "budget-too-small",
    ),
    "no such algorithm": ("POST", "runs", {"json": {"algorithm": "ada/triple"}}, 404, "no-such-algorithm"),
    "no such version": ("POST", "runs", {"json": {"algorithm": "ada/double@^9"}}, 404, "no-such-version"),
    "bad reference": ("POST", "runs", {"json": {"algorithm": "../../etc"}}, 422, "bad-reference"),
    "bad range": ("POST", "runs", {"json": {"algorithm": "ada/double@1.x.y"}}, 422, "bad-range"),
    "unknown parameter": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "parameters": {"q": 1}}},
        422,
        "parameters-invalid",
    ),
    "mistyped": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "parameters": {"n": "x"}}},
        422,
        "parameters-invalid",
    ),
    "code in a name": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double", "parameters": {"n=1\nimport os": 1}}},
        422,
        "parameters-invalid",
    ),
    "NaN": (
        "POST",
        "runs",
        {"content": '{"algorithm": "ada/double", "parameters": {"n": NaN}}', "headers": TEXT},
        422,
        "parameters-invalid",
    ),
    "lone surrogate": (
        "POST",
        "runs",
        {"content": '{"algorithm": "ada/double", "parameters": {"\\ud800": 1}}', "headers": TEXT},
        422,
        "parameters-invalid",
    ),
    "bad key": (
        "POST",
        "runs",
        {"json": {"algorithm": "ada/double"}, "headers": {"Idempotency-Key": "x" * 300}},
        422,
        "bad-idempotency-key",
    ),
    "no notebook": ("POST", "algorithms", {"json": {"notebook": 3}}, 422, "malformed-request"),
    "empty notebook": ("POST", "algorithms", {"json": {"notebook": {}}}, 422, "notebook-invalid"),
    "nested notebook": ("POST", "algorithms", {"content": nested(500), "headers": TEXT}, 422, "not-a-notebook"),
    "bad version": ("POST", "algorithms", {"json": {"notebook": notebook(), "version": "one"}}, 422, "bad-version"),
    "yank without reason": (
        "POST",
        "algorithms/ada/double/versions/1.0.0/yank",
        {"json": {"reason": ""}},
        422,
        "malformed-request",
    ),
    "no such run": ("GET", "runs/abc", {}, 404, "no-such-run"),
    "a run's name that leads elsewhere": ("GET", "runs/..%2F..%2Fetc", {}, 404, "no-such-address"),
    "a run's name that is none": ("GET", "runs/%00..", {}, 404, "no-such-run"),
    "no such status": ("GET", "runs?status=done", {}, 422, "malformed-request"),
    "limit too large": ("GET", "runs?limit=9999", {}, 422, "malformed-request"),
    "NUL in an owner": ("GET", "algorithms?owner=%00", {}, 422, "search-invalid"),
    "everybody's runs": ("GET", "runs?everybody=true", {}, 403, "missing-scope"),
    "cancel of nothing": ("DELETE", "runs/abc", {}, 404, "no-such-run"),
    "no such address": ("GET", "nothing", {}, 404, "no-such-address"),
    "wrong method": ("PUT", "runs", {}, 405, "method-not-allowed"),
}


@pytest.mark.parametrize("case", BAD)
async def test_every_bad_input_has_its_own_error_and_leaves_nothing(
    http: httpx.AsyncClient, world: World, case: str
) -> None:
    await publish(http)
    method, path, more, status, code = BAD[case]
    sent = {**more, "headers": as_("bob") | more.get("headers", {})}
    answer = await http.request(method, path, **sent)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), told
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["detail"]
    assert told["id"] == answer.headers["x-request-id"]
    if status == 422:
        assert told.get("mend") or told.get("findings")
    wallet = world.quota.wallet("bob")
    assert (wallet.held, wallet.available) == (0, wallet.balance)
    assert (await http.get("runs", headers=as_("bob"))).json()["total"] == 0
    assert (await http.get("algorithms", headers=as_("bob"))).json()["total"] == 1


@pytest.mark.parametrize("told_length", [True, False], ids=["said", "unsaid"])
async def test_a_body_that_is_too_large_is_not_read(http: httpx.AsyncClient, told_length: bool) -> None:
    piece = b" " * (1 << 20)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(14):
            yield piece

    content = piece * 14 if told_length else body()
    answer = await http.post("algorithms", content=content, headers=as_("ada") | TEXT)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert answer.headers["x-request-id"] == answer.json()["id"]


def events_of(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


def telling(_: Any, folder: Any) -> Any:
    lines = [
        {"seq": 0, "at": "2026-01-01T00:00:00Z", "type": "start", "total_cells": 1},
        {"seq": 1, "at": "2026-01-01T00:00:01Z", "type": "log", "stream": "stdout", "text": "hello "},
        {"seq": 2, "at": "2026-01-01T00:00:02Z", "type": "log", "stream": "stdout", "text": "world\n"},
        {"seq": 3, "at": "2026-01-01T00:00:03Z", "type": "end", "name": "finished"},
    ]
    (folder.out / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_report(folder, outputs={"double": b"6"})
    return process_end()


async def test_events_are_replayed_and_end_with_the_final_status(http: httpx.AsyncClient, world: World) -> None:
    world.fake.script = telling
    run_id = await finished(http, world)
    answer = await http.get(f"runs/{run_id}/events", headers=as_("bob"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events_of(answer.text)
    told = [data.get("status", kind) for kind, _, data in found]
    assert told == ["created", "queued", "running", "start", "log", "log", "end", "finished"]
    assert "outputs" not in found[0][2], "a past status does not carry the present run"
    assert found[-1][2]["outputs"][0]["name"] == "double"
    ids = [event_id for _, event_id, _ in found]
    assert len(set(ids)) == len(ids)
    for place, event_id in enumerate(ids):
        rest = await http.get(f"runs/{run_id}/events", headers=as_("bob") | {"Last-Event-ID": event_id})
        assert [one[1] for one in events_of(rest.text)] == ids[place + 1 :]
    odd = await http.get(f"runs/{run_id}/events", headers=as_("bob") | {"Last-Event-ID": "nonsense"})
    assert [one[1] for one in events_of(odd.text)] == ids


async def test_the_log_is_what_was_printed(http: httpx.AsyncClient, world: World) -> None:
    world.fake.script = telling
    run_id = await finished(http, world)
    answer = await http.get(f"runs/{run_id}/log", headers=as_("bob"))
    assert answer.text == "hello world\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_cancel_over_http(http: httpx.AsyncClient, world: World) -> None:
    await publish(http)
    world.fake.hold_back = True
    run_id = (await ask(http)).json()["id"]
    world.look_until(run_id, Stage.RUNNING)
    assert (await http.delete(f"runs/{run_id}", headers=as_("bob"))).json()["status"] == "running"
    world.look_until(run_id)
    told = (await http.get(f"runs/{run_id}", headers=as_("bob"))).json()
    assert (told["status"], told["error"]) == ("canceled", None)
    again = await http.delete(f"runs/{run_id}", headers=as_("bob"))
    assert (again.status_code, again.json()) == (200, told)


async def test_an_unforeseen_fault_tells_nothing_of_the_inside(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the secret is swordfish, in /root/secret")

    monkeypatch.setattr(world.made.context.searches, "find", broken)
    answer = await http.get("algorithms", headers=as_("ada"))
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.json()["id"] == answer.headers.get("x-request-id", answer.json()["id"])


async def test_a_waiting_run_is_told_where_it_stands(http: httpx.AsyncClient, world: World) -> None:
    await publish(http)
    world.fake.hold_back = True
    # One more than there are cores waits, whatever the tier allows; and one more than that.
    ids = [(await ask(http)).json()["id"] for _ in range(6)]
    world.look_until(ids[1], Stage.RUNNING)
    told = {run_id: (await http.get(f"runs/{run_id}", headers=as_("bob"))).json() for run_id in ids}
    waiting = [run_id for run_id in ids if told[run_id]["status"] == "queued"]
    assert 2 <= len(waiting) <= 4
    assert all(told[run_id]["queue"] is None for run_id in ids if run_id not in waiting)
    assert [told[run_id]["queue"]["runs_before"] for run_id in waiting] == list(range(len(waiting)))
    # Nothing ended yet, so each run is taken to go on for all of its 900 s.
    assert 850 < told[waiting[0]]["queue"]["wait_seconds"] <= 900
    for run_id in ids:
        if run_id not in waiting:
            world.fake.let_end(run_id)
    world.look_until(waiting[1], Stage.RUNNING)
    assert (await http.get(f"runs/{waiting[1]}", headers=as_("bob"))).json()["queue"] is None


async def test_a_request_to_checkpoint_is_part_of_the_run_and_of_its_stream(
    http: httpx.AsyncClient, world: World
) -> None:
    await publish(http)
    world.fake.hold_back = True
    body = {"algorithm": "ada/double", "parameters": {"n": 3}, "budget_millicredits": 2500}
    run = (await http.post("runs", json=body, headers=as_("bob"))).json()
    assert (run["quote_millicredits"], run["budget_millicredits"], run["checkpoint"]) == (2500, 2500, None)
    world.look_until(run["id"], Stage.RUNNING)
    world.fake.going[run["id"]] = Going(wall_seconds=850, cpu_seconds=850)
    world.made.reconciler.look()
    told = (await http.get(f"runs/{run['id']}", headers=as_("bob"))).json()
    assert told["status"] == "running"
    assert told["checkpoint"]["code"] == "budget-reached"
    write_report(world.made.folders.of(run["id"]), outputs={"double": b"6"})
    world.fake.let_end(run["id"])
    world.look_until(run["id"])
    stream = (await http.get(f"runs/{run['id']}/events", headers=as_("bob"))).text
    kinds = [line.removeprefix("event: ").strip() for line in stream.splitlines() if line.startswith("event: ")]
    assert kinds.count("checkpoint-requested") == 1
    assert kinds[-1] == "status"
