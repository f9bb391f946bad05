"""The pattern dialect agrees with `re` wherever both know a pattern, and no text makes it slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath.contract.patterns import BadPattern, compile_pattern

#: The same cases every time; a failure in a full run can be had again.
quick = settings(deadline=None, derandomize=True, max_examples=40)

ATOMS = st.sampled_from(("a", "b", ".", "[ab]", "[^a]", "[a-c1]", "\\d", "\\w", "\\S", "\\.", "^", "$", "[\\d-]", "é"))


@st.composite
def patterns(draw: st.DrawFn, depth: int = 0) -> str:
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        atom = draw(ATOMS)
        if depth < 2 and draw(st.integers(0, 3)) == 0:
            atom = f"({draw(st.sampled_from(('', '?:')))}{draw(patterns(depth + 1))}|{draw(patterns(depth + 1))})"
        if atom not in "^$":
            atom += draw(st.sampled_from(("", "", "?", "*", "+", "{2}", "{1,2}", "{1,}", "{0}")))
        parts.append(atom)
    return "".join(parts)


@quick
@given(patterns(), st.text("ab1.é-", max_size=6))
def test_agrees_with_re(pattern, text):
    # ASCII classes, and `$` at the very end only: as ECMA-262 reads them.
    assert compile_pattern(pattern).found_in(text) == bool(re.search(pattern.replace("$", "\\Z"), text, re.ASCII))


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a*)*b", "(?:a?){100}a{100}b", ".*.*.*.*.*=x", "(a|aa)+$"])
def test_no_text_makes_it_slow(pattern):
    started = time.perf_counter()
    compile_pattern(pattern).found_in("a" * 2000 + "!")
    # `re` needs longer than the age of the universe for most of these.
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "a)",
        "[a",
        "[]",
        "[b-a]",
        "[\\d-z]",
        "[[a]]",
        "*a",
        "a**",
        "a+?",
        "a{",
        "a{2,1}",
        "a{1001}",
        "a{,2}",
        "(?=a)",
        "(?!a)",
        "(?P<x>a)",
        "(?i)a",
        "(a)\\1",
        "\\bword",
        "\\p{L}",
        "\\",
        "^*",
        "a{1000}{2}",
        "(a{100}){100}",
        "(" * 40 + "a" + ")" * 40,
        "a" * 501,
        "}",
        "]",
    ],
)
def test_outside_the_dialect(pattern):
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


@quick
@given(st.text("ab()[]{}|*+?^$\\.-,0123dwsx:=", max_size=12))
def test_any_text_compiles_or_is_refused(pattern):
    try:
        compiled = compile_pattern(pattern)
    except BadPattern:
        return
    expected = (
        re.search(re.sub(r"(?<!\\)\$", lambda _: "\\Z", pattern), "ab01", re.ASCII) if "\\" not in pattern else None
    )
    if "\\" not in pattern and "[" not in pattern:
        assert compiled.found_in("ab01") == bool(expected)
