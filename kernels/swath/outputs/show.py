"""How an emitted value shows in a notebook: a picture, the head of a table, a short text."""

from __future__ import annotations

import sys
from typing import Any

_ROWS = 10
_CHARS = 2_000


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def picture(png: bytes) -> None:
    """Show a PNG."""
    from IPython.display import Image, display

    display(Image(data=png, format="png"))  # type: ignore[no-untyped-call]


def table(frame: Any) -> None:
    """Show the head of a table."""
    from IPython.display import display

    display(frame.head(_ROWS))  # type: ignore[no-untyped-call]


def figure(value: Any) -> None:
    """Show a figure, unless matplotlib's inline backend shows it at the end of the cell anyway."""
    from IPython.display import display
    from matplotlib import _pylab_helpers

    managed = any(manager.canvas.figure is value for manager in _pylab_helpers.Gcf.get_all_fig_managers())
    if not managed:
        display(value)  # type: ignore[no-untyped-call]


def text(name: str, content: str) -> None:
    """Show a value as text, cut where it is long."""
    cut = content if len(content) <= _CHARS else f"{content[:_CHARS]} …"
    print(f"{name} = {cut}")
