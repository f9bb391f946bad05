"""The criteria of maturity, each a small class. Importing this makes all of them known.

A new one is a class here, a line in a criteria file and a test.
"""

from swath_marketplace.domain.criteria import benchmarks, documents, interface, people, running
from swath_marketplace.domain.criteria.protocol import REGISTRY, Criterion, Finding, SettingsInvalid, criterion, make

__all__ = [
    "REGISTRY",
    "Criterion",
    "Finding",
    "SettingsInvalid",
    "benchmarks",
    "criterion",
    "documents",
    "interface",
    "make",
    "people",
    "running",
]
