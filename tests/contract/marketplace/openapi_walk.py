"""A walk through the doors, from publishing to a reproduction; the OpenAPI document's examples are recorded from it.

Run as a program it writes them: ``python tests/contract/marketplace/openapi_walk.py``. A new door's example is one more
`Step`. The test beside this file takes the same walk and holds what comes against the document.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import httpx
from swath_marketplace.executors import outgoing
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import World, make_world, notebook, write_environment

EXAMPLES = Path(__file__).parents[3] / "marketplace/swath_marketplace/api/openapi/examples.json"
START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)

NOTEBOOK = notebook(
    "import swath\n\nswath.emit('mean', {'value': 0.62, 'year': year})",
    parameters="# Year to look at\nyear: int = 2025\n# Percent of clouds that a scene may have\nclouds: float = 20.0",
    name="mean-ndvi",
    title="Mean NDVI of a year",
    summary="One number for the greenness of the demonstration area in a year.",
    keywords=["vegetation", "ndvi"],
)
VERSION = {"owner": "ada", "name": "mean-ndvi", "version": "1.0.0"}
ALGORITHM = {"owner": "ada", "name": "mean-ndvi"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of the walk."""

    door: str
    """The operation's id."""
    who: str = "bob"
    path: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the path; a value ``$door/member`` is that of an earlier answer."""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    files: Any = None
    look: bool = False
    """Whether runs are brought to their ends first."""


CALL = {"algorithm": "ada/mean-ndvi@^1", "parameters": {"year": 2025}}
RUN = {"run_id": "$create_run/id"}
OTHER = {"run_id": "$get_reproduction/run"}
WEBHOOK = {"webhook_id": "$add_webhook/id"}
REASON = {"reason": "Scenes of another sensor were read"}

WALK = (
    Step(door="health"),
    Step(door="about"),
    Step(door="list_environments"),
    Step(door="validate_notebook", who="ada", body={"notebook": NOTEBOOK}),
    Step(door="publish_version", who="ada", body={"notebook": NOTEBOOK, "version": "1.0.0"}),
    Step(door="search_algorithms", query={"q": "ndvi"}),
    Step(door="get_algorithm", path=ALGORITHM),
    Step(door="get_version", path=VERSION),
    Step(door="get_notebook", path=VERSION),
    Step(door="get_schema", path=VERSION),
    Step(door="put_dossier", who="ada", path=VERSION, files=[("files", ("README.md", b"# Mean NDVI\n"))]),
    Step(door="get_dossier", path=VERSION),
    Step(door="get_dossier_file", path={**VERSION, "path": "README.md"}),
    Step(door="get_price", path=ALGORITHM),
    Step(door="quote_run", body=CALL),
    Step(door="create_run", body={**CALL, "budget_millicredits": 2500}),
    Step(door="list_runs", query={"limit": 1}, look=True),
    Step(door="get_run", path=RUN),
    Step(door="cancel_run", path=RUN),
    Step(door="follow_run", path=RUN),
    Step(door="get_log", path=RUN),
    Step(door="list_results", path=RUN),
    Step(door="get_result", path={**RUN, "name": "mean"}),
    Step(door="head_result", path={**RUN, "name": "mean"}),
    Step(door="share_run", path=RUN, body={"days": 7}),
    Step(door="list_shares", path=RUN),
    Step(door="unshare_run", path={**RUN, "share_id": "$share_run/id"}),
    Step(door="get_receipt", path=RUN),
    Step(door="get_prov", path=RUN),
    Step(door="get_ro_crate", path=RUN),
    Step(door="get_cdse_trace", path=RUN),
    Step(door="get_stac_item", path=RUN),
    Step(door="list_keys"),
    Step(door="get_checkpoint"),
    Step(door="list_log_entries"),
    Step(door="get_consistency", query={"from": 1, "to": 1}),
    Step(door="get_inclusion", query={"hash": "$list_log_entries/entries/0/leaf_sha256"}),
    Step(door="find_receipts", path={"sha256": "$list_results/0/sha256"}),
    Step(door="get_lineage_of_run", path=RUN),
    Step(door="get_lineage_of_file", path={"sha256": "$list_results/0/sha256"}),
    Step(door="reproduce_run", path=RUN, body={"budget_millicredits": 3000}),
    Step(door="reproduce_receipt", body={"receipt": "$get_receipt"}),
    Step(door="list_reproductions", look=True),
    Step(door="list_reproductions_of_run", path=RUN),
    Step(door="get_reproduction", path={"reproduction_id": "$reproduce_run/id"}),
    Step(door="compare_runs", path=RUN, query={"with": "$get_reproduction/run"}),
    Step(door="compare_versions", path=VERSION, query={"with": "1.0.0"}),
    Step(door="get_maturity", path=VERSION),
    Step(
        door="review_version",
        path=VERSION,
        body={
            "kind": "functional",
            "verdict": "approve",
            "text": "Compared with a mean made by hand from the same four scenes: the same to the third decimal.",
        },
    ),
    Step(door="list_reviews", path=VERSION),
    Step(door="list_assessments", path=VERSION),
    Step(
        door="mark_maturity", who="root", path=VERSION, body={"level": "prototype", "reason": "Its licence is unclear"}
    ),
    Step(door="list_rounds", path=VERSION),
    Step(door="get_drift", path=VERSION),
    Step(door="list_breaks"),
    Step(door="list_notices"),
    Step(door="read_notices", body={"until": "2026-05-04T12:00:00Z"}),
    Step(door="get_card", path=ALGORITHM),
    Step(door="get_citation", path=VERSION),
    Step(door="get_bibtex", path=VERSION),
    Step(door="get_datacite", path=VERSION),
    Step(door="add_favourite", path=ALGORITHM),
    Step(door="follow_algorithm", path=ALGORITHM),
    Step(door="list_favourites"),
    Step(door="get_favourite", path=ALGORITHM),
    Step(door="get_follow", path=ALGORITHM),
    Step(door="remove_favourite", path=ALGORITHM),
    Step(door="unfollow_algorithm", path=ALGORITHM),
    Step(door="list_external"),
    Step(door="get_dashboard", who="ada"),
    Step(door="get_operators_dashboard", who="root"),
    Step(
        door="report",
        body={
            "algorithm": "ada/mean-ndvi",
            "kind": "wrong-results",
            "text": "The mean counts scenes of another sensor, see the log.",
        },
    ),
    Step(door="list_reports"),
    Step(door="get_report", path={"report_id": "$report/id"}),
    Step(
        door="answer_report",
        who="root",
        path={"report_id": "$report/id"},
        body={"state": "upheld", "answer": "It was so; mended in 1.1.0"},
    ),
    Step(
        door="reply_to_review",
        who="ada",
        path={**VERSION, "review": 1},
        body={"text": "Thank you; the scenes by which it was compared stand beside it now."},
    ),
    Step(door="withhold_review", who="root", path={**VERSION, "review": 1}, body={"reason": "It named a person"}),
    Step(door="export_account"),
    Step(door="list_exports"),
    Step(door="get_export", path={"work_id": "$export_account/id"}),
    Step(door="list_imports"),
    Step(door="list_imported_runs"),
    Step(door="get_provenance", path=VERSION),
    Step(door="add_webhook", body={"url": "https://example.org/swath", "events": ["run.end"]}),
    Step(door="list_webhooks"),
    Step(door="get_webhook", path=WEBHOOK),
    Step(door="change_webhook", path=WEBHOOK, body={"description": "Tells the team"}),
    Step(door="rotate_webhook_secret", path=WEBHOOK, body={"overlap_hours": 1}),
    Step(door="test_webhook", path=WEBHOOK),
    Step(door="list_deliveries", path=WEBHOOK),
    Step(door="get_delivery", path={**WEBHOOK, "delivery_id": "$test_webhook/id"}),
    Step(door="redeliver", path={**WEBHOOK, "delivery_id": "$test_webhook/id"}),
    Step(door="delete_webhook", path=WEBHOOK),
    Step(door="rotate_key", who="root", body={"reason": "A year has passed"}),
    Step(door="revoke_key", who="root", path={"key": "$list_keys/keys/0/id"}, body={"reason": "It was copied"}),
    Step(door="hide_algorithm", who="root", path=ALGORITHM, body=REASON),
    Step(door="unhide_algorithm", who="root", path=ALGORITHM, body=REASON),
    Step(door="list_acts", who="root"),
    Step(door="yank_version", who="ada", path=VERSION, body=REASON),
    Step(door="revoke_version", who="root", path=VERSION, body=REASON),
)


class Stepping:
    """A clock that goes a second with each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@contextmanager
def walking(folder: Path) -> Iterator[World]:
    """A marketplace to walk through."""
    write_environment(folder, python=sys.executable)
    # Names lead somewhere public, and nothing is ever sent there.
    leaves_not = patch.multiple(
        outgoing, look_up=lambda *_: ["93.184.215.14"], _Guarded=Mock(side_effect=OSError("nothing leaves a test"))
    )
    leaves_not.start()
    script = finishing(outputs={"mean": b'{"value": 0.62, "year": 2025}'})
    executor = FakeExecutor(RunFolders(folder / "marketplace" / "runs"), script=script)
    made = make_world(folder, executor=executor, clock=Stepping(), slots_cpus=4, slots_memory_mb=8192)
    try:
        yield made
    finally:
        leaves_not.stop()
        made.made.database.dispose()


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A step, and what came of it."""

    step: Step
    method: str
    template: str
    path: Mapping[str, Any]
    body: Any
    answer: httpx.Response


async def walk(world: World, document: Mapping[str, Any]) -> list[Taken]:
    """Take every step, in turn."""
    doors = {
        told["operationId"]: (method, path)
        for path, item in document["paths"].items()
        for method, told in item.items()
        if isinstance(told, dict)
    }
    known: dict[str, Any] = {}
    taken = []
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for step in WALK:
            if step.look:
                _look(world)
            method, template = doors[step.door]
            path, query, body = (_filled(given, known) for given in (dict(step.path), dict(step.query), step.body))
            answer = await client.request(
                method,
                template.format(**path),
                params=query,
                json=body,
                files=step.files,
                headers={"Authorization": f"Bearer {step.who}"},
            )
            if answer.content and "json" in answer.headers.get("content-type", ""):
                known[step.door] = answer.json()
            taken.append(
                Taken(step=step, method=method, template=template, path={**path, **query}, body=body, answer=answer)
            )
    return taken


def _look(world: World) -> None:
    for _ in range(60):
        world.made.reconciler.look()
        world.made.reproduction_keeper.look()
    world.made.results.look()


def _filled(given: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(given, dict):
        return {name: _filled(value, known) for name, value in given.items()}
    if not (isinstance(given, str) and given.startswith("$")):
        return given
    door, *members = given.removeprefix("$").split("/")
    found = known[door]
    for member in members:
        found = found[int(member)] if isinstance(found, list) else found[member]
    return found


def examples(taken: list[Taken]) -> dict[str, Any]:
    """What of the walk is shown in the document: bodies that are long to read are left out."""
    told: dict[str, Any] = {}
    for one in taken:
        entry: dict[str, Any] = told.setdefault(one.step.door, {})
        if one.path:
            entry["parameters"] = dict(one.path)
        if one.body is not None:
            entry["request"] = one.body
        if (
            one.answer.is_success
            and one.answer.content
            and "json" in one.answer.headers.get("content-type", "")
            and len(one.answer.content) < 12_000
        ):
            entry["answers"] = {str(one.answer.status_code): one.answer.json()}
    return {door: entry for door, entry in sorted(told.items()) if entry}


def main() -> None:
    """Record."""
    with tempfile.TemporaryDirectory() as folder, walking(Path(folder)) as world:
        taken = asyncio.run(walk(world, world.app().openapi()))
    for one in taken:
        if not one.answer.is_success:
            raise SystemExit(f"{one.step.door}: {one.answer.status_code} {one.answer.text[:500]}")
    EXAMPLES.write_text(json.dumps(examples(taken), indent=1, ensure_ascii=False) + "\n")
    print(f"{len(taken)} doors")


if __name__ == "__main__":
    main()
