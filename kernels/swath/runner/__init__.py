"""Executes one run of an algorithm: ``python -m swath.runner RUN_DIR``.

The folder's ``input/`` says what to do, its ``out/`` receives everything: live events, emitted files, the executed
notebook as it stood at its end, and last of all the report. A run counts as finished when every code cell has been
executed, the kernel was alive after the last one, and every declared output is there and readable.

Cells tagged ``skip-execution`` are left out. An error in a cell tagged ``raises-exception`` is what its author
announced: it is told in the log and does not end the run; leaving the kernel does, whatever the tag.
"""
