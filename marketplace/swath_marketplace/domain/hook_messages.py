"""What is told of a change: pure functions from what was and what is to messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.hooks import Message, Topic
from swath_marketplace.domain.runs import Run, RunPurpose, RunStatus

#: Progress is told once in every tenth of the way.
_STEPS = 10
_LONGEST_TEXT = 2000
_ENDS = {
    RunStatus.FINISHED: Topic.RUN_FINISHED,
    RunStatus.ERROR: Topic.RUN_ERROR,
    RunStatus.CANCELED: Topic.RUN_CANCELED,
}


def of_run(before: Run, run: Run, *, now: datetime) -> Sequence[Message]:
    """What is told when `before` has become `run`. Each message's key follows from the run: told again, it is the same.

    Benchmarks are the platform's own affair.
    """
    if run.purpose is RunPurpose.BENCHMARK:
        return ()
    if run.terminal and not before.terminal:
        at = run.ended_at or now
        outputs = [_message(run, Topic.RUN_OUTPUT, one.name, at=at, output=one.as_dict()) for one in run.outputs]
        assert run.outcome is not None
        return (*outputs, _message(run, _ENDS[run.outcome], at=at))
    if run.status is RunStatus.RUNNING and before.status is not RunStatus.RUNNING:
        return (_message(run, Topic.RUN_START, at=run.started_at or now),)
    if run.status is RunStatus.RUNNING and _step(run) > _step(before):
        return (_message(run, Topic.RUN_PROGRESS, str(_step(run)), at=now),)
    return ()


def of_notice(notice: Notice) -> Message:
    """What is told of a notice."""
    return Message(
        key=f"notice:{notice.id}",
        topic=Topic.NOTICE,
        user=notice.user,
        at=notice.at,
        data={"notice": {"id": notice.id, "kind": notice.kind.value, "text": notice.text, "link": notice.link}},
    )


def body_of(message: Message) -> str:
    """The message in the standard form: ``type``, ``timestamp``, ``data``."""
    told = {"type": message.topic.type, "timestamp": iso(message.at), "data": dict(message.data)}
    return _written(told)


def led_here(body: str, service_url: str) -> str:
    """`body` with addresses in place of its paths below this service, which say nothing to who reads them elsewhere.

    Done when it is sent: what is kept knows nothing of the address that the service has meanwhile.

    Parameters
    ----------
    service_url
        Scheme, host and path of the service, without a last slash; empty where it does not know them.
    """
    if not service_url:
        return body
    told = json.loads(body)
    for part in (told["data"].get("run"), told["data"].get("notice")):
        if part and part.get("link"):
            part["link"] = f"{service_url}/{part['link']}"
    return _written(told)


def _written(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _step(run: Run) -> int:
    return int(run.progress * _STEPS)


def _message(run: Run, topic: Topic, which: str = "", *, at: datetime, **more: Any) -> Message:
    return Message(
        key=f"run:{run.id}:{topic.value}:{which}",
        topic=topic,
        user=run.caller,
        at=at,
        data={"run": summary(run), **more},
        algorithm=f"{run.owner}/{run.name}",
        run_id=run.id,
    )


def summary(run: Run) -> dict[str, Any]:
    """A run in a few words: neither parameters nor results, which whoever may read them asks for."""
    wrong = run.error or run.refusal
    return {
        "id": run.id,
        "algorithm": f"{run.owner}/{run.name}",
        "version": run.version,
        "status": run.status.value,
        "progress": round(run.progress, 3),
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "cost_millicredits": run.cost_millicredits,
        "error": {"code": wrong.code, "message": wrong.message[:_LONGEST_TEXT]} if wrong else None,
        "link": f"runs/{run.id}",
    }
