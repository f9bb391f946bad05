"""What a notebook leaves to chance, the clock or the order of a set; and what it does not."""

from __future__ import annotations

import json

import pytest
from swath_marketplace.domain.chances import ChanceKind, chances_in


def book(*sources: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}).encode()


@pytest.mark.parametrize(
    ("source", "kind", "call"),
    [
        ("import random\nx = random.random()", ChanceKind.RANDOM, "random.random"),
        ("from random import choice as pick\npick([1, 2])", ChanceKind.RANDOM, "random.choice"),
        ("import numpy as np\nnp.random.rand(3)", ChanceKind.RANDOM, "numpy.random.rand"),
        ("import numpy\nnumpy.random.default_rng()", ChanceKind.RANDOM, "numpy.random.default_rng"),
        ("from numpy.random import default_rng\ndefault_rng()", ChanceKind.RANDOM, "numpy.random.default_rng"),
        ("import random\nrandom.Random()", ChanceKind.RANDOM, "random.Random"),
        ("import uuid\nuuid.uuid4()", ChanceKind.RANDOM, "uuid.uuid4"),
        ("import os\nos.urandom(4)", ChanceKind.RANDOM, "os.urandom"),
        ("import secrets\nsecrets.token_hex()", ChanceKind.RANDOM, "secrets.token_hex"),
        ("import time\ntime.time()", ChanceKind.CLOCK, "time.time"),
        ("from datetime import datetime\ndatetime.now()", ChanceKind.CLOCK, "datetime.datetime.now"),
        ("import datetime as dt\ndt.date.today()", ChanceKind.CLOCK, "datetime.date.today"),
        ("import pandas as pd\npd.Timestamp.now()", ChanceKind.CLOCK, "pandas.Timestamp.now"),
        ("for x in {'a', 'b'}:\n    print(x)", ChanceKind.ORDER, "a loop over a set"),
        ("[x for x in set('ab')]", ChanceKind.ORDER, "a loop over a set"),
        ("names = set('ab')\nlist(names)", ChanceKind.ORDER, "list"),
        ("','.join({'a', 'b'})", ChanceKind.ORDER, "join"),
    ],
)
def test_what_is_left_to_chance_is_named(source: str, kind: ChanceKind, call: str) -> None:
    (found,) = chances_in(book("x = 1", source))
    assert (found.kind, found.call, found.cell) == (kind, call, 1)
    assert str(found).startswith(f"cell 2, line {found.line}: {call} asks for ")


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.seed(1)\nrandom.random()",
        "import numpy as np\nnp.random.seed(1)\nnp.random.rand(3)",
        "import numpy as np\nnp.random.default_rng(7).random()",
        "import random\nrandom.Random(3).random()",
        "random = make()\nself.random()\nrandom.random()",
        "for x in sorted({'a', 'b'}):\n    print(x)",
        "for x in ['a', 'b']:\n    print(x)",
        "names = {'a'}\nnames = ['a']\nlist(names)",
        "def now():\n    return 1\nnow()",
        "def broken(:",
        "%matplotlib inline",
    ],
)
def test_what_is_fixed_is_not(source: str) -> None:
    assert chances_in(book(source)) == ()


def test_a_seed_in_another_cell_counts() -> None:
    assert chances_in(book("import random\nrandom.seed(n)", "random.random()")) == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"cells": 1}', b'{"cells": [1]}', b'{"cells": null}'])
def test_what_is_no_notebook_says_nothing(content: bytes) -> None:
    assert chances_in(content) == ()


def test_lines_of_ipython_hide_nothing() -> None:
    (found,) = chances_in(book("%matplotlib inline\nimport time\ntime.time()"))
    assert found.line == 3


def test_a_few_are_enough() -> None:
    assert len(chances_in(book("import time\n" + "time.time()\n" * 100))) == 20
