"""The two documents that every run brings back: the executed notebook, and the same as a page."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from swath.contract.run import OUTPUT_HTML, OUTPUT_NOTEBOOK, ErrorCode, OutputRecord
from swath.runner.html import write_html
from swath.runner.journal import Journal
from swath.runner.prepare import mark_failure, save_notebook
from swath.runner.produced import measure


def save(
    nb: NotebookNode, run_dir: Path, *, title: str, error: ErrorCode | None, failed: int | None, journal: Journal
) -> tuple[OutputRecord, ...]:
    """Save both, and describe what is on disk.

    Parameters
    ----------
    error
        With which the run ended; the notebook then says so at its top.
    failed
        Index of the cell in which it stopped.
    """
    if error is not None:
        nb = mark_failure(nb, failed, error)
    save_notebook(nb, run_dir / OUTPUT_NOTEBOOK)
    try:
        write_html(nb, run_dir / OUTPUT_HTML, title=str(nb.metadata.get("swath", {}).get("title") or title))
    except Exception as problem:  # the results are worth more than their page
        journal.log(f"The page of the notebook could not be made: {problem}\n", stream="stderr")
    return describe(run_dir)


def describe(run_dir: Path) -> tuple[OutputRecord, ...]:
    """Those of the two documents that are there."""
    out = run_dir / "out"
    candidates = (
        ("notebook", OUTPUT_NOTEBOOK, "application/x-ipynb+json", "The executed notebook"),
        ("notebook-html", OUTPUT_HTML, "text/html", "The executed notebook as a page"),
    )
    found = []
    for name, path, media_type, description in candidates:
        bare = OutputRecord(
            name=name,
            path=path.removeprefix("out/"),
            media_type=media_type,
            bytes=0,
            sha256="0" * 64,
            description=description,
        )
        try:
            found.append(measure(out, bare))
        except OSError:
            continue
    return tuple(found)
