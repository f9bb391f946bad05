"""The Merkle tree of RFC 9162 (section 2.1): roots, inclusion proofs, consistency proofs and their checks.

Only hashes of complete subtrees are ever asked for, by their place: `Place(level, position)` is the subtree over the
leaves from ``position << level`` on, ``1 << level`` of them. A complete subtree never changes when leaves are added, so
whoever keeps a tree keeps those hashes, appends to them, and answers every proof in a number of them that grows with
the logarithm of its size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from swath.contract.fields import ContractError

#: Root of the tree without leaves: the hash of nothing.
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Place(NamedTuple):
    """Where a complete subtree stands."""

    level: int
    """0 for a leaf."""
    position: int
    """Number of the subtree among those of its level, from 0."""


#: Answers the hash of a complete subtree.
Hashes = Callable[[Place], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf: its prefix keeps it apart from an inner node with the same bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node from those of its children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed(size: int, leaf: bytes, hashes: Hashes) -> list[tuple[Place, bytes]]:
    """The subtrees that become complete when `leaf` is added to a tree of `size` leaves, itself first."""
    made = [(Place(0, size), leaf)]
    level, position = 0, size
    while position % 2 == 1:
        left = hashes(Place(level, position - 1))
        level, position = level + 1, position // 2
        made.append((Place(level, position), node_hash(left, made[-1][1])))
    return made


def root(size: int, hashes: Hashes) -> bytes:
    """Root of the tree of the first `size` leaves (section 2.1.1)."""
    return EMPTY_ROOT if size == 0 else _subtree(0, size, hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root over hashes of leaves, in one pass and with a logarithm of them in memory."""
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        level, made = 0, leaf
        while stack and stack[-1][0] == level:
            made = node_hash(stack.pop()[1], made)
            level += 1
        stack.append((level, made))
    if not stack:
        return EMPTY_ROOT
    made = stack.pop()[1]
    while stack:
        made = node_hash(stack.pop()[1], made)
    return made


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """What leads from leaf `index` to the root of the first `size` leaves (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("a leaf of the tree is asked for")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, hashes))
            end = middle
        else:
            path.append(_subtree(start, middle, hashes))
            start = middle
    return path[::-1]


def consistency_proof(first: int, second: int, hashes: Hashes) -> list[bytes]:
    """What shows that the first `first` of `second` leaves are a tree's that was seen before (section 2.1.4.1)."""
    if not 0 < first <= second:
        raise ValueError("a tree that was there before is asked for")
    start, end, wanted, whole, path = 0, second, first, True, []
    while wanted != end - start:
        middle = start + _split(end - start)
        if wanted <= middle - start:
            path.append(_subtree(middle, end, hashes))
            end = middle
        else:
            path.append(_subtree(start, middle, hashes))
            wanted -= middle - start
            start, whole = middle, False
    return ([] if whole else [_subtree(start, end, hashes)]) + path[::-1]


def check_inclusion(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Make sure that `leaf` is number `index` of the `size` leaves under the root `expected` (section 2.1.3.2).

    Raises
    ------
    ContractError
    """
    if not 0 <= index < size:
        raise ContractError(f"there is no leaf {index} in a log of {size}")
    fn, sn, made = index, size - 1, leaf
    for step in path:
        if sn == 0:
            raise ContractError("the inclusion proof is too long")
        if fn % 2 == 1 or fn == sn:
            made = node_hash(step, made)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            made = node_hash(made, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ContractError("the inclusion proof is too short")
    if made != expected:
        raise ContractError("the inclusion proof does not lead to the log's root")


def check_consistency(*, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> None:
    """Make sure that the tree of `second` leaves begins with that of `first` leaves (section 2.1.4.2).

    Raises
    ------
    ContractError
    """
    if first > second:
        raise ContractError(f"the log had {first} entries and has {second}: it was truncated")
    if first in (second, 0):
        if path:
            raise ContractError("the consistency proof is too long")
        if first == second and first_root != second_root:
            raise ContractError(f"there are two logs of {first} entries: entries were changed")
        return
    # A complete subtree is its own beginning, which the proof leaves out.
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        raise ContractError("the consistency proof is too short")
    old, new = _both_roots(first, second, steps)
    if old != first_root or new != second_root:
        raise ContractError(f"the log of {second} entries does not begin with the {first} seen before")


def _both_roots(first: int, second: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    fn, sn = first - 1, second - 1
    while fn % 2 == 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if sn == 0:
            raise ContractError("the consistency proof is too long")
        if fn % 2 == 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ContractError("the consistency proof is too short")
    return old, new


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(start: int, end: int, hashes: Hashes) -> bytes:
    """Hash over the leaves from `start` to `end`; `start` is a multiple of the power of two not below their number."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return hashes(Place(level, start >> level))
    middle = start + _split(size)
    return node_hash(_subtree(start, middle, hashes), _subtree(middle, end, hashes))


def wanted(work: Callable[[Hashes], object]) -> set[Place]:
    """The places that `work` asks for, so that they can be read at once before it is done."""
    asked: set[Place] = set()

    def note(place: Place) -> bytes:
        asked.add(place)
        return bytes(32)

    work(note)
    return asked
