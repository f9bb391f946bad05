"""An account leaves one marketplace and arrives in another: whole, unaltered, and nobody else's."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from swath.contract.bags import Bag
from swath.contract.zips import Bounds, ReadZip
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services import signing
from swath_marketplace.services.exit.documents import read_account
from swath_marketplace.testing import PREFIX, World, make_world, notebook, write_environment

CARD = b"# Doubles\n\nTwice as much.\n"


@dataclass(kw_only=True)
class Place:
    """One marketplace, asked over HTTP without sockets."""

    world: World
    http: TestClient
    run_id: str = ""
    secrets: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, who: str = "ada", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
        return self.http.request(method, PREFIX + path, headers=headers, **more)

    def work(self, kind: str, work_id: str, who: str = "ada") -> dict[str, Any]:
        """Have the keeper do what there is to do, and look."""
        while self.world.made.leaving.keeper.look():
            pass
        return dict(self.ask("GET", f"account/{kind}/{work_id}", who).json())

    def export(self, who: str = "ada") -> bytes:
        asked = self.ask("POST", "account/exports", who)
        assert asked.status_code == 202, asked.text
        done = self.work("exports", asked.json()["id"], who)
        assert done["stage"] == "done", done
        return bytes(self.ask("GET", f"account/exports/{done['id']}/archive", who).content)

    def bring(self, archive: bytes, who: str = "ada") -> dict[str, Any]:
        sent = self.ask("POST", "account/imports", who, content=archive, headers={"Content-Type": "application/zip"})
        assert sent.status_code in (200, 202), sent.text
        return self.work("imports", sent.json()["id"], who)


def place(folder: Path, *, database_url: str | None = None, lock: str = "lock") -> Place:
    folder.mkdir(exist_ok=True)
    write_environment(folder, python=sys.executable, lock=lock)
    executor = FakeExecutor(RunFolders(folder / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    world = make_world(folder, database_url=database_url, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    return Place(world=world, http=TestClient(world.app(), raise_server_exceptions=False))


def populate(origin: Place) -> str:
    """ada publishes two versions with a dossier, yanks one, and runs; bob runs and reviews. The id of ada's run."""
    for parameters in ("# How many\nn: int = 3", "# How many\nn: int = 4"):
        book = notebook(parameters=parameters)
        assert origin.ask("POST", "algorithms", json={"notebook": book}).status_code == 201
    here = "algorithms/ada/double/versions"
    assert origin.ask("PUT", f"{here}/1.0.0/dossier", files=[("files", ("README.md", CARD))]).status_code < 300
    assert origin.ask("POST", f"{here}/1.1.0/yank", json={"reason": "too large"}).status_code == 200
    assert origin.ask("PUT", "favourites/ada/double").status_code < 300
    hook = {"url": "https://1.1.1.1/in?key=s3cret", "events": ["run.end"]}
    made = origin.ask("POST", "webhooks", json=hook)
    assert made.status_code == 201, made.text
    origin.secrets.append(made.json()["secret"])
    ids = {}
    for who in ("ada", "bob"):
        asked = origin.ask("POST", "runs", who, json={"algorithm": "ada/double@1.0.0", "parameters": {"n": 3}})
        ids[who] = asked.json()["id"]
        origin.world.look_until(ids[who])
    said = {
        "kind": "technical",
        "verdict": "approve",
        "text": "I read all of it and ran it; it doubles what it is given.",
    }
    assert origin.ask("POST", f"{here}/1.0.0/reviews", "bob", json=said).status_code < 300
    return ids["ada"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = place(tmp_path_factory.mktemp("origin"))
    made.run_id = populate(made)
    yield made
    made.world.made.database.dispose()


@pytest.fixture(scope="module")
def archive(origin: Place) -> bytes:
    return origin.export()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    made = place(tmp_path / "there")
    yield made
    made.world.made.database.dispose()


def bag_of(archive: bytes) -> Bag:
    return Bag(ReadZip(io.BytesIO(archive)))


def test_an_archive_is_a_bag_and_holds_what_is_the_users_alone(origin: Place, archive: bytes) -> None:
    bag = bag_of(archive)
    assert not [fault for _, faults in bag.check() for fault in faults]
    document = read_account(bag.read("account.json", max_bytes=1 << 20), "account.json")
    (algorithm,) = document.algorithms
    assert [(one.version, one.yank_reason) for one in algorithm.versions] == [("1.0.0", None), ("1.1.0", "too large")]
    assert document.runs == (origin.run_id,)
    evidence = json.loads(bag.read("algorithms/double/1.0.0/evidence.json", max_bytes=1 << 20))
    assert [one["reviewer"] for one in evidence["reviews"]] == ["bob"]
    assert {path.split("/")[2] for path in bag.paths if path.startswith("runs/")} == {
        "run.json", "receipt.json", "results",
    }  # fmt: skip
    private = [
        path.read_bytes()
        for path in (origin.world.made.context.registry._artifacts._root.parents[1] / "keys").iterdir()
    ]
    assert private
    assert document.sections is not None
    assert [one["algorithm"] for one in document.sections["favourites"]] == ["ada/double"]
    assert [one["host"] for one in document.sections["webhooks"]] == ["https://1.1.1.1"]
    private += [secret.encode() for secret in [*origin.secrets, "s3cret"]]
    everything = b"".join(bag.read(path, max_bytes=1 << 20) for path in bag.paths)
    assert not [key for key in private if key in everything]


def test_nobody_elses_export_is_there(origin: Place) -> None:
    asked = origin.ask("POST", "account/exports").json()
    assert origin.ask("POST", "account/exports").json()["id"] == asked["id"], "one at a time"
    early = origin.ask("GET", f"account/exports/{asked['id']}/archive")
    assert (early.status_code, early.json()["code"]) == (409, "export-not-ready")
    done = origin.work("exports", asked["id"])
    assert done["report"]["runs"] == 1
    for who in ("bob", "root"):
        for path in (f"account/exports/{asked['id']}", f"account/exports/{asked['id']}/archive"):
            assert origin.ask("GET", path, who).status_code == 404
    assert origin.ask("POST", "account/exports", "robot").status_code == 403
    part = origin.ask("GET", f"account/exports/{asked['id']}/archive", headers={"Range": "bytes=2-5"})
    assert (part.status_code, len(part.content)) == (206, 4)
    assert origin.ask("DELETE", f"account/exports/{asked['id']}").status_code == 204
    assert origin.ask("GET", f"account/exports/{asked['id']}/archive").status_code == 404


def test_all_arrives_with_the_same_digests_under_the_importers_name(
    origin: Place, archive: bytes, there: Place
) -> None:
    done = there.bring(archive, "cyd")
    assert done["stage"] == "done", done
    assert (done["report"]["versions_new"], done["report"]["runs_new"]) == (2, 1)
    for version in ("1.0.0", "1.1.0"):
        old = origin.ask("GET", f"algorithms/ada/double/versions/{version}").json()
        new = there.ask("GET", f"algorithms/cyd/double/versions/{version}").json()
        assert {key: new[key] for key in ("digest", "interface", "yank_reason", "resources", "environment")} == {
            key: old[key] for key in ("digest", "interface", "yank_reason", "resources", "environment")
        }
    told = there.ask("GET", "algorithms/cyd/double/versions/1.0.0/provenance", "bob").json()
    (source,) = told["from"]
    assert (source["algorithm"], source["imported_by"]) == ("ada/double", "cyd")
    assert source["evidence"]["reviews"][0]["reviewer"] == "bob"
    assert there.ask("GET", "algorithms/cyd/double/versions/1.0.0/dossier").json()["files"]
    assert there.ask("GET", "algorithms/cyd/double/versions/1.0.0").json()["maturity"] == "prototype"
    run = there.ask("POST", "runs", "bob", json={"algorithm": "cyd/double", "parameters": {"n": 5}})
    assert run.status_code == 201, run.text


def test_the_same_archive_again_changes_nothing(archive: bytes, there: Place, origin: Place) -> None:
    first = there.bring(archive)
    assert there.bring(archive)["id"] == first["id"]
    # Another archive of the same: made later, it differs in its time alone.
    again = there.bring(origin.export())
    assert again["id"] != first["id"]
    assert (again["report"]["versions_new"], again["report"]["runs_new"]) == (0, 0)
    # And at its origin everything is there as itself.
    home = origin.bring(archive)
    assert (home["stage"], home["report"]["versions_new"], home["report"]["runs"]) == ("done", 0, 0)
    assert origin.ask("GET", "algorithms/ada/double/versions/1.0.0/provenance").json()["from"] == []


def test_a_run_arrives_read_only_with_its_receipt_and_its_results(archive: bytes, there: Place, origin: Place) -> None:
    there.bring(archive, "cyd")
    (run,) = there.ask("GET", "imported-runs", "cyd").json()["runs"]
    assert run["origin"]["run"] == origin.run_id
    told = there.ask("GET", run["links"]["self"].removeprefix(PREFIX), "cyd").json()
    assert told["receipt"]["verified"]
    assert told["receipt"]["pinned"].startswith("foreign")
    output = next(one for one in told["outputs"] if one["name"] == "double")
    content = there.ask("GET", output["href"].removeprefix(PREFIX), "cyd").content
    assert hashlib.sha256(content).hexdigest() == output["sha256"]
    receipt = there.ask("GET", f"imported-runs/{run['id']}/receipt", "cyd")
    kept = origin.ask("GET", f"runs/{origin.run_id}/receipt")
    assert receipt.json()["receipt"] == kept.json()["receipt"]
    for who in ("ada", "root"):
        assert there.ask("GET", f"imported-runs/{run['id']}", who).status_code == 404
    assert there.ask("GET", "runs", "cyd").json()["runs"] == [], "it is no run of here, and costs nothing"


def test_a_receipt_of_elsewhere_is_believed_for_whoever_brought_its_keys(
    archive: bytes, there: Place, origin: Place
) -> None:
    receipt = origin.ask("GET", f"runs/{origin.run_id}/receipt").json()
    refused = there.ask("POST", "reproductions", "cyd", json={"receipt": receipt})
    assert refused.json()["code"] == "receipt-refused"
    there.bring(archive, "cyd")
    taken = there.ask("POST", "reproductions", "cyd", json={"receipt": receipt})
    assert (taken.status_code, taken.json()["algorithm"]) == (202, "cyd/double")
    assert there.ask("POST", "reproductions", "bob", json={"receipt": receipt}).status_code == 422


def test_a_version_whose_environment_is_not_here_waits_for_it(archive: bytes, tmp_path: Path) -> None:
    there = place(tmp_path / "other", lock="another lock")
    done = there.bring(archive)
    assert {one["runnable"] for one in done["report"]["versions"]} == {False}
    run = there.ask("POST", "runs", json={"algorithm": "ada/double", "parameters": {}})
    assert (run.status_code, run.json()["code"]) == (409, "environment-gone")
    write_environment(tmp_path / "other", python=sys.executable, lock="lock")
    assert there.ask("POST", "runs", json={"algorithm": "ada/double", "parameters": {}}).status_code == 201
    there.world.made.database.dispose()


def test_the_page_tells_what_left_and_what_arrived(archive: bytes, there: Place) -> None:
    for sent, stage in ((archive[:-100], "refused"), (archive, "done")):
        assert there.bring(sent)["stage"] == stage
    there.export()

    def page(who: str) -> str:
        return str(there.ask("GET", "account", who, headers={"Accept": "text/html"}).text)

    mine = page("ada")
    for words in (
        "this is no ZIP file, or it was cut off",
        "new; can be run",
        "What stays in the archive",
        ">Download<",
    ):
        assert words in mine, words
    assert '<a href="/services/marketplace/account" aria-current="page">' in mine
    others = page("bob")
    assert "Nothing yet." in others
    assert "double" not in others


def test_a_number_that_is_taken_is_told_and_nothing_arrives(archive: bytes, there: Place) -> None:
    other = notebook("import swath\n\nswath.emit('double', {'value': 4 * n})")
    assert there.ask("POST", "algorithms", json={"notebook": other}).status_code == 201
    done = there.bring(archive)
    assert (done["stage"], done["findings"][0]["code"]) == ("refused", "version-taken")
    nothing_of(there, versions=1)


def nothing_of(there: Place, *, versions: int = 0) -> None:
    """Nothing of a refused archive is here, neither in tables nor in files."""
    assert sum(1 for _ in (there.world.settings.data / "marketplace" / "account").iterdir()) == 0
    assert there.ask("GET", "imported-runs").json()["runs"] == []
    found = there.ask("GET", "algorithms/ada/double")
    assert len(found.json().get("versions", [])) == versions
    runs = there.world.settings.data / "marketplace" / "runs"
    assert list(runs.iterdir()) == []


# --- archives that are not what they should be ----------------------------------------------------------------------


def entries(archive: bytes) -> dict[str, bytes]:
    """Path below the top -> content."""
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        return {name.partition("/")[2]: read.read(name) for name in read.namelist()}


def packed(files: dict[str, bytes], *, top: str = "bag", mend: bool = True) -> bytes:
    """An archive of `files`; with manifests that are right again, as whoever tampers with one would make them."""
    if mend:
        payload = {
            name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name.startswith("data/")
        }
        files = {**files, "manifest-sha256.txt": "".join(f"{sha}  {name}\n" for name, sha in payload.items()).encode()}
        tags = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()
                if not name.startswith("data/") and name != "tagmanifest-sha256.txt"}  # fmt: skip
        files["tagmanifest-sha256.txt"] = "".join(f"{sha}  {name}\n" for name, sha in tags.items()).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(f"{top}/{name}", content)
    return stream.getvalue()


def changed(files: dict[str, bytes], change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    """With another ``account.json``."""
    told = json.loads(files["data/account.json"])
    change(told)
    written = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return {**files, "data/account.json": written}


def _slip(_: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("bag/../../evil", b"x")
        made.writestr("/etc/evil", b"x")
    return stream.getvalue()


def _link(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO(packed(files))
    with zipfile.ZipFile(stream, "a") as made:
        about = zipfile.ZipInfo("bag/data/link")
        about.external_attr = 0o120777 << 16
        made.writestr(about, "/etc/passwd")
    return stream.getvalue()


def _double(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO(packed(files))
    with zipfile.ZipFile(stream, "a") as made, pytest.warns(UserWarning, match="Duplicate name"):
        made.writestr("bag/data/account.json", b"{}")
    return stream.getvalue()


def _bomb(files: dict[str, bytes]) -> bytes:
    """A file that says that it is a hundred times as large as its data can be."""
    content = bytearray(packed({**files, "data/zeros": b"0" * 4_000_000}))
    at = content.rfind(b"bag/data/zeros") - 46
    content[at + 24 : at + 28] = (900_000_000).to_bytes(4, "little")
    return bytes(content)


def _wrong_digest(files: dict[str, bytes]) -> bytes:
    def change(told: dict[str, Any]) -> None:
        told["algorithms"][0]["versions"][0]["digest"] = "sha256:" + "0" * 64

    return packed(changed(files, change))


def _other_run(files: dict[str, bytes]) -> bytes:
    path = next(name for name in files if name.endswith("run.json"))
    told = json.loads(files[path])
    told["parameters"] = {"n": 4}
    return packed({**files, path: json.dumps(told, sort_keys=True, separators=(",", ":")).encode()})


def _other_output(files: dict[str, bytes]) -> bytes:
    return packed({**files, next(name for name in files if "/results/" in name): b"7"})


def _without(part: str) -> Callable[[dict[str, bytes]], bytes]:
    return lambda files: packed({name: content for name, content in files.items() if part not in name})


def _no_member(files: dict[str, bytes]) -> bytes:
    def change(told: dict[str, Any]) -> None:
        del told["algorithms"][0]["created_at"]
        told["user"] = 7
        told["surprise"] = True

    return packed(changed(files, change))


BAD: dict[str, tuple[Callable[[dict[str, bytes]], bytes], set[str]]] = {
    "no archive": (lambda _: b"hello", {"not-an-archive"}),
    "nothing": (lambda _: b"", {"not-an-archive"}),
    "cut off": (lambda files: packed(files)[:-200], {"not-an-archive"}),
    "paths that lead out": (_slip, {"bad-path"}),
    "a symbolic link": (_link, {"bad-path"}),
    "a path twice": (_double, {"double-path"}),
    "a bomb": (_bomb, {"packed-too-tightly"}),
    "no bag": (lambda files: packed({"data/account.json": files["data/account.json"]}, mend=False), {"not-a-bag"}),
    "a file that no manifest names": (
        lambda files: packed({**files, "data/more": b"x"}, mend=False), {"unlisted"},
    ),
    "a file that is not there": (
        lambda files: packed({name: one for name, one in files.items() if "wallet" not in name}, mend=False),
        {"missing"},
    ),
    "a byte that was changed": (
        lambda files: packed({**files, "data/wallet.json": files["data/wallet.json"] + b" "}, mend=False), {"altered"},
    ),
    "changed, with manifests to suit": (
        lambda files: packed({**files, "data/wallet.json": b"{}"}), {"bad-signature"},
    ),
    "no seal": (_without("seal.json"), {"unsigned"}),
    "no keys": (_without("keys.json"), {"unsigned"}),
    "no index": (_without("account.json"), {"not-an-account"}),
    "an index of another form": (_no_member, {"bad-document"}),
    "a digest that is another's": (_wrong_digest, {"bad-signature"}),
    "another run": (_other_run, {"bad-signature"}),
    "another result": (_other_output, {"bad-signature"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_refused_with_its_fault_and_leaves_nothing(kind: str, archive: bytes, shared: Place) -> None:
    make, codes = BAD[kind]
    done = shared.bring(make(entries(archive)))
    assert done["stage"] == "refused", done
    assert {one["code"] for one in done["findings"]} == codes
    assert all(one["field"] and one["message"] for one in done["findings"])
    nothing_of(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A marketplace into which nothing ever gets."""
    made = place(tmp_path_factory.mktemp("shared"))
    yield made
    made.world.made.database.dispose()


def test_everything_wrong_is_told_at_once(archive: bytes, shared: Place) -> None:
    findings = shared.bring(_no_member(entries(archive)))["findings"]
    places = {one["field"] for one in findings}
    assert {"account.json#algorithms.0.created_at", "account.json#user", "account.json#surprise"} <= places


def resealed(files: dict[str, bytes], origin: Place) -> bytes:
    """As the origin itself would sign it: what is left to be wrong is what it says."""
    from swath.contract.digest import canonical_json

    made = entries(packed(files))
    told = json.loads(made["data/account.json"])
    statement = {
        "format": "swath-account-1",
        "origin": told["origin"]["installation"],
        "user": told["user"],
        "exported_at": told["exported_at"],
        "manifest_sha256": hashlib.sha256(made["manifest-sha256.txt"]).hexdigest(),
    }
    pen = origin.world.made.context.trust.keys.pen()
    sealed = pen.sign(canonical_json(statement), "application/vnd.swath.account-seal.v1+json").as_bytes()
    return packed({**made, "seal.json": sealed})


@pytest.mark.parametrize(
    ("change", "code"),
    [(_wrong_digest, "digest-differs"), (_other_run, "receipt-differs"), (_other_output, "output-changed")],
)
def test_what_an_origin_signs_is_looked_at_all_the_same(
    change: Callable[[dict[str, bytes]], bytes], code: str, archive: bytes, shared: Place, origin: Place
) -> None:
    done = shared.bring(resealed(entries(change(entries(archive))), origin))
    assert {one["code"] for one in done["findings"]} == {code}
    nothing_of(shared)


def test_an_archive_over_the_limit_is_not_taken(there: Place) -> None:
    context = there.world.made.context
    there.http.app.state.context = replace(context, exits=replace(context.exits, import_max_bytes=1000))  # type: ignore[attr-defined]
    sent = there.ask("POST", "account/imports", content=b"x" * 1001, headers={"Content-Type": "application/zip"})
    assert (sent.status_code, sent.json()["code"]) == (413, "archive-too-large")
    streamed = there.ask(
        "POST", "account/imports", content=iter([b"x" * 600] * 2), headers={"Content-Type": "application/zip"}
    )
    assert streamed.status_code == 413
    nothing_of(there)


def test_keys_that_do_not_follow_from_those_seen_before_are_refused(
    archive: bytes, there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody makes an installation that says it is the origin."""
    there.bring(archive)
    urn = json.loads(entries(archive)["data/account.json"])["origin"]["installation"]
    named = SimpleNamespace(uuid4=lambda: urn.removeprefix("urn:swath:installation:"))
    monkeypatch.setattr(signing, "uuid", named)
    imitation = place(tmp_path / "imitation")
    done = there.bring(imitation.export())
    assert (done["stage"], done["findings"][0]["code"]) == ("refused", "keys-changed")
    assert there.bring(imitation.export(), "bob")["stage"] == "done", "what one user brought binds no other"
    imitation.world.made.database.dispose()


def test_an_import_that_was_cut_off_is_ended_by_the_next_keeper(archive: bytes, there: Place) -> None:
    sent = there.ask("POST", "account/imports", content=archive, headers={"Content-Type": "application/zip"}).json()
    importer = there.world.made.leaving.keeper._importer
    keep = importer._results
    importer._results = _fail  # type: ignore[method-assign]
    there.world.made.leaving.keeper.look()
    importer._results = keep  # type: ignore[method-assign]
    assert there.ask("GET", f"account/imports/{sent['id']}").json()["stage"] == "working"
    there.world.made.leaving.keeper._trouble.clear()
    done = there.work("imports", sent["id"])
    assert (done["stage"], done["report"]["runs"]) == ("done", 1)
    (run,) = there.ask("GET", "imported-runs").json()["runs"]
    assert there.ask("GET", f"imported-runs/{run['id']}/results/double").content == b"6"


def _fail(*_: Any) -> None:
    raise RuntimeError("the power is gone")


def test_both_databases_take_an_import(database_url: str, archive: bytes, tmp_path: Path) -> None:
    there = place(tmp_path / "there", database_url=database_url)
    assert there.bring(archive)["report"]["versions_new"] == 2
    assert there.bring(there.export())["stage"] == "done"
    there.world.made.database.dispose()


def test_a_directory_that_would_fill_memory_is_not_read() -> None:
    stream = io.BytesIO(packed({"data/x": b"x"}))
    with pytest.raises(Exception, match="at most 1 are read"):
        ReadZip(stream, bounds=Bounds(files=1))
