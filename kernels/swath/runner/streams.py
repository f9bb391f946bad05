"""Output that a cell wrote in many pieces, as one text."""

from __future__ import annotations

from nbformat import NotebookNode


def merge_streams(cell: NotebookNode) -> None:
    """Join neighbouring pieces of stdout and of stderr, and let a carriage return overwrite its line.

    nbclient can do this too, by a regular expression that needs quadratic time on long lines.
    """
    merged: list[NotebookNode] = []
    pieces: list[list[str]] = []
    for output in cell.outputs:
        if output.output_type != "stream":
            merged.append(output)
        elif merged and merged[-1].get("name") == output.name:
            pieces[-1].append(output.text)
        else:
            merged.append(output)
            pieces.append([output.text])
    texts = iter(pieces)
    for output in merged:
        if output.output_type == "stream":
            lines = "".join(next(texts)).replace("\r\n", "\n").split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    cell.outputs = merged
