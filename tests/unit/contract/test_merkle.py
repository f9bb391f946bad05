"""The Merkle tree beside the definitions of RFC 9162, written down a second time as the text has them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract import merkle
from swath.contract.fields import ContractError
from swath.contract.merkle import Place, check_consistency, check_inclusion, leaf_hash

MOST = 33


def mth(entries: Sequence[bytes]) -> bytes:
    """Section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\1" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """Section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: Sequence[bytes], whole: bool) -> list[bytes]:
    """Section 2.1.4.1."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


ENTRIES = [bytes([number]) * (number % 5) for number in range(MOST)]


@pytest.fixture(scope="module")
def nodes() -> dict[Place, bytes]:
    found: dict[Place, bytes] = {}
    for size, entry in enumerate(ENTRIES):
        found.update(merkle.completed(size, leaf_hash(entry), found.__getitem__))
    return found


@pytest.mark.parametrize("size", range(MOST + 1))
def test_everything_is_as_the_text_defines_it(nodes: dict[Place, bytes], size: int) -> None:
    some, root = ENTRIES[:size], mth(ENTRIES[:size])
    assert merkle.root(size, nodes.__getitem__) == root
    assert merkle.root_of(map(leaf_hash, some)) == root
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, nodes.__getitem__)
        assert proof == path(index, some)
        check_inclusion(leaf_hash(some[index]), index=index, size=size, path=proof, expected=root)
    for first in range(1, size + 1):
        proof = merkle.consistency_proof(first, size, nodes.__getitem__)
        assert proof == subproof(first, some, True)
        check_consistency(first=first, first_root=mth(some[:first]), second=size, second_root=root, path=proof)


def test_known_roots() -> None:
    """Of the test vectors that implementations of Certificate Transparency share."""
    vectors = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(one)) for one in vectors]
    assert merkle.root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_other_proof_is_accepted(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MOST))
    index = data.draw(st.integers(0, size - 1))
    proof = path(index, ENTRIES[:size])
    at = data.draw(st.integers(0, len(proof) - 1))
    wrong: list[list[bytes]] = [
        [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]],
        proof[:at] + proof[at + 1 :],
        [*proof, proof[at]],
    ]
    root, leaf = mth(ENTRIES[:size]), leaf_hash(ENTRIES[index])
    for one in wrong:
        with pytest.raises(ContractError):
            check_inclusion(leaf, index=index, size=size, path=one, expected=root)
    other = data.draw(st.integers(0, size + 3).filter(lambda number: number != index))
    with pytest.raises(ContractError):
        check_inclusion(leaf, index=other, size=size, path=proof, expected=root)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_other_history_is_accepted(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, MOST))
    first = data.draw(st.integers(1, second - 1))
    proof = subproof(first, ENTRIES[:second], True)
    roots = {"first_root": mth(ENTRIES[:first]), "second_root": mth(ENTRIES[:second])}
    check_consistency(first=first, second=second, path=proof, **roots)
    changed = data.draw(st.integers(0, first - 1))
    edited = mth([*ENTRIES[:changed], b"edited", *ENTRIES[changed + 1 : second]])
    at = data.draw(st.integers(0, len(proof) - 1))
    attempts = [
        {"path": proof, **roots, "second_root": edited},
        {"path": proof, **roots, "first_root": edited},
        {"path": proof[:at] + proof[at + 1 :], **roots},
        {"path": [*proof, bytes(32)], **roots},
        {"path": [*proof[:at], bytes(32), *proof[at + 1 :]], **roots},
    ]
    for attempt in attempts:
        with pytest.raises(ContractError):
            check_consistency(first=first, second=second, **attempt)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="truncated"):
        check_consistency(
            first=second, first_root=roots["second_root"], second=first, second_root=roots["first_root"], path=proof
        )
