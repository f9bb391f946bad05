"""Patterns of text parameters, matched in time that grows with the text and not with its cunning.

An author writes the pattern and a stranger the text, so the backtracking of `re` would let either hold a service still
(``(a+)+$``). The dialect is what Python and ECMA-262 (hence JSON Schema) agree on; it is matched by following all
branches at once (Thompson, "Regular expression search algorithm", CACM 1968).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

_MAX_PATTERN = 500
_MAX_STATES = 2000
_MAX_REPEAT = 1000
_MAX_GROUPS = 30
_SPECIAL = frozenset("\\^$.|?*+()[]{}")
_END = 0x110000

Ranges = tuple[tuple[int, int], ...]

_CLASSES: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_CONTROLS = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11}


class BadPattern(ValueError):
    """A pattern outside the dialect; the message says what in it."""

    MEND = (
        "use literals, ., [...], \\d \\w \\s, (...), |, ? * + {n,m}, ^ and $; neither look-arounds nor back-references"
    )


@dataclass(frozen=True, slots=True)
class _One:
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class _Edge:
    """``^`` or ``$``."""

    at_end: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Either:
    branches: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None


_Node = _One | _Edge | _Sequence | _Either | _Repeat


@dataclass(slots=True)
class _State:
    ranges: Ranges | None = None
    edge: _Edge | None = None
    following: list[int] = field(default_factory=list)


class Pattern:
    """A compiled pattern; `found_in` is `re.search` for it."""

    def __init__(self, tree: _Node) -> None:
        self._states: list[_State] = []
        self._accept = self._new()
        self._start = self._build(tree, self._accept)

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches somewhere in `text`."""
        current: set[int] = set()
        for position in range(len(text) + 1):
            current.add(self._start)
            reached = self._closed(current, at_start=position == 0, at_end=position == len(text))
            if self._accept in reached:
                return True
            if position == len(text):
                break
            code = ord(text[position])
            current = {
                following
                for state in reached
                if (ranges := self._states[state].ranges) is not None and _within(ranges, code)
                for following in self._states[state].following
            }
        return False

    def _closed(self, states: Iterable[int], *, at_start: bool, at_end: bool) -> set[int]:
        reached: set[int] = set()
        stack = list(states)
        while stack:
            name = stack.pop()
            if name in reached:
                continue
            state = self._states[name]
            if state.edge is not None and not (at_end if state.edge.at_end else at_start):
                continue
            reached.add(name)
            if state.ranges is None:
                stack.extend(state.following)
        return reached

    def _new(self, *, ranges: Ranges | None = None, edge: _Edge | None = None, following: Iterable[int] = ()) -> int:
        if len(self._states) >= _MAX_STATES:
            raise BadPattern("it repeats too much")
        self._states.append(_State(ranges=ranges, edge=edge, following=list(following)))
        return len(self._states) - 1

    def _build(self, node: _Node, target: int) -> int:
        """The state from which `node` leads to `target`."""
        if isinstance(node, _One):
            return self._new(ranges=node.ranges, following=[target])
        if isinstance(node, _Edge):
            return self._new(edge=node, following=[target])
        if isinstance(node, _Sequence):
            for part in reversed(node.parts):
                target = self._build(part, target)
            return target
        if isinstance(node, _Either):
            return self._new(following=[self._build(branch, target) for branch in node.branches])
        return self._repeat(node, target)

    def _repeat(self, node: _Repeat, target: int) -> int:
        if node.most is None:
            loop = self._new(following=[target])
            self._states[loop].following.append(self._build(node.part, loop))
            target = loop
        else:
            end = target
            for _ in range(node.most - node.least):
                target = self._new(following=[end, self._build(node.part, target)])
        for _ in range(node.least):
            target = self._build(node.part, target)
        return target


def _within(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile `text`.

    Raises
    ------
    BadPattern
        Saying what in it is outside the dialect.
    """
    if len(text) > _MAX_PATTERN:
        raise BadPattern(f"it is over {_MAX_PATTERN} characters")
    return Pattern(_Parser(text).parse())


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open = 0

    def parse(self) -> _Node:
        tree = self._either()
        if self._at < len(self._text):
            raise BadPattern("a parenthesis is closed that was not opened")
        return tree

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise BadPattern("it ends too early")
        self._at += 1
        return character

    def _either(self) -> _Node:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else _Either(tuple(branches))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() and self._peek() not in "|)":
            parts.append(self._repeated(self._atom()))
        return _Sequence(tuple(parts))

    def _atom(self) -> _Node:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return _One(self._set())
        if character == ".":
            return _One(_inverted(((10, 10), (13, 13), (0x2028, 0x2029))))
        if character in "^$":
            return _Edge(at_end=character == "$")
        if character == "\\":
            return _One(self._escape())
        if character in _SPECIAL:
            raise BadPattern(f"{character} stands where it has nothing to act on; write \\{character} for itself")
        return _One(((ord(character), ord(character)),))

    def _group(self) -> _Node:
        self._open += 1
        if self._open > _MAX_GROUPS:
            raise BadPattern(f"it has over {_MAX_GROUPS} groups")
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise BadPattern("(? begins something other than a plain group")
            self._at += 2
        inner = self._either()
        if self._peek() != ")":
            raise BadPattern("a parenthesis is not closed")
        self._at += 1
        return inner

    def _repeated(self, part: _Node) -> _Node:
        character = self._peek()
        if character not in tuple("?*+{"):
            return part
        if isinstance(part, _Edge):
            raise BadPattern("an edge cannot be repeated")
        self._at += 1
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(character) or self._counts()
        if self._peek() in tuple("?*+{"):
            raise BadPattern("a repetition is repeated, lazy or possessive")
        return _Repeat(part, least, most)

    def _counts(self) -> tuple[int, int | None]:
        close = self._text.find("}", self._at)
        low, comma, high = self._text[self._at : max(close, self._at)].partition(",")
        if close < 0 or not all(part.isascii() and part.isdigit() for part in (low, high or "0")):
            raise BadPattern("{ begins no repetition; write {n}, {n,} or {n,m}")
        self._at = close + 1
        least = int(low[:9])
        most = least if not comma else int(high[:9]) if high else None
        if least > _MAX_REPEAT or (most is not None and not least <= most <= _MAX_REPEAT):
            raise BadPattern(f"a repetition counts down, or over {_MAX_REPEAT}")
        return least, most

    def _escape(self) -> Ranges:
        character = self._take()
        if character.lower() in _CLASSES:
            ranges = _CLASSES[character.lower()]
            return ranges if character.islower() else _inverted(ranges)
        if character in _CONTROLS:
            return ((_CONTROLS[character],) * 2,)
        if character.isascii() and not character.isalnum() and character != "_":
            return ((ord(character),) * 2,)
        raise BadPattern(f"\\{character} is not known")

    def _set(self) -> Ranges:
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        while (character := self._take()) != "]":
            low = self._member(character)
            if self._peek() == "-" and not self._text.startswith("-]", self._at):
                self._at += 1
                high = self._member(self._take())
                if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1]:
                    raise BadPattern("a range in [...] needs a single character at both ends")
                if low[0][0] > high[0][0]:
                    raise BadPattern("a range in [...] runs backwards")
                low = ((low[0][0], high[0][0]),)
            ranges.extend(low)
        if not ranges:
            raise BadPattern("[] is empty")
        return _inverted(tuple(ranges)) if negated else tuple(ranges)

    def _member(self, character: str) -> Ranges:
        if character == "\\":
            return self._escape()
        if character == "[":
            raise BadPattern("write \\[ inside [...]")
        return ((ord(character), ord(character)),)


def _inverted(ranges: Ranges) -> Ranges:
    gaps: list[tuple[int, int]] = []
    at = 0
    for low, high in sorted(ranges):
        if low > at:
            gaps.append((at, low - 1))
        at = max(at, high + 1)
    if at < _END:
        gaps.append((at, _END - 1))
    return tuple(gaps)
