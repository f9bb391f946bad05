"""The operator's audit of receipts: everything is recomputed from the rows, and whatever was changed is named.

Three witnesses know each entry (the signed envelope, its row's leaf hash, the tree), and a signed checkpoint follows
each of them. Whoever changes a row would have to change them all, and cannot sign; whoever cuts off the end, with its
checkpoints, is shown by a checkpoint that was kept elsewhere, which is what `kept` is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from swath.contract import merkle
from swath.contract.envelopes import Envelope, Untrusted
from swath.contract.merkle import Place
from swath.contract.receipts import Checkpoint, statement_in
from swath.contract.signing_keys import KeySet
from swath.signatures import verify

from swath_marketplace.store.receipts import ReceiptStore, StoredCheckpoint, StoredEntry
from swath_marketplace.store.signing_keys import KeyChainStore


class Harm(StrEnum):
    """What was done to the log."""

    EDITED = "edited"
    DELETED = "deleted"
    TRUNCATED = "truncated"
    KEYS = "keys"
    """The chain of keys does not hold; nothing that is signed can be believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that is not as it was written."""

    harm: Harm
    entry: int | None
    """Number of the entry in the log, from 0; ``None`` where it is none's."""
    message: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"harm": self.harm.value, "entry": self.entry, "message": self.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What an audit found."""

    size: int
    root: str
    """Over the entries as they are; hexadecimal."""
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was changed."""
        return not self.faults


def audit(store: ReceiptStore, chain: KeyChainStore, *, kept: Sequence[Envelope] = ()) -> Audit:
    """Recompute everything.

    Parameters
    ----------
    kept
        Signed checkpoints that were saved elsewhere.
    """
    try:
        found = chain.read()
        if found is None:
            return Audit(size=0, root=merkle.EMPTY_ROOT.hex(), faults=tuple(_nothing_kept(kept)))
        keys = KeySet.of(*found, verify)
    except Untrusted as error:
        return Audit(size=0, root="", faults=(Fault(harm=Harm.KEYS, entry=None, message=str(error)),))
    tree, outputs = store.nodes(), store.outputs()
    faults: list[Fault] = []
    leaves: list[bytes] = []
    sequences: dict[str, int] = {}
    for entry in store.entries():
        if entry.log_index - len(leaves) > len(tree) + len(sequences):
            # More than were ever there: the number itself was changed.
            faults.append(_edited(entry.log_index, "there is no such entry"))
            continue
        while len(leaves) < entry.log_index:
            faults.append(_deleted(len(leaves)))
            leaves.append(_leaf_in(tree, len(leaves)))
        leaf, told = _entry(entry, keys, tree, outputs.pop(entry.log_index, set()))
        faults += told
        if entry.sequence != sequences.get(entry.run_id, 0) + 1:
            faults.append(_edited(entry.log_index, "its sequence does not follow from the run's receipt before"))
        sequences[entry.run_id] = entry.sequence
        leaves.append(leaf)
    faults += [_edited(index, "outputs are noted of an entry that is not there") for index in sorted(outputs)]
    known, roots = _grown(leaves)
    faults += _tree(len(leaves), known, tree)
    faults += _checkpoints(store.checkpoints(), keys, roots)
    for envelope in kept:
        faults += _checkpoint(envelope, keys, roots, where="a checkpoint that was kept elsewhere")
    return Audit(size=len(leaves), root=roots[-1].hex(), faults=tuple(faults))


def _entry(
    entry: StoredEntry, keys: KeySet, tree: dict[Place, str], outputs: set[tuple[str, str]]
) -> tuple[bytes, list[Fault]]:
    """The leaf hash of an entry, as far as it can be told, and what is wrong with the entry."""
    index, faults = entry.log_index, []
    try:
        envelope = Envelope.from_bytes(entry.envelope.encode("utf-8", "surrogatepass"), "receipt")
        leaf = merkle.leaf_hash(envelope.as_bytes())
        key = next((key for key in keys.keys if key.id == envelope.keyid), None)
        if key is None:
            faults.append(_edited(index, "it is signed with a key that was never there"))
        else:
            verify(envelope, key)
        statement = statement_in(envelope)
        stated = {(one.name, one.sha256) for one in statement.outputs}
        told = (entry.run_id, entry.key_id, outputs, keys.origin)
        if told != (statement.run_id, envelope.keyid, stated, statement.origin):
            faults.append(_edited(index, "its columns or outputs are not what the receipt states"))
    except Untrusted as error:
        faults.append(_edited(index, str(error)))
        return _leaf_in(tree, index), faults
    if leaf.hex() != entry.leaf_sha256:
        faults.append(_edited(index, "its leaf hash is not that of the receipt"))
    if leaf.hex() != tree.get(Place(0, index)):
        faults.append(_edited(index, "the tree has another leaf there"))
    # Where two of the three agree, they are believed, so that one changed entry does not cast doubt on those after it.
    outvoted = leaf.hex() != entry.leaf_sha256 == tree.get(Place(0, index))
    return _leaf_in(tree, index) if outvoted else leaf, faults


def _leaf_in(tree: dict[Place, str], index: int) -> bytes:
    """What the tree says of an entry that cannot be read any more, so that the others can still be checked."""
    try:
        return bytes.fromhex(tree[Place(0, index)])
    except (KeyError, ValueError):
        return bytes(32)


def _grown(leaves: Sequence[bytes]) -> tuple[dict[Place, bytes], list[bytes]]:
    """Every complete subtree over the leaves, and the root over the first n of them for each n from 0."""
    known: dict[Place, bytes] = {}
    roots = [merkle.EMPTY_ROOT]
    for size, leaf in enumerate(leaves):
        known.update(merkle.completed(size, leaf, known.__getitem__))
        roots.append(merkle.root(size + 1, known.__getitem__))
    return known, roots


def _tree(size: int, known: dict[Place, bytes], tree: dict[Place, str]) -> Iterator[Fault]:
    for place in sorted({*known, *tree} - {place for place, value in known.items() if tree.get(place) == value.hex()}):
        first, last = place.position << place.level, ((place.position + 1) << place.level) - 1
        if place not in known:
            beyond = last >= size
            yield Fault(
                harm=Harm.TRUNCATED if beyond else Harm.EDITED,
                entry=max(first, size) if beyond else first,
                message=f"the tree knows entries {first} to {last}, and the log has {size}",
            )
        elif place.level > 0:
            harm = Harm.EDITED if place in tree else Harm.DELETED
            yield Fault(harm=harm, entry=first, message=f"the tree's node over entries {first} to {last} is not theirs")


def _checkpoints(stored: Sequence[StoredCheckpoint], keys: KeySet, roots: Sequence[bytes]) -> Iterator[Fault]:
    seen = {one.size for one in stored}
    for size in range(1, len(roots)):
        if size not in seen:
            yield Fault(harm=Harm.DELETED, entry=size - 1, message=f"the checkpoint of {size} entries is gone")
    for one in stored:
        where = f"the checkpoint of {one.size} entries"
        try:
            envelope = Envelope.from_bytes(one.envelope.encode("utf-8", "surrogatepass"), "checkpoint")
            told = Checkpoint.from_envelope(envelope)
        except Untrusted as error:
            yield _edited(one.size - 1, f"{where}: {error}")
            continue
        if told.size != one.size:
            yield _edited(one.size - 1, f"{where} is filed under another size")
        yield from _checkpoint(envelope, keys, roots, where=where)


def _checkpoint(envelope: Envelope, keys: KeySet, roots: Sequence[bytes], *, where: str) -> Iterator[Fault]:
    try:
        told = Checkpoint.from_envelope(envelope)
        key = next((key for key in keys.keys if key.id == envelope.keyid), None)
        if key is None or told.origin != keys.origin:
            yield _edited(told.size - 1, f"{where} is not of this installation and its keys")
            return
        verify(envelope, key)
    except Untrusted as error:
        yield Fault(harm=Harm.EDITED, entry=None, message=f"{where}: {error}")
        return
    if told.size >= len(roots):
        yield Fault(
            harm=Harm.TRUNCATED,
            entry=len(roots) - 1,
            message=f"{where} is of {told.size}, and the log has {len(roots) - 1}: the rest was cut off",
        )
    elif roots[told.size] != told.root:
        yield _edited(told.size - 1, f"{where} is of other entries")


def _nothing_kept(kept: Iterable[Envelope]) -> Iterator[Fault]:
    for _ in kept:
        yield Fault(harm=Harm.TRUNCATED, entry=0, message="a checkpoint was kept elsewhere, and there is no log")


def _deleted(index: int) -> Fault:
    return Fault(harm=Harm.DELETED, entry=index, message="the entry is gone")


def _edited(index: int, message: str) -> Fault:
    return Fault(harm=Harm.EDITED, entry=index, message=message)
