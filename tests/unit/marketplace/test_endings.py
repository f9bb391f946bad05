"""What is seen outside decides; a claim never turns a bad end into a good one, nor a paid one into a free one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.domain.endings import Claim, ProcessEnd, judge
from swath_marketplace.domain.runs import ErrorInfo, RunStatus
from swath_marketplace.executors.fake import process_end

GOOD = Claim(finished=True, error=None)


def claimed(code: str, cell: int | None = 2) -> Claim:
    return Claim(finished=False, error=ErrorInfo(code=code, message="said inside", cell=cell))


CASES = {
    "finished": (process_end(), GOOD, False, RunStatus.FINISHED, None, False),
    "failed cell": (process_end(exit_code=1), claimed("cell-failed"), False, RunStatus.ERROR, "cell-failed", False),
    "sys.exit": (process_end(exit_code=1), claimed("exited-early"), False, RunStatus.ERROR, "exited-early", False),
    "says finished, exit 1": (process_end(exit_code=1), GOOD, False, RunStatus.ERROR, "killed", False),
    "says finished, out of time": (process_end(reason="time-limit"), GOOD, False, RunStatus.ERROR, "time-limit", False),
    "memory": (process_end(reason="memory-limit"), None, False, RunStatus.ERROR, "memory-limit", False),
    "disk": (process_end(reason="disk-limit"), claimed("cell-failed"), False, RunStatus.ERROR, "disk-limit", False),
    "kernel killed for memory": (
        process_end(exit_code=1, oom_kills=1),
        claimed("kernel-died"),
        False,
        RunStatus.ERROR,
        "memory-limit",
        False,
    ),
    "kernel died": (process_end(exit_code=1), claimed("kernel-died"), False, RunStatus.ERROR, "kernel-died", False),
    "no report": (process_end(exit_code=-9), None, False, RunStatus.ERROR, "killed", False),
    "no report, killed for memory": (
        process_end(exit_code=-9, oom_kills=2),
        None,
        False,
        RunStatus.ERROR,
        "memory-limit",
        False,
    ),
    "lost": (None, GOOD, False, RunStatus.ERROR, "runner-lost", True),
    "lost while canceled": (None, None, True, RunStatus.CANCELED, None, True),
    "canceled": (process_end(reason="stopped"), claimed("canceled"), True, RunStatus.CANCELED, None, False),
    "stopped by nobody's wish": (process_end(reason="stopped"), None, False, RunStatus.ERROR, "killed", True),
    "finished just before the cancel": (process_end(), GOOD, True, RunStatus.FINISHED, None, False),
    "not started": (process_end(reason="failed-to-start"), None, False, RunStatus.ERROR, "failed-to-start", True),
    "warden failed": (process_end(reason="warden-failed"), GOOD, False, RunStatus.ERROR, "runner-lost", True),
    "claims the platform's fault": (
        process_end(exit_code=1),
        claimed("runner-lost"),
        False,
        RunStatus.ERROR,
        "killed",
        False,
    ),
    "claims our mistake": (process_end(exit_code=1), claimed("internal"), False, RunStatus.ERROR, "internal", False),
    "claims to be canceled": (process_end(exit_code=1), claimed("canceled"), False, RunStatus.ERROR, "killed", False),
}


@pytest.mark.parametrize("case", CASES)
def test_judgement(case: str) -> None:
    end, claim, cancel, outcome, code, fault = CASES[case]
    ending = judge(end=end, claim=claim, cancel_wanted=cancel, declared=["ndvi"], found={"ndvi"})
    assert (ending.outcome, ending.error and ending.error.code, ending.platform_fault) == (outcome, code, fault)


def test_a_missing_declared_output_is_an_error_that_names_it() -> None:
    ending = judge(end=process_end(), claim=GOOD, cancel_wanted=False, declared=["a", "b"], found={"a"})
    assert ending.error
    assert (ending.error.code, "b" in ending.error.message) == ("output-missing", True)


def test_the_cell_is_kept_when_a_limit_decides() -> None:
    ending = judge(
        end=process_end(reason="time-limit"), claim=claimed("time-limit", 4), cancel_wanted=False, declared=[], found=()
    )
    assert ending.error
    assert ending.error.cell == 4


ENDS = st.builds(
    process_end,
    reason=st.sampled_from(["exited", "time-limit", "memory-limit", "disk-limit", "stopped", "failed-to-start"]),
    exit_code=st.sampled_from([0, 1, -9, None]),
    oom_kills=st.integers(0, 2),
)
CLAIMS = st.sampled_from([None, GOOD, *map(claimed, ["cell-failed", "internal", "runner-lost", "canceled", "killed"])])


@given(end=ENDS | st.none(), claim=CLAIMS, cancel=st.booleans(), found=st.sets(st.sampled_from(["a", "b"])))
def test_nothing_but_a_whole_clean_end_is_finished(
    end: ProcessEnd | None, claim: Claim | None, cancel: bool, found: set[str]
) -> None:
    ending = judge(end=end, claim=claim, cancel_wanted=cancel, declared=["a", "b"], found=found)
    clean = end is not None and end.reason == "exited" and end.exit_code == 0 and claim == GOOD and found == {"a", "b"}
    assert (ending.outcome is RunStatus.FINISHED) == clean
    assert (ending.error is not None) == (ending.outcome is RunStatus.ERROR)
    # Whatever is claimed, the fault of the platform does not depend on it.
    other = judge(end=end, claim=GOOD, cancel_wanted=cancel, declared=["a", "b"], found=found)
    assert ending.platform_fault == other.platform_fault
