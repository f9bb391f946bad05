"""What the platform's own runs of the scenarios show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swath.contract.comparison import Comparison

from swath_marketplace.domain.benchmarks import ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.criteria.protocol import Finding, criterion, named
from swath_marketplace.domain.evidence import Evidence
from swath_marketplace.domain.runs import RunStatus

#: Of the runs of one scenario: two from the same lock, in a clean room each.
_TWICE = 2


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Executable:
    """It has run to its end in a sandbox that holds nothing but the archive and its locked environment."""

    key: ClassVar[str] = "executable"
    title: ClassVar[str] = "Runs in a clean sandbox"

    def check(self, evidence: Evidence) -> Finding:
        """Whether a run of it has finished, here, where runs are isolated."""
        rounds = [
            run_id
            for scenario in evidence.accepting
            if (result := evidence.results.get(scenario.name)) and result.outcome is ScenarioOutcome.GREEN
            for run_id in result.run_ids
        ]
        finished = rounds + [run.run_id for run in evidence.runs if run.outcome is RunStatus.FINISHED]
        if not evidence.sandboxed:
            told, mend = "runs are not isolated here", "have the operator bring the sandbox back (swath doctor)"
        else:
            told = f"run {finished[0]} finished" if finished else "no run of it has finished"
            mend = "run it once, or put a scenario beside it that the platform runs"
        return Finding(
            met=evidence.sandboxed and bool(finished),
            told=told,
            mend=mend,
            evidence={"run": finished[0] if finished else None, "sandboxed": evidence.sandboxed},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class CostTold:
    """Callers know about how much an example costs: what it cost the platform."""

    key: ClassVar[str] = "cost-told"
    title: ClassVar[str] = "Approximate cost of an example"

    def check(self, evidence: Evidence) -> Finding:
        """Whether a scenario's runs were paid for, so that their cost is known."""
        costs = {
            scenario.name: result.cost_millicredits
            for scenario in evidence.accepting
            if (result := evidence.results.get(scenario.name)) and result.cost_millicredits is not None
        }
        first = next(iter(costs), None)
        return Finding(
            met=bool(costs),
            told=f"{first} costs about {costs[first] / 1000:g} credits" if first else "no example was run and paid for",
            mend="put a scenario with outputs into scenarios/; its cost is known after the platform's next round",
            evidence={"millicredits": dict(list(costs.items())[:20])},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Scenarios:
    """Scenarios say what has to come back, and the references lie beside them as they say."""

    key: ClassVar[str] = "scenarios"
    title: ClassVar[str] = "Benchmark scenarios with references"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether there are enough scenarios with outputs, each reference there by path and sha256."""
        files = evidence.dossier.files if evidence.dossier else {}
        absent = [
            f"{scenario.name}.{name}"
            for scenario in evidence.accepting
            for name, expected in scenario.outputs.items()
            if files.get(expected.reference) != expected.sha256
        ]
        count = len(evidence.accepting)
        told = f"{count} scenarios have reference outputs; asked for: {self.least}"
        return Finding(
            met=count >= self.least and not absent,
            told=f"no reference, or another file than it says: {named(absent)}" if absent else told,
            mend="put scenarios/<name>.yaml and its references/<name>/… beside the notebook, with their sha256,"
            " and publish the folder",
            evidence={"scenarios": [one.name for one in evidence.accepting][:20], "absent": absent[:20]},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmarks:
    """The platform ran the scenarios, and what came back is what the references say, within their tolerances."""

    key: ClassVar[str] = "benchmarks"
    title: ClassVar[str] = "Scenarios bring back their references"
    least: int
    """So many scenarios with outputs are green at least."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether none is broken and enough are green; one that only differs from run to run is `Repeatable`'s."""
        results = _results(evidence)
        broken = {name: result for name, result in results.items() if _broken(result)}
        green = [name for name in results if name not in broken]
        if broken:
            told = "; ".join(f"{name}: {result.message}" for name, result in list(broken.items())[:3])
        else:
            told = f"{len(green)} scenarios brought back their references; asked for: {self.least}"
        return Finding(
            met=not broken and len(green) >= self.least,
            told=told,
            mend="see the round's differences (swath benchmark), then publish what mends them, or mend the reference"
            if broken
            else "wait for the platform's next round, or ask for one (swath benchmark)",
            evidence={
                "green": green[:20],
                "broken": {
                    name: {
                        "message": result.message,
                        "cell": result.cell,
                        "outputs": {key: one.verdict.value for key, one in result.comparisons.items()},
                        "runs": list(result.run_ids),
                    }
                    for name, result in list(broken.items())[:20]
                },
            },
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class Repeatable:
    """Two runs from the same lock, in a clean room each, bring back the same."""

    key: ClassVar[str] = "repeatable"
    title: ClassVar[str] = "Two runs bring back the same"

    def check(self, evidence: Evidence) -> Finding:
        """Whether every scenario that was run was run twice, and the second's outputs are the first's."""
        results = {name: one for name, one in _results(evidence).items() if one.comparisons or one.repeated}
        once = [name for name, one in results.items() if len(one.run_ids) < _TWICE or not one.repeated]
        apart = [
            f"{name}.{output}: {comparison.message}"
            for name, one in results.items()
            for output, comparison in one.repeated.items()
            if not comparison.verdict.same
        ]
        if apart:
            told = named(apart)
        else:
            told = f"run once only: {named(once)}" if once else f"{len(results)} scenarios were run twice"
        return Finding(
            met=bool(results) and not once and not apart,
            told=told if results else "no scenario was run twice yet",
            mend="seed what is random, take no time of day into a result, sort sets; or declare a tolerance"
            if apart
            else "wait for the platform's next round, or ask for one (swath benchmark)",
            evidence={
                "runs": {name: list(one.run_ids) for name, one in list(results.items())[:20]},
                "apart": apart[:20],
            },
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class WrongInputsRefused:
    """What cannot give a sound result is refused, and says why."""

    key: ClassVar[str] = "wrong-inputs-refused"
    title: ClassVar[str] = "Wrong inputs are refused"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough scenarios that must be refused were, and none was let through."""
        results = {one.name: evidence.results.get(one.name) for one in evidence.refusing}
        through = [name for name, one in results.items() if one and one.outcome is ScenarioOutcome.RED]
        right = [name for name, one in results.items() if one and one.outcome is ScenarioOutcome.GREEN]
        told = f"{len(right)} wrong calls were refused as they had to be; asked for: {self.least}"
        return Finding(
            met=not through and len(right) >= self.least,
            told=f"not refused as it had to be: {named(through)}" if through else told,
            mend="raise with a sentence that says what is wrong, before anything is computed"
            if through
            else "put a scenario with `refused:` into scenarios/: parameters that cannot give a sound result",
            evidence={"refused": right[:20], "let_through": through[:20]},
        )


def _results(evidence: Evidence) -> Mapping[str, ScenarioResult]:
    """Results of the scenarios that bring something back."""
    names = [scenario.name for scenario in evidence.accepting]
    return {name: evidence.results[name] for name in names if name in evidence.results}


def _broken(result: ScenarioResult) -> bool:
    """Whether a result is red for another reason than that its two runs differ."""
    if result.outcome is not ScenarioOutcome.RED:
        return False
    return _differs(result.comparisons) or not _differs(result.repeated)


def _differs(comparisons: Mapping[str, Comparison]) -> bool:
    return any(not one.verdict.same for one in comparisons.values())
