"""Models of usage, kept between quotes: fitted when enough is new, by one thread at a time for each subject."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.domain.quotes import (
    LEAST_OBSERVATIONS,
    MOST_OBSERVATIONS,
    Basis,
    Observation,
    ObservationSource,
)

if TYPE_CHECKING:
    from swath_quota.services.learning import UsageModel

#: So many uses, and the author's measurements are no longer looked at.
ENOUGH_USE = 20
#: So many uses make a history of its own.
_A_HISTORY = 5
_KEPT = 256
#: Below this many observations each new one is learnt from at once, above when a tenth more are there.
_LEARN_EACH = 20


class Known:
    """What is known of one subject: a model, or that there is too little to have one."""

    def __init__(self, observations: tuple[Observation, ...], *, revision: int) -> None:
        self.revision = revision
        used = [one for one in observations if one.source is ObservationSource.USE]
        measured = [one for one in observations if one.source is ObservationSource.BENCHMARK]
        chosen = used if len(used) >= ENOUGH_USE else [*measured, *used]
        self.basis = Basis.HISTORY if len(used) >= _A_HISTORY or not measured else Basis.BENCHMARK
        self.model: UsageModel | None = None
        if len(chosen) >= LEAST_OBSERVATIONS:
            from swath_quota.services.learning import UsageModel

            self.model = UsageModel(chosen)

    def is_fresh(self, revision: int) -> bool:
        """Whether what was learnt is new enough when there are `revision` observations."""
        return revision - self.revision < max(1, self.revision // 10 if self.revision >= _LEARN_EACH else 1)


class Estimators:
    """The `Known` of the subjects that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[PurposeKind, str], Known] = OrderedDict()
        self._learning: dict[tuple[PurposeKind, str], threading.Lock] = {}

    def known(self, store: QuoteStore, kind: PurposeKind, subject: str) -> Known:
        """What is known of `subject`; a few milliseconds when little is new, some tenths of a second otherwise."""
        key, revision = (kind, subject), store.revision(kind, subject)
        with self._lock:
            found = self._known.get(key)
            turn = self._learning.setdefault(key, threading.Lock())
        if found is None or not found.is_fresh(revision):
            found = self._learn(store, key, turn, revision=revision)
        with self._lock:
            self._known[key] = found
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                gone, _ = self._known.popitem(last=False)
                self._learning.pop(gone, None)
        return found

    def _learn(self, store: QuoteStore, key: tuple[PurposeKind, str], turn: threading.Lock, *, revision: int) -> Known:
        with turn:
            with self._lock:
                found = self._known.get(key)
            if found is not None and found.is_fresh(revision):
                return found
            learnt = Known(store.observations(*key, limit=MOST_OBSERVATIONS) if revision else (), revision=revision)
            with self._lock:
                self._known[key] = learnt
            return learnt


def warm() -> None:
    """Import what learning needs, so that the first quote with a history does not wait for it."""
    import sklearn.gaussian_process  # noqa: F401

    import swath_quota.services.learning  # noqa: F401
