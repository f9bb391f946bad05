"""Receipts of finished runs over each database: issued once, signed, logged; keys made, rotated, revoked."""

from __future__ import annotations

import base64
import stat
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from swath.contract.digest import sha256_bytes
from swath.contract.envelopes import Reason, Untrusted
from swath.contract.merkle import check_consistency, check_inclusion, leaf_hash, root_of
from swath.contract.receipts import Checkpoint, statement_in
from swath.contract.signing_keys import KeySet, KeyState
from swath.signatures import verify
from swath_marketplace.domain.runs import RunStatus, Stage
from swath_marketplace.executors.fake import finishing, process_end
from swath_marketplace.receipt_testing import ADA, BOB, believe, bundle_of, finish, keys_of
from swath_marketplace.services.receipt_keeper import ReceiptKeeper
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.receipts import KeysMoved
from swath_marketplace.testing import PREFIX, World, make_world, notebook, operator, user
from swath_service.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable

ROOT = operator()
TABLES = (
    "installation",
    "signing_key_events",
    "receipts",
    "receipt_outputs",
    "receipt_nodes",
    "receipt_checkpoints",
)


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


# Issuing


def test_a_finished_run_has_a_receipt_that_says_what_it_was(world: World) -> None:
    run = finish(world, 4)
    receipt = world.made.context.trust.receipts.of(run.id)
    assert receipt is not None
    assert (receipt.sequence, receipt.log_index) == (1, 0)
    believed = believe(bundle_of(world, run), keys_of(world))
    told = believed.statement
    version = world.registry.version(BOB, "ada/double@1.0.0")
    assert (told.run_id, told.algorithm, told.version, told.caller) == (run.id, "ada/double", "1.0.0", "bob")
    assert f"sha256:{told.version_sha256}" == run.digest == version.digest
    assert told.notebook_sha256 == version.notebook_sha256
    assert (told.environment.name, told.environment.lock_sha256) == ("eo", version.environment_lock_sha256)
    assert told.parameters == {"n": 4}
    assert [(one.name, one.sha256, one.bytes) for one in told.outputs] == [
        (one.name, one.sha256, one.bytes) for one in run.outputs
    ]
    assert (told.started_at, told.finished_at) == (run.started_at, run.ended_at)
    assert run.usage is not None
    assert told.usage == run.usage.as_dict()
    assert told.cost_millicredits == run.cost_millicredits
    assert told.resources == run.resources.as_dict()
    assert told.origin == keys_of(world).origin


def test_inputs_are_stated_with_all_that_is_known_of_them(world: World) -> None:
    from dataclasses import replace

    from swath_marketplace.domain.receipts import statement_of

    read = [
        {"collection": "s2", "item": "T31", "asset": "B04", "sha256": "a" * 64, "bytes": 12, "observed": "served"},
        {"path": "x/y.tif", "sha256": "not one", "observed": "reported", "odd": 1.5, "flag": True},
        {"href": "/archive/s2/T31/B08.tif", "collection": "s2", "item": "T31", "asset": "B08"},
    ]
    run = replace(finish(world), inputs=tuple(read))
    version = world.registry.version(BOB, "ada/double@1.0.0")
    told = statement_of(run, version, origin=keys_of(world).origin, executor="local", software={"swath": "1"})
    first, second, third = told.inputs
    assert (first.sha256, first.uri) == ("a" * 64, "urn:swath:item:s2/T31#B04")
    assert first.about == {"collection": "s2", "item": "T31", "asset": "B04", "bytes": 12, "observed": "served"}
    assert (second.sha256, second.uri) == (None, "urn:swath:archive:x/y.tif")
    assert second.about == {"path": "x/y.tif", "observed": "reported", "flag": "true"}
    assert third.uri == "/archive/s2/T31/B08.tif"
    assert type(told).from_dict(told.as_dict()) == told


def test_what_did_not_finish_has_none(world: World) -> None:
    world.fake.script = lambda _run, _folder: process_end(exit_code=1)
    run = finish(world)
    assert run.status is RunStatus.ERROR
    assert world.made.context.trust.receipts.of(run.id) is None
    with pytest.raises(NotFound) as refused:
        bundle_of(world, run)
    assert refused.value.code == "no-receipt"
    assert world.made.context.trust.issuer.sweep() == 0


def test_a_run_without_outputs_states_what_was_asked(world: World) -> None:
    world.fake.script = finishing(outputs={})
    notebook_ = notebook("print(n)", name="silent")
    world.registry.publish(ADA, notebook_)
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/silent", parameters={}))
    ended = world.look_until(run.id)
    assert ended.status is RunStatus.FINISHED
    assert believe(bundle_of(world, ended), keys_of(world)).statement.outputs == ()


def test_a_receipt_is_issued_once(world: World) -> None:
    told: list[str] = []
    world.made.context.trust.receipts.add_listener(lambda run, receipt: told.append(f"{run.id}:{receipt.log_index}"))
    run = finish(world)
    issuer = world.made.context.trust.issuer
    first = world.made.context.trust.receipts.of(run.id)
    threads = [threading.Thread(target=issuer.on_end, args=[run]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.issue(run) == first
    assert issuer.sweep() == 0
    assert told == [f"{run.id}:0"]
    assert world.made.context.trust.issuer.store.size() == 1


def test_many_at_once_make_one_log_without_gaps(world: World) -> None:
    runs = [finish(world, number) for number in range(4)]
    issuer, store = world.made.context.trust.issuer, world.made.context.trust.issuer.store
    again = [threading.Thread(target=issuer.issue, args=[run], kwargs={"sequence": 2}) for run in runs]
    for thread in again:
        thread.start()
    for thread in again:
        thread.join()
    entries = list(store.entries())
    assert [entry.log_index for entry in entries] == list(range(8))
    leaves = [bytes.fromhex(entry.leaf_sha256) for entry in entries]
    for checkpoint in store.checkpoints():
        from swath.contract.envelopes import Envelope

        told = Checkpoint.from_envelope(Envelope.from_bytes(checkpoint.envelope.encode()))
        assert told.root == root_of(leaves[: told.size])
    for run in runs:
        believe(bundle_of(world, run), keys_of(world))


def test_a_listener_that_fails_harms_nothing(world: World) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no")

    world.made.context.trust.receipts.add_listener(broken)
    assert world.made.context.trust.receipts.of(finish(world).id) is not None


def test_a_crash_between_end_and_receipt_is_swept_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.made.context.trust.issuer, "issue", lambda *_a, **_k: 1 / 0)
    run = finish(world)
    assert run.stage is Stage.TERMINAL
    assert world.made.context.trust.receipts.of(run.id) is None
    monkeypatch.undo()
    assert world.made.context.trust.issuer.sweep() == 1
    believe(bundle_of(world, run), keys_of(world))


def test_what_is_asked_for_before_the_sweep_is_issued_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.made.context.trust.issuer, "on_end", lambda _run: None)
    world.made.reconciler._stepper._on_end = None
    run = finish(world)
    assert world.made.context.trust.receipts.of(run.id) is None
    believe(bundle_of(world, run), keys_of(world))


# Keys


def key_files(data: Path) -> list[Path]:
    return sorted((data / "marketplace" / "keys").iterdir())


def test_the_key_is_made_once_and_is_its_owners_alone(world: World, data: Path, database_url: str) -> None:
    (path,) = key_files(data)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    keys = keys_of(world)
    assert path.name == f"{keys.active.id}.pem"
    second = make_world(data, database_url=database_url, executor=world.fake)
    assert keys_of(second) == keys
    assert key_files(data) == [path]
    second.made.database.dispose()


@pytest.mark.parametrize("harm", ["gone", "readable", "another", "garbage", "link"])
def test_a_key_that_cannot_be_used_delays_receipts_and_nothing_else(
    world: World, data: Path, harm: str, *, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = key_files(data)
    kept = path.read_bytes()
    if harm == "gone":
        path.unlink()
    elif harm == "readable":
        path.chmod(0o640)
    elif harm == "another":
        from securesystemslib.signer import CryptoSigner

        path.write_bytes(CryptoSigner.generate_ed25519().private_bytes)
    elif harm == "garbage":
        path.write_bytes(kept[:60])
    else:
        path.rename(data / "elsewhere.pem")
        path.symlink_to(data / "elsewhere.pem")
    second = make_world(data, database_url=database_url, executor=world.fake, quota=world.quota)
    run = finish(second)
    assert (run.status, run.stage) == (RunStatus.FINISHED, Stage.TERMINAL)
    assert second.made.context.trust.receipts.of(run.id) is None
    assert second.made.context.trust.issuer.store.size() == 0, "nothing half-recorded"
    with pytest.raises(Unavailable) as told:
        bundle_of(second, run)
    assert told.value.code == "receipt-pending"
    with pytest.raises(Unavailable):
        second.made.context.trust.keys.rotate(ROOT, reason="to see")
    assert kept.decode().splitlines()[1] not in caplog.text
    assert str(path) not in told.value.message

    if harm in ("gone", "link"):
        path.unlink(missing_ok=True)
        path.touch(0o600)
    path.write_bytes(kept)
    path.chmod(0o600)
    assert second.made.context.trust.issuer.sweep() == 1
    believe(bundle_of(second, run), keys_of(second))
    second.made.database.dispose()


def test_a_rotated_key_stands_for_what_it_signed(world: World, data: Path) -> None:
    before = finish(world)
    old = keys_of(world)
    keys = world.made.context.trust.keys.rotate(ROOT, reason="a year is over")
    assert [key.state for key in keys.keys] == [KeyState.RETIRED, KeyState.ACTIVE]
    assert [path.stem for path in key_files(data)] == [keys.active.id], "the private half of a retired key is gone"
    after = finish(world, 5)
    new = keys_of(world)
    new.require_after(old)
    assert "retired" in believe(bundle_of(world, before), new).checks[2]
    assert "active" in believe(bundle_of(world, after), new).checks[2]
    with pytest.raises(Untrusted) as refused:
        believe(bundle_of(world, after), old)
    assert refused.value.reason is Reason.UNKNOWN_KEY


def test_a_revoked_key_is_believed_nothing_and_its_receipts_are_issued_anew(world: World) -> None:
    run = finish(world)
    taken = bundle_of(world, run)
    believe(taken, keys_of(world))
    lost = keys_of(world).active.id
    keys = world.made.context.trust.keys.revoke(ROOT, lost, reason="its file was copied")
    assert [key.state for key in keys.keys] == [KeyState.REVOKED, KeyState.ACTIVE]
    with pytest.raises(Untrusted, match="its file was copied") as refused:
        believe(taken, keys_of(world))
    assert refused.value.reason is Reason.REVOKED_KEY
    assert world.made.context.trust.issuer.sweep() == 1
    assert world.made.context.trust.issuer.sweep() == 0
    again = world.made.context.trust.receipts.of(run.id)
    assert again is not None
    assert (again.sequence, again.key_id) == (2, keys.active.id)
    fresh = believe(bundle_of(world, run), keys_of(world))
    assert fresh.statement.run_id == run.id
    with pytest.raises(Conflict):
        world.made.context.trust.keys.revoke(ROOT, lost, reason="once more")


def test_only_operators_change_keys_and_say_why(world: World) -> None:
    keys = world.made.context.trust.keys
    with pytest.raises(Forbidden):
        keys.rotate(BOB, reason="for fun")
    with pytest.raises(Forbidden):
        keys.revoke(ADA, keys.current().active.id, reason="for fun")
    for reason in ("", "no", "x" * 501, "two\nlines"):
        with pytest.raises(Invalid):
            keys.rotate(ROOT, reason=reason)
    with pytest.raises(NotFound):
        keys.revoke(ROOT, "0" * 64, reason="there is none")
    assert len(keys.current().events) == 1


def test_keys_that_move_while_a_receipt_is_signed_are_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, keys = world.made.context.trust.issuer, world.made.context.trust.keys
    stale = keys.pen()
    keys.rotate(ROOT, reason="meanwhile")
    fresh = keys.pen
    pens = iter([stale])
    monkeypatch.setattr(keys, "pen", lambda **_: next(pens, None) or fresh())
    run = finish(world)
    monkeypatch.undo()
    receipt = world.made.context.trust.receipts.of(run.id)
    assert receipt is not None
    assert receipt.key_id == keys.current().active.id
    assert issuer.sweep() == 0
    assert KeysMoved


def test_a_clock_that_is_set_back_orders_nothing_anew(data: Path, world: World, database_url: str) -> None:
    finish(world)
    behind = datetime.now(UTC) - timedelta(days=400)
    second = make_world(data, database_url=database_url, executor=world.fake, quota=world.quota)
    second.made.context.trust.issuer._clock = lambda: behind
    second.made.context.trust.keys._clock = lambda: behind
    second.made.context.trust.keys.rotate(ROOT, reason="the clock is wrong")
    run = finish(second, 5)
    believed = believe(bundle_of(second, run), keys_of(second))
    assert believed.checkpoint.at > behind
    moments = [key.created_at for key in keys_of(second).keys]
    assert moments == sorted(moments)
    second.made.database.dispose()


# The database


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_changed_or_deleted(world: World, table: str) -> None:
    finish(world)
    column = {"installation": "origin", "receipt_nodes": "sha256", "receipt_outputs": "name"}.get(table, "envelope")
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), world.made.database.write() as connection:
            connection.execute(sa.text(statement))


# Over HTTP


async def test_a_receipt_over_http(http: httpx.AsyncClient, world: World) -> None:
    run = finish(world)
    answer = await http.get(f"runs/{run.id}/receipt", headers=as_("bob"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.swath.receipt.v1+json"
    published = await http.get("receipts/keys")
    believed = believe(answer.content, KeySet.from_bytes(published.content, verify))
    assert believed.statement.run_id == run.id
    told = (await http.get(f"runs/{run.id}", headers=as_("bob"))).json()
    assert told["links"]["receipt"] == f"{PREFIX}runs/{run.id}/receipt"
    assert (await http.get(f"runs/{run.id}/receipt", headers=as_("cyd"))).status_code == 404
    assert (await http.get(f"runs/{run.id}/receipt", headers=as_("root"))).status_code == 200


async def test_the_other_forms_over_http(http: httpx.AsyncClient, world: World) -> None:
    run = finish(world)
    kinds = {"prov": "json", "ro-crate": "ld+json", "cdse": "json", "stac": "geo+json"}
    told = {}
    for form, kind in kinds.items():
        answer = await http.get(f"runs/{run.id}/receipt/{form}", headers=as_("bob"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"application/{kind}")
        assert (await http.get(f"runs/{run.id}/receipt/{form}", headers=as_("cyd"))).status_code == 404
        told[form] = answer.json()
    (output,) = run.outputs
    assert told["prov"]["entity"]["r:output-double"]["swath:sha256"] == output.sha256
    assert told["stac"]["assets"]["double"]["href"] == f"{PREFIX}runs/{run.id}/results/double"
    (file,) = [one for one in told["ro-crate"]["@graph"] if one["@type"] == "File"]
    assert (file["@id"], file["identifier"]) == ("double", f"sha256:{output.sha256}")
    trace = told["cdse"]
    receipt = world.made.context.trust.receipts.of(run.id)
    assert receipt is not None
    assert trace["id"] == sha256_bytes(receipt.envelope.as_bytes())
    public = load_pem_public_key(trace["signature"]["certificate"].encode())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(base64.b64decode(trace["signature"]["signature"]), trace["signature"]["message"].encode())
    assert public.public_bytes_raw().hex() == keys_of(world).active.public


async def test_the_log_can_be_followed_over_http(http: httpx.AsyncClient, world: World) -> None:
    assert (await http.get("receipts/log/checkpoint", headers=as_("cyd"))).status_code == 404
    keys = keys_of(world)
    seen = []
    for number in range(5):
        finish(world, number)
        envelope = (await http.get("receipts/log/checkpoint", headers=as_("cyd"))).json()
        from swath.contract.envelopes import Envelope
        from swath.contract.receipts import check_checkpoint

        seen.append(check_checkpoint(Envelope.from_dict(envelope), keys, verify))
    for first in seen:
        query = {"from": first.size, "to": seen[-1].size}
        told = (await http.get("receipts/log/consistency", params=query, headers=as_("cyd"))).json()
        check_consistency(
            first=first.size,
            first_root=first.root,
            second=seen[-1].size,
            second_root=seen[-1].root,
            path=[bytes.fromhex(step) for step in told["proof"]],
        )
    told = (await http.get("receipts/log/entries", headers=as_("cyd"))).json()
    leaves = [bytes.fromhex(entry["leaf_sha256"]) for entry in told["entries"]]
    assert root_of(leaves) == seen[-1].root
    some = (await http.get("receipts/log/entries?start=1&end=3", headers=as_("cyd"))).json()
    assert [entry["index"] for entry in some["entries"]] == [1, 2]
    proof = (await http.get(f"receipts/log/inclusion?hash={leaves[2].hex()}&size=4", headers=as_("cyd"))).json()
    path = [bytes.fromhex(step) for step in proof["proof"]]
    check_inclusion(leaves[2], index=proof["index"], size=4, path=path, expected=seen[3].root)
    for bad in ("consistency?from=0&to=2", "consistency?from=3&to=2", "consistency?from=1&to=9"):
        assert (await http.get(f"receipts/log/{bad}", headers=as_("cyd"))).status_code == 422
    for bad in (f"inclusion?hash={leaves[2].hex()}&size=2", f"inclusion?hash={leaves[2].hex()}&size=6"):
        assert (await http.get(f"receipts/log/{bad}", headers=as_("cyd"))).status_code == 422
    assert (await http.get(f"receipts/log/inclusion?hash={'0' * 64}", headers=as_("cyd"))).status_code == 404


async def test_a_receipt_is_found_by_what_it_brought_back(http: httpx.AsyncClient, world: World) -> None:
    run = finish(world)
    other = finish(world, caller="cyd")
    (output,) = run.outputs
    told = (await http.get(f"receipts/by-hash/{output.sha256}", headers=as_("bob"))).json()
    assert [(one["run"], one["outputs"]) for one in told["receipts"]] == [(run.id, ["double"])]
    everybody = (await http.get(f"receipts/by-hash/{output.sha256}", headers=as_("root"))).json()
    assert [one["run"] for one in everybody["receipts"]] == [other.id, run.id]
    nobody = (await http.get(f"receipts/by-hash/{output.sha256}", headers=as_("robot"))).json()
    assert nobody["receipts"] == []
    assert (await http.get(f"receipts/by-hash/{'0' * 64}", headers=as_("bob"))).json()["receipts"] == []
    assert (await http.get("receipts/by-hash/x", headers=as_("bob"))).status_code == 422


async def test_keys_over_http(http: httpx.AsyncClient, world: World) -> None:
    old = keys_of(world).active.id
    refused = await http.post("receipts/keys/rotate", json={"reason": "a year is over"}, headers=as_("bob"))
    assert refused.status_code == 403
    rotated = await http.post("receipts/keys/rotate", json={"reason": "a year is over"}, headers=as_("root"))
    assert [key["state"] for key in rotated.json()["keys"]] == ["retired", "active"]
    revoked = await http.post(f"receipts/keys/{old}/revoke", json={"reason": "was copied"}, headers=as_("root"))
    assert [(key["state"], key["reason"]) for key in revoked.json()["keys"]] == [
        ("revoked", "was copied"),
        ("active", "a year is over"),
    ]
    again = await http.post(f"receipts/keys/{old}/revoke", json={"reason": "was copied"}, headers=as_("root"))
    assert again.status_code == 409
    none = await http.post(f"receipts/keys/{'0' * 64}/revoke", json={"reason": "was copied"}, headers=as_("root"))
    assert none.status_code == 404
    assert (await http.post("receipts/keys/rotate", json={"reason": "x"}, headers=as_("root"))).status_code == 422


def test_the_leaf_is_of_the_envelope(world: World) -> None:
    run = finish(world)
    receipt = world.made.context.trust.receipts.of(run.id)
    assert receipt is not None
    assert leaf_hash(receipt.envelope.as_bytes()).hex() == receipt.leaf_sha256
    assert statement_in(receipt.envelope).caller == user("bob").name


def test_the_keeper_issues_what_is_owed_and_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = world.made.context.trust.issuer
    monkeypatch.setattr(issuer, "issue", lambda *_a, **_k: 1 / 0)
    run = finish(world)
    assert issuer.owes
    monkeypatch.undo()
    issued = threading.Event()
    world.made.context.trust.receipts.add_listener(lambda *_: issued.set())
    keeper = ReceiptKeeper(issuer, pause_seconds=0.01)
    keeper.start()
    assert issued.wait(20)
    keeper.stop()
    assert world.made.context.trust.receipts.of(run.id) is not None


@pytest.mark.parametrize(
    ("harm", "door", "code"),
    [
        ("UPDATE receipts SET envelope = '{}'", "runs/RUN/receipt", "log-damaged"),
        ("UPDATE receipts SET envelope = '{}'", "runs/RUN/receipt/prov", "log-damaged"),
        ("UPDATE receipts SET envelope = '{}'", "receipts/by-hash/HASH", "log-damaged"),
        ("UPDATE receipt_checkpoints SET envelope = '{}'", "runs/RUN/receipt", "log-damaged"),
        ("UPDATE receipt_checkpoints SET envelope = '{}'", "receipts/log/checkpoint", "log-damaged"),
        ("DELETE FROM receipt_checkpoints", "runs/RUN/receipt", "log-damaged"),
        ("DELETE FROM receipt_nodes", "receipts/log/consistency?from=1&to=2", "log-damaged"),
        ("UPDATE signing_key_events SET envelope = '{}'", "receipts/keys", "signing-key-unfit"),
        ("UPDATE installation SET origin = 'urn:other'", "receipts/keys", "signing-key-unfit"),
    ],
)
async def test_what_was_tampered_with_is_told_as_that(
    http: httpx.AsyncClient, world: World, *, harm: str, door: str, code: str
) -> None:
    run = finish(world)
    finish(world, 5)
    with world.made.database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            for table in TABLES:
                for verb in ("update", "delete"):
                    connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{verb}")
        connection.exec_driver_sql(harm)
    world.made.context.trust.keys._known = None
    path = door.replace("RUN", run.id).replace("HASH", run.outputs[0].sha256)
    answer = await http.get(path, headers=as_("bob"))
    assert (answer.status_code, answer.json()["code"]) == (503, code)


def test_runs_from_before_receipts_get_theirs(world: World) -> None:
    from alembic import command
    from swath_service.database import WRITES, alembic_config

    run = finish(world)
    config = alembic_config("swath_marketplace.store:migrations")
    engine = world.made.database._engine
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "value")
    world.made.database.migrate()
    keys = world.made.context.trust.keys
    keys._known = None
    assert world.made.context.trust.receipts.of(run.id) is None
    assert world.made.context.trust.issuer.sweep() == 1
    believe(bundle_of(world, run), keys_of(world))
