"""What came of a scenario: a pure judgement over its runs and what the comparisons of their outputs found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import median

from swath.contract.comparison import Comparison, Verdict
from swath.contract.scenarios import Refused, Scenario

from swath_marketplace.domain.benchmarks import ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.runs import Run, RunStatus, SettlementKind

#: How a run ends for the sake of its wallet, which says nothing about the version.
_WALLET_CODES = frozenset({"budget-reached", "credits-exhausted", "hold-gone"})
_LONGEST_MESSAGE = 600


def missing(scenario: Scenario, collections: Collection[str]) -> tuple[str, ...]:
    """What `scenario` needs and the archive next door lacks."""
    return tuple(name for name in scenario.needs if name not in collections)


def passed_over(scenario: Scenario, lacking: Sequence[str]) -> ScenarioResult:
    """The result of a scenario that this archive cannot run."""
    return _result(scenario, ScenarioOutcome.PASSED_OVER, f"the archive next door lacks {', '.join(lacking)}")


def unknown(scenario: Scenario, why: str, runs: Sequence[Run] = ()) -> ScenarioResult:
    """The result of a scenario about which nothing was learnt."""
    return _result(scenario, ScenarioOutcome.UNKNOWN, why, runs)


def red(scenario: Scenario, why: str, runs: Sequence[Run] = (), *, cell: int | None = None) -> ScenarioResult:
    """The result of a scenario that the version does not do."""
    return _result(scenario, ScenarioOutcome.RED, why, runs, cell=cell)


def of_parameters(scenario: Scenario, findings: Sequence[str]) -> ScenarioResult | None:
    """The result as far as the parameters alone tell it; ``None`` when runs have to tell.

    Parameters
    ----------
    findings
        What the check of the parameters says of each that is wrong.
    """
    refused = scenario.refused
    if refused is not None and refused.code == "invalid":
        return _refused_before(scenario, refused, findings)
    if findings:
        return red(scenario, f"the parameters do not fit the interface: {'; '.join(findings)}")
    return None


def of_failure(scenario: Scenario, run: Run) -> ScenarioResult:
    """The result of a scenario whose run has to be refused by the notebook itself.

    Raises
    ------
    ValueError
        The run goes on, or nothing is to be refused.
    """
    refused = scenario.refused
    if refused is None or not run.terminal:
        raise ValueError(f"scenario {scenario.name}: nothing to judge")
    fault = _not_the_versions(run)
    if fault:
        return unknown(scenario, fault, [run])
    error = run.error
    if error is None:
        return red(scenario, "the call finished, and had to be refused", [run])
    if error.code != refused.code:
        return red(scenario, f"the run ended with {error.code}, and had to with {refused.code}", [run], cell=error.cell)
    if refused.message not in f"{error.message}\n{error.traceback or ''}":
        why = f"the call was refused, but not with {refused.message!r}: {error.message}"
        return red(scenario, why, [run], cell=error.cell)
    return _result(scenario, ScenarioOutcome.GREEN, "the notebook refused the call as it has to", [run])


def of_unfinished(scenario: Scenario, runs: Sequence[Run]) -> ScenarioResult | None:
    """The result when one of `runs` did not finish; ``None`` when all did and have every output that is expected."""
    for run in runs:
        fault = _not_the_versions(run)
        if fault:
            return unknown(scenario, fault, runs)
        if run.error is not None:
            where = "" if run.error.cell is None else f"cell {run.error.cell}: "
            why = f"{where}{run.error.message} ({run.error.code})"
            return red(scenario, why, runs, cell=run.error.cell)
        there = {output.name for output in run.outputs}
        absent = [name for name in scenario.outputs if name not in there]
        if absent:
            return red(scenario, f"the run brought no output {', '.join(absent)}", runs)
    return None


def of_outputs(
    scenario: Scenario,
    runs: Sequence[Run],
    *,
    comparisons: Mapping[str, Comparison],
    repeated: Mapping[str, Comparison],
) -> ScenarioResult:
    """The result of a scenario whose runs all finished."""
    for name in scenario.outputs:
        for found, against in ((comparisons, "its reference"), (repeated, "the first run's, when it ran again")):
            comparison = found.get(name)
            if comparison is None:
                why = f"output {name} was not compared with {against}"
                return _result(scenario, ScenarioOutcome.UNKNOWN, why, runs, comparisons=comparisons, repeated=repeated)
            if not comparison.verdict.same:
                why = f"output {name} differs from {against}: {comparison.message}"
                return _result(scenario, ScenarioOutcome.RED, why, runs, comparisons=comparisons, repeated=repeated)
    exact = all(one.verdict is Verdict.IDENTICAL for one in (*comparisons.values(), *repeated.values()))
    why = "every output is as its reference" if exact else "every output is within its tolerance"
    return _result(scenario, ScenarioOutcome.GREEN, why, runs, comparisons=comparisons, repeated=repeated)


def _refused_before(scenario: Scenario, refused: Refused, findings: Sequence[str]) -> ScenarioResult:
    if not findings:
        return red(scenario, "the parameters were accepted, and had to be refused")
    told = "; ".join(findings)
    if refused.message not in told:
        return red(scenario, f"the parameters were refused, but not with {refused.message!r}: {told}")
    return _result(scenario, ScenarioOutcome.GREEN, f"refused as it has to be: {told}")


def _not_the_versions(run: Run) -> str | None:
    """Why `run` says nothing about its version; ``None`` when it does."""
    if run.settlement is SettlementKind.REFUSED:
        return f"the platform's wallet did not pay: {run.refusal.message if run.refusal else 'no reason was given'}"
    if run.outcome is RunStatus.CANCELED:
        return "the run was canceled"
    if run.platform_fault or (run.error is not None and run.error.code in _WALLET_CODES):
        return f"the platform was at fault: {run.error.message if run.error else 'no reason was given'}"
    return None


def _result(
    scenario: Scenario,
    outcome: ScenarioOutcome,
    message: str,
    runs: Sequence[Run] = (),
    *,
    cell: int | None = None,
    comparisons: Mapping[str, Comparison] | None = None,
    repeated: Mapping[str, Comparison] | None = None,
) -> ScenarioResult:
    seconds = [run.usage.wall_seconds for run in runs if run.usage is not None]
    costs = [run.cost_millicredits for run in runs if run.cost_millicredits is not None]
    return ScenarioResult(
        scenario=scenario.name,
        outcome=outcome,
        message=message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…",
        run_ids=tuple(run.id for run in runs),
        comparisons=dict(comparisons or {}),
        repeated=dict(repeated or {}),
        cell=cell,
        wall_seconds=round(median(seconds), 3) if seconds else None,
        cost_millicredits=round(median(costs)) if costs else None,
    )
