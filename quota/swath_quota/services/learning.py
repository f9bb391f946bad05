"""What past use tells about the next: a Gaussian process over the logarithms of what was used, with conformal bounds.

- The process (scikit-learn) interpolates where it has seen much and grows unsure where it has seen little. All
  quantities share one kernel, so how they depend on the features is learnt together.
- Each observation is foretold from all others in closed form (Rasmussen & Williams 2006, *Gaussian Processes for
  Machine Learning*, equation 5.12). How far that was off, in the process's own standard deviations and for the worst of
  the quantities, is the conformal score: its quantile bounds every quantity at once, hence their price under any list.
- Recent use weighs more, in the process (older use is noisier) and in the quantile (Barber, Candes, Ramdas, Tibshirani
  2023, *Conformal prediction beyond exchangeability*, Annals of Statistics 51 (2), 816-845).
"""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swath_quota.domain.quotes import LEAST_OBSERVATIONS, MOST_OBSERVATIONS, Observation

Array = NDArray[np.float64]

#: What is foretold: what has a price and depends on the limits, and how long it takes.
QUANTITIES = ("cpu_seconds", "memory_mb_seconds", "wall_seconds")
P95 = 0.95
#: Level of the upper bound. Above what is promised (0.95): machines drift, and a bound that breaks is a run that stops.
UPPER = 0.99

#: After so many further observations one counts half.
_HALF_LIFE = 100
#: The middle follows the last few: a machine that is busy now makes all of them slower. Measured on 143 runs while the
#: load of the machine rose threefold: p50 without the fee within 30 % in 50 % with 100, 68 % with 20, 80 % with 8.
_SHIFT_HALF_LIFE = 10
#: A feature may lie so much of the seen range, on a logarithmic scale, beyond it.
_STRETCH = 0.25
#: Least noise that is believed, in logarithms: no two runs are alike to 3 %.
_LEAST_NOISE = 0.03
_TINY = 1e-3
#: The process was fitted to the very scores that are judged by: of three of them one is counted as free. Measured on
#: uneven data: with all counted the bound of 6 to 25 observations held in 92 to 94 %, so in 96 to 98 %.
_SCORES_A_FREEDOM = 3
#: A category is learnt from once so many had it.
_LEAST_OF_A_CATEGORY = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Usage at three levels of caution, and what lies beyond what was seen."""

    p50: Mapping[str, float]
    p95: Mapping[str, float]
    upper: Mapping[str, float]
    unseen: tuple[str, ...]
    """Features that are outside of what was ever observed; then the bounds cannot be relied on."""


class Columns:
    """Which features are learnt from, and what of each has been seen."""

    def __init__(self, seen: Sequence[Mapping[str, float]]) -> None:
        counts = Counter(name for features in seen for name in features)
        groups: dict[str, set[str]] = defaultdict(set)
        for name in counts:
            if "=" in name:
                groups[name.partition("=")[0]].add(name)
        # Text that is another each time (a title, a comment) is no category.
        self._groups = {group: names for group, names in groups.items() if len(names) <= max(1, len(seen) / 3)}
        self.names: list[str] = []
        self._ranges: dict[str, tuple[float, float]] = {}
        columns: set[bytes] = set()
        for name in sorted(counts):
            group, is_category, _ = name.partition("=")
            if is_category and (group not in self._groups or counts[name] < _LEAST_OF_A_CATEGORY):
                continue
            column = _squeezed([features.get(name, 0.0) for features in seen])
            if not is_category:
                self._ranges[name] = (float(column.min()), float(column.max()))
            if np.ptp(column) > 0 and column.tobytes() not in columns:
                columns.add(column.tobytes())
                self.names.append(name)

    def matrix(self, seen: Sequence[Mapping[str, float]]) -> Array:
        """One row for each mapping."""
        rows = [[features.get(name, 0.0) for name in self.names] for features in seen]
        return _squeezed(rows).reshape(len(seen), len(self.names))

    def unseen(self, features: Mapping[str, float]) -> tuple[str, ...]:
        """Names of the features that lie beyond what was seen."""
        beyond = []
        for name, (least, most) in self._ranges.items():
            value, margin = float(_squeezed([features.get(name, 0.0)])[0]), _STRETCH * (most - least) + 1e-9
            if not least - margin <= value <= most + margin:
                beyond.append(name)
        for name in features:
            group, is_category, _ = name.partition("=")
            is_new = name not in self._groups.get(group, ()) if is_category else name not in self._ranges
            if is_new and (not is_category or group in self._groups):
                beyond.append(group)
        return tuple(sorted(set(beyond)))


class UsageModel:
    """Foretells usage from features; fitted once, from at least `LEAST_OBSERVATIONS` observations, oldest first."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        seen = observations[-MOST_OBSERVATIONS:]
        self.observations = len(seen)
        self._columns = Columns([one.features for one in seen])
        inputs = self._columns.matrix([one.features for one in seen])
        self._centre = inputs.mean(axis=0)
        self._spread = np.maximum(inputs.std(axis=0), 1e-9)
        used = np.array([[max(one.usage.get(name, 0.0), _TINY) for name in QUANTITIES] for one in seen])
        logs = np.log(used)
        self._level, self._scale = logs.mean(axis=0), np.maximum(logs.std(axis=0), _LEAST_NOISE)
        ages = np.arange(len(seen))[::-1]
        weights = 0.5 ** (ages / _HALF_LIFE)
        self._fit((inputs - self._centre) / self._spread, (logs - self._level) / self._scale, weights)

    def forecast(self, features: Mapping[str, float]) -> Forecast:
        """What a use with `features` will take."""
        inputs = (self._columns.matrix([features]) - self._centre) / self._spread
        mean, deviation = self._predict(inputs)
        middle = mean + self._shift * deviation

        def at(score: float) -> dict[str, float]:
            logs = self._level + self._scale * (middle + score * deviation)
            return dict(zip(QUANTITIES, np.exp(np.clip(logs, -30, 60)).tolist(), strict=True))

        return Forecast(p50=at(0.0), p95=at(self._p95), upper=at(self._upper), unseen=self._columns.unseen(features))

    def _fit(self, inputs: Array, targets: Array, weights: Array) -> None:
        if inputs.shape[1] and len(inputs) > LEAST_OBSERVATIONS:
            self._process: Any = _process(inputs, targets, weights)
            covariance = self._process.kernel_(inputs) + np.diag(_noise(weights))
        else:
            # Nothing varied: a plain mean.
            self._process = None
            covariance = np.ones((len(inputs), len(inputs))) + np.diag(1.0 / weights)
        inverse = np.linalg.inv(covariance)
        self._inverse = inverse
        # Without what its age adds: the next one will be young.
        spread = np.sqrt(np.maximum(1 / np.diag(inverse) - _noise(weights), 1e-6))
        missed = (inverse @ targets) / np.diag(inverse)[:, None]
        self._targets = targets
        scores = missed / spread[:, None]
        lately = 0.5 ** (np.arange(len(inputs))[::-1] / _SHIFT_HALF_LIFE)
        self._shift = np.array([weighted_quantile(column, lately, 0.5) for column in scores.T])
        worst = (scores - self._shift).max(axis=1)
        self._p95 = max(0.0, conformal_score(worst, weights, P95))
        self._upper = max(self._p95, conformal_score(worst, weights, UPPER))

    def _predict(self, inputs: Array) -> tuple[Array, Array]:
        if self._process is None:
            among = np.ones(len(self._targets))
            mean = among @ self._inverse @ self._targets
            return mean, np.full(len(QUANTITIES), math.sqrt(max(2 - float(among @ self._inverse @ among), 1e-9)))
        mean, deviation = self._process.predict(inputs, return_std=True)
        return mean[0], deviation[0]


def weighted_quantile(values: Array, weights: Array, level: float) -> float:
    """The least of `values` that `level` of the weight is not above."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, level - 1e-12)), len(values) - 1)])


def conformal_score(scores: Array, weights: Array, level: float) -> float:
    """The score that the next one stays within with probability `level`.

    Where there are too few scores to tell from them alone, Student's t over them tells, and at least the largest.
    """
    order = np.argsort(scores)
    reached = np.cumsum(weights[order]) / (weights.sum() + 1.0)
    at = int(np.searchsorted(reached, level - 1e-12))
    if at < len(scores):
        return float(scores[order][at])
    from scipy.stats import t

    count = len(scores)
    sigma = math.sqrt(float(np.mean(scores**2)) * count / (count - 1))
    return max(
        float(scores.max()), float(t.ppf(level, (count - 1) / _SCORES_A_FREEDOM)) * math.sqrt(1 + 1 / count) * sigma
    )


def _squeezed(values: Any) -> Array:
    """Signed logarithms: amounts of work span orders of magnitude."""
    array = np.asarray(values, dtype=np.float64)
    squeezed: Array = np.sign(array) * np.log1p(np.abs(array))
    return squeezed


def _noise(weights: Array) -> Array:
    return 1e-6 + 0.05 * (1 / weights - 1)


def _process(inputs: Array, targets: Array, weights: Array) -> Any:
    # Two seconds to import: paid by the first who learns, not by every start of the service.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    reach = math.sqrt(inputs.shape[1])
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(reach, (reach / 10, reach * 100)) + WhiteKernel(0.1, (1e-3, 2.0))
    made = GaussianProcessRegressor(kernel, alpha=_noise(weights))
    with warnings.catch_warnings():
        # A length at the end of its range is an answer: the feature hardly matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return made.fit(inputs, targets)
