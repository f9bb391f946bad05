"""Every example of the documentation does what the page says, or says why it is not run."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

spec = importlib.util.spec_from_file_location("swath_tests_examples", Path(__file__).with_name("examples.py"))
assert spec is not None
assert spec.loader is not None
examples = importlib.util.module_from_spec(spec)
sys.modules["swath_tests_examples"] = examples
spec.loader.exec_module(examples)

#: In this order: callers call what the author published. Of a page that is no tutorial, what can be run is.
FOLLOWED = [
    *(f"tutorials/{name}" for name in ("author", "caller-shell", "caller-python", "caller-curl", "caller-ogc")),
    "tutorials/operator",
    "doors-events",
]

#: Page -> how many of its examples are only shown; each says why in the line above it.
ONLY_SHOWN = {
    "authors": 8,
    "callers": 3,
    "doors-api": 1,
    "doors-card": 3,
    "doors-events": 2,
    "doors-exit": 1,
    "doors-moderation": 2,
    "doors-ogc": 2,
    "doors-pages": 1,
    "doors-search": 1,
    "operators": 2,
    "quota": 1,
    "quota-ledger": 1,
    "quota-limits": 1,
    "quota-quotes": 1,
    "trust-algorithms": 1,
    "trust-maturity": 2,
    "trust-receipts": 2,
    "tutorials/author": 1,
    "tutorials/operator": 1,
}


@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_can_be_followed(page: str, desk: Any) -> None:
    at = desk(examples.person_of(page))
    for example in examples.examples_of(page):
        if not example.reason:
            at.run(example)


def test_every_example_is_run_or_says_why_not() -> None:
    silent = [
        str(one)
        for page in examples.pages()
        for one in examples.examples_of(page)
        if page not in FOLLOWED and not one.reason
    ]
    assert not silent, "run it in a tutorial, or say above it: % not run: REASON"
    shown = [page for page in examples.pages() for one in examples.examples_of(page) if one.reason]
    assert dict(Counter(shown)) == ONLY_SHOWN


def test_a_wrong_example_fails(tmp_path: Path) -> None:
    at = examples.Desk(tmp_path, variables={}, url="http://127.0.0.1:1/")
    try:
        for kind, text, prints in (
            ("sh", "false", ""), ("sh", "echo no", "yes"), ("sh", "false | true", ""), ("python", "1 / 0", ""),
        ):  # fmt: skip
            with pytest.raises(examples.Failed):
                at.run(examples.Example(page="x", line=1, kind=kind, text=text, prints=prints))
        at.run(examples.Example(page="x", line=1, kind="sh", text="A='one two'; mkdir -p here"))
        at.run(examples.Example(page="x", line=1, kind="sh", text='echo "$A"; ls', prints="one two\nhere"))
        at.run(examples.Example(page="x", line=1, kind="python", text="a = 3"))
        at.run(examples.Example(page="x", line=1, kind="python", text="print(a + 1)", prints="4"))
    finally:
        at.close()
