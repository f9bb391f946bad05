"""`swath verify` and its neighbours as a user has them, against a marketplace on a real socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from swath.cli.app import app
from swath.client import receipts
from swath.client.credentials import Credentials
from swath.client.errors import Conflict, NotFound
from swath.client.http import Api
from swath.client.run import Run as ClientRun
from swath.client.runs import get_run
from swath.client.trust import Pins
from swath.client.verifying import Verdict, Verifier
from swath.contract.digest import canonical_json
from swath.contract.envelopes import Envelope, Reason
from swath.contract.receipts import Bundle
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import finishing
from swath_marketplace.receipt_testing import finish
from swath_marketplace.testing import World, make_world, operator, write_environment
from typer.testing import CliRunner, Result

runner = CliRunner()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One kind is enough: what is tried here is the client."""
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@dataclass(kw_only=True)
class Hub:
    """A marketplace that answers at an address."""

    world: World
    url: str
    folder: Path

    def run(self, n: int = 3) -> Run:
        return finish(self.world, n)

    def api(self, who: str = "bob") -> Api:
        return Api(Credentials(url=self.url, token=who, source="the test"), sleep=lambda _: None)

    def saved(self, run: Run) -> tuple[Path, Path]:
        """The receipt and the result of a run as files."""
        result = self.folder / f"{run.id}.bin"
        result.write_bytes(self.world.made.folders.of(run.id).result("double").read_bytes())
        receipt = receipts.save(receipts.fetch(self.api(), run.id), self.folder / f"{run.id}.json", overwrite=True)
        return receipt, result


def serve(world: World, folder: Path) -> Iterator[Hub]:
    folder.mkdir(exist_ok=True)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(world.app(), lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield Hub(world=world, url=f"http://127.0.0.1:{listening.getsockname()[1]}/", folder=folder)
    server.should_exit = True
    thread.join()


@pytest.fixture
def hub(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for found in serve(world, tmp_path / "desk"):
        monkeypatch.setenv("SWATH_URL", found.url)
        monkeypatch.setenv("SWATH_TOKEN", "bob")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        yield found


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Hub]:
    """Another installation."""
    data = tmp_path / "other"
    write_environment(data, python="/usr/bin/python3")
    world = make_world(data, slots_cpus=4, slots_memory_mb=8192)
    world.fake.script = finishing(outputs={"double": b"7"})
    yield from serve(world, tmp_path / "other-desk")
    world.made.database.dispose()


def verify(*arguments: object) -> Result:
    return runner.invoke(app, ["verify", *map(str, arguments)], catch_exceptions=False)


def told(*arguments: object) -> tuple[int, dict[str, Any]]:
    result = verify(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_a_receipt_is_verified_line_by_line(hub: Hub) -> None:
    receipt, result = hub.saved(hub.run())
    first = verify(receipt)
    assert first.exit_code == 0, first.output
    lines = first.output.splitlines()
    heads = [line.split()[1].rstrip(":") for line in lines[:-1]]
    assert heads == ["keys", "form", "origin", "key", "signature", "checkpoint", "log", "log"]
    assert lines[-1] == "verified"
    assert "seen for the first time" in lines[0]
    assert "as kept" in verify(receipt).output.splitlines()[0]
    code, document = told(result)
    assert (code, document["verdict"], document["algorithm"]) == (0, "verified", "ada/double")
    assert any(check.startswith("output: the file is 'double'") for check in document["checks"])
    assert told(result, "--receipt", receipt)[0] == 0


def test_what_was_altered_is_refused(hub: Hub) -> None:
    receipt, result = hub.saved(hub.run())
    content = receipt.read_bytes()
    at = content.index(b'"payload":"', content.index(b'"receipt"')) + 40
    receipt.write_bytes(content[:at] + (b"A" if content[at : at + 1] != b"A" else b"B") + content[at + 1 :])
    assert told(receipt)[0] == 1
    receipt.write_bytes(content)
    result.write_bytes(b"7")
    code, document = told(result)
    assert (code, document["reason"]) == (1, Reason.UNSIGNED.value)
    code, document = told(result, "--receipt", receipt)
    assert (code, document["reason"]) == (1, Reason.OUTPUT_CHANGED.value)
    refused = verify(result, "--receipt", receipt)
    assert "refused (output-changed)" in refused.output.splitlines()[-1]


def test_what_is_unsigned_or_signed_by_nobody_known_is_refused(hub: Hub) -> None:
    receipt, _ = hub.saved(hub.run())
    document = Bundle.from_bytes(receipt.read_bytes()).as_dict()
    document["receipt"]["signatures"] = []
    receipt.write_bytes(canonical_json(document))
    code, answer = told(receipt)
    assert (code, answer["reason"]) == (1, Reason.UNSIGNED.value)
    receipt.write_bytes(canonical_json(_forged(hub, document)))
    code, answer = told(receipt)
    assert (code, answer["reason"]) == (1, Reason.UNKNOWN_KEY.value)


def _forged(hub: Hub, document: dict[str, Any]) -> dict[str, Any]:
    """The receipt with another cost, signed with a key of the forger's."""
    from securesystemslib.dsse import Envelope as Dsse
    from securesystemslib.signer import CryptoSigner
    from swath.contract.strict_json import read_base64

    payload = read_base64(document["receipt"]["payload"], "").replace(b'"millicredits":2', b'"millicredits":1')
    signer = CryptoSigner.generate_ed25519()
    signature = Dsse(payload, document["receipt"]["payloadType"], {}).sign(signer)
    forged = Envelope(
        payload=payload,
        payload_type=document["receipt"]["payloadType"],
        keyid=signature.keyid,
        signature=bytes.fromhex(signature.signature),
    )
    return {**document, "receipt": forged.as_dict()}


def test_a_revoked_key_is_refused_and_the_new_receipt_holds(hub: Hub) -> None:
    run = hub.run()
    receipt, result = hub.saved(run)
    assert told(receipt)[0] == 0
    keys = hub.world.made.context.trust.keys
    keys.revoke(operator(), keys.current().active.id, reason="its file was copied")
    code, document = told(receipt)
    assert (code, document["reason"]) == (1, Reason.REVOKED_KEY.value)
    assert "its file was copied" in document["message"]
    assert told(receipt, "--offline")[1]["reason"] == Reason.REVOKED_KEY.value, "remembered"
    hub.world.made.context.trust.issuer.sweep()
    assert told(result)[0] == 0
    assert told(hub.saved(run)[0])[0] == 0


def test_a_receipt_of_another_installation_is_refused(hub: Hub, stranger: Hub, tmp_path: Path) -> None:
    theirs = receipts.save(receipts.fetch(stranger.api(), stranger.run().id), tmp_path / "theirs.json")
    hub.run()
    code, document = told(theirs)
    assert (code, document["reason"]) == (1, Reason.WRONG_ORIGIN.value)
    keys = tmp_path / "keys.json"
    keys.write_bytes(stranger.world.made.context.trust.keys.current().as_bytes())
    assert told(theirs, "--keys", keys)[0] == 0
    ours, _ = hub.saved(hub.run())
    assert told(ours, "--keys", keys)[1]["reason"] == Reason.WRONG_ORIGIN.value
    origin = hub.world.made.context.trust.keys.current().origin
    assert told(ours, "--origin", origin)[0] == 0
    code, document = told(theirs, "--keys", keys, "--origin", origin)
    assert (code, document["reason"]) == (1, Reason.WRONG_ORIGIN.value)


def test_a_hub_that_became_another_is_refused(hub: Hub, stranger: Hub) -> None:
    receipt, _ = hub.saved(hub.run())
    pins = Pins.default()
    theirs = stranger.world.made.context.trust.keys.current()
    pins.keep_keys(hub.url, theirs)
    code, document = told(receipt)
    assert (code, document["reason"]) == (1, Reason.WRONG_ORIGIN.value)
    assert pins.origin_of(hub.url) == theirs.origin, "what was kept stays"


def test_keys_that_do_not_follow_from_those_kept_are_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt, _ = hub.saved(hub.run())
    keys = hub.world.made.context.trust.keys
    before = keys.current()
    keys.rotate(operator(), reason="a year is over")
    assert told(receipt)[0] == 0
    # A hub that tells of the keys as they were would hide a revocation.
    monkeypatch.setattr(keys, "current", lambda: before)
    code, document = told(receipt)
    assert (code, document["reason"]) == (1, Reason.KEYS_CHANGED.value)


def test_a_truncated_or_changed_log_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = hub.saved(hub.run(1))
    log = hub.world.made.context.trust.log
    early = log.checkpoint(operator())
    for number in (2, 3, 4):
        hub.run(number)
    assert told(first)[0] == 0, "four entries were seen"
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "checkpoint", lambda *_: early)
        code, document = told(first)
        assert (code, document["reason"]) == (1, Reason.LOG_TRUNCATED.value)
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "checkpoint", lambda *_: (_ for _ in ()).throw(_gone()))
        assert told(first)[1]["reason"] == Reason.LOG_TRUNCATED.value
    hub.run(5)
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "consistency", lambda *_a, **_k: [bytes(32)] * 3)
        code, document = told(first)
        assert (code, document["reason"]) == (1, Reason.LOG_CHANGED.value)
    assert told(first)[0] == 0


def _gone() -> Exception:
    from swath_service.errors import NotFound as Gone

    return Gone(code="log-empty", message="there is no receipt yet")


def test_two_logs_of_one_installation_are_told_apart(hub: Hub) -> None:
    """Whoever has the key can sign a second log; who has seen the first one is not taken in."""
    from swath.contract.receipts import CHECKPOINT_TYPE, Checkpoint

    receipt, _ = hub.saved(hub.run())
    assert told(receipt)[0] == 0
    keys = hub.world.made.context.trust.keys
    seen = Pins.default().checkpoint_of(keys.current())
    assert seen is not None
    forked = Checkpoint(origin=seen.origin, size=seen.size, root=bytes(32), at=seen.at)
    Pins.default().keep_checkpoint(keys.current(), keys.pen().sign(forked.as_bytes(), CHECKPOINT_TYPE))
    code, document = told(receipt)
    assert (code, document["reason"]) == (1, Reason.LOG_CHANGED.value)
    assert told(receipt, "--offline")[1]["reason"] == Reason.LOG_CHANGED.value


def test_what_cannot_be_told_is_said_to_be_so(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt, result = hub.saved(hub.run())
    assert told(receipt, "--offline")[1]["reason"] == "no-keys"
    assert told(result, "--offline")[0] == 2
    assert told(tmp_path / "nothing")[0] == 2
    assert told(receipt, "--keys", tmp_path / "nothing")[0] == 2
    monkeypatch.setenv("SWATH_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr("swath.client.http.PAUSES", ())
    assert told(receipt)[0] == 2
    for name in ("SWATH_URL", "SWATH_TOKEN"):
        monkeypatch.delenv(name)
    code, document = told(receipt)
    assert (code, document["reason"]) == (2, "not-signed-in")
    keys = tmp_path / "keys.json"
    keys.write_bytes(hub.world.made.context.trust.keys.current().as_bytes() + b"\n")
    assert told(receipt, "--keys", keys)[0] == 0, "a file of keys needs no hub"
    assert told(result, "--keys", keys, "--receipt", receipt)[0] == 0


def test_pins_that_others_may_write_are_not_believed(hub: Hub) -> None:
    receipt, _ = hub.saved(hub.run())
    assert told(receipt)[0] == 0
    path = Pins.default().path
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o666)
    assert told(receipt)[1]["reason"] == "pins-unfit"
    path.chmod(0o600)
    kept = json.loads(path.read_text())
    (origin,) = kept["origins"]
    kept["origins"][origin]["keys"]["keys"][0]["state"] = "revoked"
    path.write_text(json.dumps(kept))
    assert told(receipt)[0] == 1
    path.write_text("{")
    assert told(receipt)[0] == 2


def test_the_other_verbs(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = hub.run()
    printed = runner.invoke(app, ["receipt", run.id], catch_exceptions=False)
    target = tmp_path / "r.json"
    assert runner.invoke(app, ["receipt", run.id, "-o", str(target)]).exit_code == 0
    assert target.read_text() == printed.stdout.removesuffix("\n")
    target.write_text("else")
    assert isinstance(
        runner.invoke(app, ["receipt", run.id, "-o", str(target)], standalone_mode=False).exception, Conflict
    )
    keys = tmp_path / "keys.json"
    assert "active" in runner.invoke(app, ["receipts", "keys", "-o", str(keys)]).stdout
    assert told(receipts.save(printed.stdout.encode(), tmp_path / "p.json"), "--keys", keys)[0] == 0
    checkpoint = tmp_path / "checkpoint.json"
    assert "1 entries" in runner.invoke(app, ["receipts", "checkpoint", "-o", str(checkpoint)]).stdout
    Envelope.from_bytes(checkpoint.read_bytes())
    assert (
        runner.invoke(app, ["receipts", "rotate", "--reason", "no right"], standalone_mode=False).exception is not None
    )
    monkeypatch.setenv("SWATH_TOKEN", "root")
    old = hub.world.made.context.trust.keys.current().active.id
    rotated = runner.invoke(app, ["receipts", "rotate", "--reason", "a year is over", "--json"])
    assert [key["state"] for key in json.loads(rotated.stdout)["keys"]] == ["retired", "active"]
    assert "revoked" in runner.invoke(app, ["receipts", "revoke", old, "--reason", "was copied"]).stdout


def test_in_python(hub: Hub) -> None:
    run = hub.run()
    held = get_run(hub.api(), run.id)
    receipt = held.receipt()
    assert receipt.statement.run_id == run.id
    assert "not verified" in repr(receipt)
    found = receipt.verify()
    assert found.ok
    assert found.verdict is Verdict.VERIFIED
    assert repr(found).endswith("verified")
    path = receipt.save(hub.folder / "kept.json")
    assert Verifier(api=hub.api()).file(path).ok
    with pytest.raises(NotFound):
        ClientRun(hub.api(), {"id": "0" * 32}).receipt()
