"""Comparing two results of one kind: what benchmarks, reproductions and comparisons of versions stand on.

``compare_files(expected, found, media_type=…)`` is the door; ``python -m swath.compare JOB ANSWER`` does the same for
many pairs, each in a process of its own with bounded memory and time. The words for what is found stand in
`swath.contract.comparison`.
"""

from swath.compare.files import compare_files

__all__ = ["compare_files"]
