"""Receipts, keys and checkpoints as documents: one way to write each, everything else refused with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.signer import CryptoSigner
from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.envelopes import Envelope, Reason, Untrusted
from swath.contract.fields import ContractError
from swath.contract.merkle import leaf_hash
from swath.contract.receipts import (
    CHECKPOINT_TYPE,
    Bundle,
    Checkpoint,
    check_bundle,
    check_checkpoint,
    check_growth,
    check_output,
)
from swath.contract.signing_keys import KEY_EVENT_TYPE, KeyEvent, KeyEventKind, KeySet, KeyState, key_id
from swath.contract.statements import (
    PAYLOAD_TYPE,
    StatedEnvironment,
    StatedInput,
    StatedOutput,
    Statement,
)
from swath.contract.strict_json import read_base64, read_canonical, read_hash
from swath.signatures import verify

ORIGIN = "urn:swath:installation:5e3c1b9a-0b1f-4b7e-9a55-6d2d6a3f1c11"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
FIRST, SECOND, STRANGER = (CryptoSigner.generate_ed25519() for _ in range(3))


def public(signer: CryptoSigner) -> str:
    return str(signer.public_key.keyval["public"])


def sealed(signer: CryptoSigner, payload: bytes, payload_type: str) -> Envelope:
    signature = Dsse(payload, payload_type, {}).sign(signer)
    return Envelope(
        payload=payload,
        payload_type=payload_type,
        keyid=signature.keyid,
        signature=bytes.fromhex(signature.signature),
    )


def event(signer: CryptoSigner, before: list[Envelope], **changes: Any) -> Envelope:
    made = KeyEvent(
        **{
            "origin": ORIGIN,
            "sequence": len(before) + 1,
            "kind": KeyEventKind.ADDED,
            "public": public(signer),
            "at": START + timedelta(days=len(before)),
            "reason": "for the test",
            "previous": sha256_bytes(before[-1].as_bytes()) if before else "",
            **changes,
        }
    )
    return sealed(signer, made.as_bytes(), KEY_EVENT_TYPE)


ADDED = [event(FIRST, [])]
ROTATED = [*ADDED, event(FIRST, ADDED, public=public(SECOND))]
REVOKED = [*ROTATED, event(SECOND, ROTATED, public=public(FIRST), kind=KeyEventKind.REVOKED)]


def keys(events: list[Envelope]) -> KeySet:
    return KeySet.of(ORIGIN, events, verify)


STATEMENT = Statement(
    origin=ORIGIN,
    run_id="r1",
    algorithm="ada/ndvi",
    version="1.0.0",
    version_sha256="1" * 64,
    notebook_sha256="2" * 64,
    environment=StatedEnvironment(name="eo", lock_sha256="3" * 64),
    parameters={"n": 1, "x": 0.1, "ü": [None, True]},
    caller="bob",
    executor="local",
    resources={"cpus": 1},
    inputs=(StatedInput(sha256="4" * 64, about={"collection": "s2", "item": "i", "asset": "B04"}),),
    outputs=(StatedOutput(name="ndvi", sha256="5" * 64, media_type="image/tiff", bytes=9),),
    started_at=START,
    finished_at=START + timedelta(minutes=1),
    usage={"cpu_seconds": 1.5},
    cost_millicredits=7,
    software={"swath": "0.1.0"},
)


def bundle(signer: CryptoSigner = FIRST, **changes: Any) -> Bundle:
    receipt = sealed(signer, replace(STATEMENT, **changes).as_bytes(), PAYLOAD_TYPE)
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=leaf_hash(receipt.as_bytes()), at=START + timedelta(hours=1))
    return Bundle(receipt=receipt, index=0, proof=(), checkpoint=sealed(FIRST, checkpoint.as_bytes(), CHECKPOINT_TYPE))


def reason_of(work: Callable[[], object]) -> Reason:
    with pytest.raises(Untrusted) as refused:
        work()
    assert str(refused.value)
    return refused.value.reason


# Documents


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1, "b":2}', "canonical"),
        (b'{"b":1,"a":2}', "canonical"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1.0}', "canonical"),
        (b'{"a":1e2}', "canonical"),
        (b'{"a":-0}', "canonical"),
        (b'{"a":"\\u0041"}', "canonical"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":"\\ud800"}', "JSON"),
        (b"{", "JSON"),
        (b"", "JSON"),
        (b'{"a":1}\n', "canonical"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"9" * 5_000, "JSON"),
    ],
)
def test_only_the_canonical_form_is_read(data: bytes, why: str) -> None:
    with pytest.raises(ContractError, match=why):
        read_canonical(data, "document")


@pytest.mark.parametrize("value", [{"a": [1, 2.5, "ü", None, True]}, [], 0, "", {"z": {}, "é": 1, "€": 2, "𝄞": 3}])
def test_what_is_canonical_is_read(value: Any) -> None:
    assert read_canonical(canonical_json(value), "document") == value


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QR==", "Q Q=", "QQ==\n", "_-==", "é", "QQ==QQ=="])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(ContractError):
        read_base64(text, "it")
    assert read_base64("QQ==", "it") == b"A"


@pytest.mark.parametrize("text", ["", "0" * 63, "A" * 64, "g" * 64, 5, None, "0" * 65])
def test_a_hash_has_one_form(text: Any) -> None:
    with pytest.raises(ContractError):
        read_hash(text, "it")


def test_a_key_has_the_name_that_securesystemslib_gives_it() -> None:
    assert key_id(public(FIRST)) == FIRST.public_key.keyid


def test_what_is_signed_is_what_dsse_says() -> None:
    envelope = bundle().receipt
    assert envelope.signed_bytes == Dsse(envelope.payload, envelope.payload_type, {}).pae()


# Statements


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(extra=1),
        lambda one: one.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda one: one.update(subject=[]),
        lambda one: one["subject"].append(one["subject"][0] | {"mediaType": 5}),
        lambda one: one["subject"][0]["digest"].update(sha512="0"),
        lambda one: one["predicate"]["buildDefinition"].update(buildType="urn:other"),
        lambda one: one["predicate"]["buildDefinition"]["resolvedDependencies"].pop(0),
        lambda one: one["predicate"]["buildDefinition"]["resolvedDependencies"][3].update(uri="urn:other"),
        lambda one: one["predicate"]["buildDefinition"]["resolvedDependencies"][3]["annotations"].update(flag=True),
        lambda one: one["predicate"]["runDetails"]["metadata"].update(startedOn="2026-05-01T12:00:00Z"),
        lambda one: one["predicate"]["runDetails"]["metadata"].update(startedOn="yesterday"),
        lambda one: one["predicate"]["runDetails"]["metadata"].update(startedOn="2026-05-01T12:00:00"),
        lambda one: one["predicate"]["runDetails"]["byproducts"].pop(),
        lambda one: one["predicate"]["runDetails"]["byproducts"][1]["annotations"].update(millicredits=-1),
        lambda one: one["predicate"]["runDetails"]["builder"]["version"].update(swath=1),
    ],
)
def test_a_statement_that_is_none_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(STATEMENT.as_bytes())
    change(document)
    with pytest.raises(ContractError):
        Statement.from_dict(document)


def test_a_statement_is_read_back() -> None:
    for one in (
        STATEMENT,
        replace(STATEMENT, outputs=()),
        replace(STATEMENT, inputs=(), outputs=STATEMENT.outputs * 3),
    ):
        assert Statement.from_dict(json.loads(one.as_bytes())) == one


# Keys


def test_a_chain_of_keys_is_followed() -> None:
    assert [key.state for key in keys(REVOKED).keys] == [KeyState.REVOKED, KeyState.ACTIVE]
    assert keys(ROTATED).active.id == SECOND.public_key.keyid
    for events in (ADDED, ROTATED, REVOKED):
        found = keys(events)
        assert KeySet.from_bytes(found.as_bytes(), verify) == found
        assert KeySet.from_bytes(found.as_bytes() + b"\n", verify) == found
        found.require_after(keys(ADDED))
    assert reason_of(lambda: keys(ADDED).require_after(keys(ROTATED))) is Reason.KEYS_CHANGED
    other = replace(keys(ADDED), origin="urn:swath:installation:other")
    assert reason_of(lambda: keys(ADDED).require_after(other)) is Reason.WRONG_ORIGIN


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], Reason.MALFORMED),
        ([*ADDED, event(SECOND, ADDED)], Reason.UNKNOWN_KEY),
        ([*ADDED, event(STRANGER, ADDED, public=public(SECOND))], Reason.UNKNOWN_KEY),
        ([*ROTATED, event(FIRST, ROTATED, public=public(STRANGER))], Reason.UNKNOWN_KEY),
        ([*REVOKED, event(SECOND, REVOKED, public=public(FIRST))], Reason.MALFORMED),
        ([*REVOKED, event(SECOND, REVOKED, public=public(FIRST), kind=KeyEventKind.REVOKED)], Reason.MALFORMED),
        ([*ADDED, event(FIRST, ADDED, kind=KeyEventKind.REVOKED)], Reason.MALFORMED),
        ([*ADDED, event(FIRST, ADDED, public=public(SECOND), sequence=3)], Reason.MALFORMED),
        ([*ADDED, event(FIRST, ADDED, public=public(SECOND), previous="0" * 64)], Reason.MALFORMED),
        ([*ADDED, event(FIRST, ADDED, public=public(SECOND), at=START - timedelta(1))], Reason.MALFORMED),
        ([*ADDED, event(FIRST, ADDED, public=public(SECOND), origin=ORIGIN + "0")], Reason.WRONG_ORIGIN),
        (ROTATED[1:], Reason.MALFORMED),
        ([ROTATED[1], ROTATED[0]], Reason.MALFORMED),
        ([replace(ADDED[0], signature=bytes(64))], Reason.BAD_SIGNATURE),
        ([replace(ADDED[0], signature=b"")], Reason.BAD_SIGNATURE),
        ([replace(ADDED[0], payload_type=PAYLOAD_TYPE)], Reason.MALFORMED),
    ],
)
def test_a_broken_chain_is_refused(events: list[Envelope], reason: Reason) -> None:
    assert reason_of(lambda: keys(events)) is reason


def test_what_is_told_of_keys_must_follow_from_the_events() -> None:
    document = json.loads(keys(REVOKED).as_bytes())
    document["keys"][0]["state"] = "active"
    assert reason_of(lambda: KeySet.from_bytes(canonical_json(document), verify)) is Reason.MALFORMED


# Receipts


def test_a_receipt_holds() -> None:
    made = bundle()
    found = check_bundle(Bundle.from_bytes(made.as_bytes()), keys(ADDED), verify)
    assert found.statement == STATEMENT
    assert check_bundle(made, keys(ROTATED), verify).statement == STATEMENT, "a retired key's receipts stand"
    assert check_output(found.statement, "5" * 64).name == "ndvi"
    assert check_output(found.statement, "5" * 64, name="ndvi").bytes == 9
    assert reason_of(lambda: check_output(found.statement, "5" * 64, name="other")) is Reason.OUTPUT_CHANGED


def _doubly_signed(one: dict[str, Any]) -> None:
    one["receipt"]["signatures"] *= 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one["receipt"].update(signatures=[]), Reason.UNSIGNED),
        (_doubly_signed, Reason.MALFORMED),
        (lambda one: one["receipt"].update(payloadType="text/plain"), Reason.MALFORMED),
        (lambda one: one["receipt"]["signatures"][0].update(keyid="0" * 64), Reason.UNKNOWN_KEY),
        (lambda one: one["receipt"]["signatures"][0].update(sig="QQ=="), Reason.BAD_SIGNATURE),
        (lambda one: one["receipt"].update(extra=1), Reason.MALFORMED),
        (lambda one: one.update(format="swath-receipt-2"), Reason.MALFORMED),
        (lambda one: one["log"].update(index=1), Reason.NOT_IN_LOG),
        (lambda one: one["log"].update(index=-1), Reason.MALFORMED),
        (lambda one: one["log"].update(index=True), Reason.MALFORMED),
        (lambda one: one["log"].update(proof=["0" * 64]), Reason.NOT_IN_LOG),
        (lambda one: one["log"].update(proof=["0"]), Reason.MALFORMED),
        (lambda one: one["log"].update(checkpoint=one["receipt"]), Reason.MALFORMED),
        (lambda one: one.update(log=None), Reason.MALFORMED),
        (lambda one: one.pop("log"), Reason.MALFORMED),
    ],
)
def test_a_receipt_that_was_changed_is_refused(change: Callable[[dict[str, Any]], object], reason: Reason) -> None:
    document = json.loads(bundle().as_bytes())
    change(document)
    data = canonical_json(document)
    assert reason_of(lambda: check_bundle(Bundle.from_bytes(data), keys(ADDED), verify)) is reason


def test_who_may_sign_what() -> None:
    assert reason_of(lambda: check_bundle(bundle(STRANGER), keys(ADDED), verify)) is Reason.UNKNOWN_KEY
    assert reason_of(lambda: check_bundle(bundle(), keys(REVOKED), verify)) is Reason.REVOKED_KEY
    elsewhere = bundle(origin=ORIGIN.replace("5e3c", "0000"))
    assert reason_of(lambda: check_bundle(elsewhere, keys(ADDED), verify)) is Reason.WRONG_ORIGIN
    made = bundle()
    stolen = replace(made, receipt=replace(made.receipt, keyid=STRANGER.public_key.keyid))
    assert reason_of(lambda: check_bundle(stolen, keys(ADDED), verify)) is Reason.UNKNOWN_KEY


def test_checkpoints_are_of_their_log_and_time() -> None:
    def signed(signer: CryptoSigner, **changes: Any) -> Envelope:
        made = Checkpoint(**{"origin": ORIGIN, "size": 3, "root": bytes(32), "at": START, **changes})
        return sealed(signer, made.as_bytes(), CHECKPOINT_TYPE)

    known = keys(ROTATED)
    assert check_checkpoint(signed(FIRST), known, verify).size == 3
    late = signed(FIRST, at=START + timedelta(days=3))
    assert reason_of(lambda: check_checkpoint(late, known, verify)) is Reason.RETIRED_KEY
    assert reason_of(lambda: check_checkpoint(signed(STRANGER), known, verify)) is Reason.UNKNOWN_KEY
    assert reason_of(lambda: check_checkpoint(signed(FIRST), keys(REVOKED), verify)) is Reason.REVOKED_KEY
    other = signed(SECOND, origin=ORIGIN + "0")
    assert reason_of(lambda: check_checkpoint(other, known, verify)) is Reason.WRONG_ORIGIN
    empty = sealed(SECOND, canonical_json({"origin": ORIGIN, "size": 0, "root": "0" * 64, "at": "x"}), CHECKPOINT_TYPE)
    assert reason_of(lambda: check_checkpoint(empty, known, verify)) is Reason.MALFORMED


def test_a_log_only_grows() -> None:
    early = Checkpoint(origin=ORIGIN, size=3, root=bytes(32), at=START)
    late = Checkpoint(origin=ORIGIN, size=5, root=bytes(32), at=START)
    assert reason_of(lambda: check_growth(late, early, [])) is Reason.LOG_TRUNCATED
    assert reason_of(lambda: check_growth(early, late, [bytes(32)] * 3)) is Reason.LOG_CHANGED
    assert reason_of(lambda: check_growth(early, replace(early, root=b"1" * 32), [])) is Reason.LOG_CHANGED
    assert reason_of(lambda: check_growth(early, replace(late, origin="other"), [])) is Reason.WRONG_ORIGIN
    check_growth(early, early, [])
