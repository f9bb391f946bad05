"""Hiding and revoking, on SQLite and on PostgreSQL: what stops, what stays, who is told, and who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.errors import VersionRevoked
from swath_marketplace.domain.moderation import ActKind, Running
from swath_marketplace.domain.reproductions import CauseCode, Outcome
from swath_marketplace.domain.runs import Run, RunStatus, Stage
from swath_marketplace.services.reproductions import ReproductionRequest
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.breaks import BreakStore
from swath_marketplace.store.round_tables import breaks, rounds
from swath_marketplace.testing import World, notebook, operator, user
from swath_service.errors import Forbidden, NotFound

ADA, BOB, CYD, ROOT = user("ada"), user("bob"), user("cyd"), operator()
WHY = "reads the wrong band"


@pytest.fixture
def published(world: World) -> World:
    world.registry.publish(ADA, notebook())
    return world


def acts(world: World) -> Any:
    return world.made.context.moderation.acts


def ask(world: World, who: Any = BOB, path: str = "ada/double@1.0.0") -> Run:
    run, _ = world.runs.create(who, RunRequest(algorithm=path, parameters={"n": 1}))
    assert isinstance(run, Run)
    return run


def told(world: World, who: Any) -> list[tuple[str, str]]:
    found, _ = world.made.context.rounds.notices(who, limit=50)
    return [(one.kind.value, one.text) for one in found]


def test_a_revoked_version_starts_no_run_and_says_why_and_what_does(published: World) -> None:
    published.registry.publish(ADA, notebook("import swath\n\nswath.emit('double', {'value': n + n})"))
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    with pytest.raises(VersionRevoked, match=WHY) as caught:
        ask(published)
    assert (caught.value.code, caught.value.extra["next_version"]) == ("version-revoked", "1.0.1")
    assert "1.0.1" in caught.value.mend
    assert ask(published, path="ada/double@^1").version == "1.0.1"
    with pytest.raises(VersionRevoked, match=WHY):
        published.runs.quote(BOB, RunRequest(algorithm="ada/double@1.0.0", parameters={"n": 1}))


def test_what_was_revoked_is_not_published_again(published: World) -> None:
    acts(published).revoke(ADA, "ada/double@1.0.0", reason=WHY)
    with pytest.raises(VersionRevoked, match=WHY):
        published.registry.publish(ADA, notebook())


@pytest.mark.parametrize("running", [Running.STOP, Running.FINISH])
def test_waiting_runs_end_for_it_and_running_ones_as_the_operator_says(published: World, running: Running) -> None:
    fake = published.fake
    fake.hold_back = True
    going = ask(published)
    published.look_until(going.id, Stage.RUNNING)
    waiting = [ask(published) for _ in range(6)]
    published.made.reconciler.look()
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY, running=running)
    ended = [published.look_until(run.id) for run in waiting if published.run(run.id).stage is not Stage.RUNNING]
    assert ended
    for run in ended:
        assert (run.outcome, run.error.code if run.error else None) == (RunStatus.ERROR, "version-revoked")
        assert run.error
        assert WHY in run.error.message
        assert (run.cost_millicredits, run.usage, run.id in fake.starts) == (0, None, False)
    fake.hold_back = False
    if running is Running.FINISH:
        fake.let_end(going.id)
    over = published.look_until(going.id)
    if running is Running.STOP:
        assert over.error
        assert over.error.code == "version-revoked"
        assert (over.outcome, over.cost_millicredits) == (RunStatus.ERROR, 0)
    else:
        assert over.outcome is RunStatus.FINISHED
        assert over.cost_millicredits


def test_a_run_that_was_asked_for_in_the_moment_of_the_revocation_does_not_start(published: World) -> None:
    run = ask(published)
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    # As if it had been committed a moment later.
    with published.made.database.write() as connection:
        connection.execute(sa.text("UPDATE runs SET desired = 'finished', stopped_for = NULL"))
    over = published.look_until(run.id)
    assert over.error
    assert over.error.code == "version-revoked"
    assert (over.cost_millicredits, published.fake.starts) == (0, [])


def test_who_canceled_before_has_canceled(published: World) -> None:
    run = ask(published)
    published.runs.cancel(BOB, run.id)
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    assert published.look_until(run.id).outcome is RunStatus.CANCELED


def test_who_may_revoke(published: World) -> None:
    with pytest.raises(Forbidden) as caught:
        acts(published).revoke(BOB, "ada/double@1.0.0", reason=WHY)
    assert caught.value.code == "not-the-owner"
    # Or an author could make other people's computing free of charge.
    with pytest.raises(Forbidden) as caught:
        acts(published).revoke(ADA, "ada/double@1.0.0", reason=WHY, running=Running.STOP)
    assert caught.value.code == "operators-only"
    assert acts(published).revoke(ADA, "ada/double@1.0.0", reason=WHY).revoked_reason == WHY
    again = acts(published).revoke(ROOT, "ada/double@1.0.0", reason="another reason")
    assert again.revoked_reason == WHY
    log, total = acts(published).acts(ROOT, limit=10)
    assert [(one.kind, one.by, one.reason, one.sequence) for one in log] == [(ActKind.REVOKE, "ada", WHY, 1)]
    assert acts(published).acts(ADA, limit=10) == (log, total)
    assert acts(published).acts(BOB, limit=10) == ([], 0)


def test_a_yanked_version_can_be_revoked_and_both_are_for_good(published: World) -> None:
    published.registry.yank(ADA, "ada/double@1.0.0", reason="old")
    found = acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    assert (found.yank_reason, found.revoked_reason) == ("old", WHY)
    for column in ("revoked_at", "revoked_reason", "yanked_at"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="never changes"),
            published.made.database.write() as connection,
        ):
            connection.execute(sa.text(f"UPDATE versions SET {column} = NULL"))
    for statement in ("DELETE FROM moderation_acts", "UPDATE moderation_acts SET reason = 'x'"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="never changes"),
            published.made.database.write() as connection,
        ):
            connection.execute(sa.text(statement))


def test_whoever_called_it_lately_is_told_once_and_nobody_else(published: World) -> None:
    for who in (BOB, CYD):
        published.look_until(ask(published, who).id)
    long_ago = datetime.now(UTC) - timedelta(days=91)
    with published.made.database.write() as connection:
        connection.execute(
            sa.text("UPDATE runs SET created_at = :at WHERE caller = 'cyd'").bindparams(
                sa.bindparam("at", long_ago, type_=sa.DateTime(timezone=True))
            )
        )
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    assert [kind for kind, _ in told(published, BOB)] == ["revoked"]
    assert WHY in told(published, BOB)[0][1]
    assert [kind for kind, _ in told(published, ADA)] == ["revoked"]
    assert "bob" not in told(published, ADA)[0][1]
    assert told(published, CYD) == []


def test_receipts_from_before_stand_and_the_lineage_says_revoked_since(published: World) -> None:
    run = published.look_until(ask(published).id)
    before = published.made.context.trust.receipts.of(run.id)
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    assert before is not None
    assert published.made.context.trust.receipts.of(run.id) == before
    lineage = published.made.context.lineages.of_run(BOB, run.id)
    assert lineage.nodes[0].revoked_reason == WHY
    assert published.runs.result(BOB, run.id, "double")


def test_rounds_and_reproductions_refuse_likewise(published: World) -> None:
    run = published.look_until(ask(published).id)
    made, _ = published.made.context.reproductions.of_run(BOB, run.id, ReproductionRequest())
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    with pytest.raises(VersionRevoked, match=WHY):
        published.made.context.rounds.ask(ADA, "ada/double@1.0.0")
    published.made.reproduction_keeper.look()
    ended = published.made.context.reproductions.get(BOB, made.id)
    assert (ended.outcome, [cause.code for cause in ended.causes]) == (Outcome.CANNOT, [CauseCode.VERSION_REVOKED])
    assert WHY in ended.message


def test_what_is_broken_of_a_hidden_algorithm_is_not_told(published: World) -> None:
    store = BreakStore(published.made.database)
    version = published.registry.version(ADA, "ada/double@1.0.0")
    found = a_break(published, version)
    assert [one.id for one in store.list(limit=10)[0]] == [found]
    acts(published).hide(ROOT, "ada/double", reason=WHY)
    for who, sees in ((BOB, 0), (ADA, 1), (ROOT, 1)):
        assert published.made.context.rounds.breaks(who, limit=10)[1] == sees
    with pytest.raises(NotFound):
        published.made.context.rounds.get(BOB, found)
    assert published.made.context.rounds.get(ADA, found).order.id == found


def a_break(world: World, version: AlgorithmVersion) -> str:
    """A round of `version` that broke a scenario, both of one id."""
    fixed = {"algorithm_id": version.algorithm_id, "owner": "ada", "name": "double", "version": version.version}
    at = datetime.now(UTC)
    result = ScenarioResult(scenario="three", outcome=ScenarioOutcome.RED, message="it differs")
    with world.made.database.write() as connection:
        connection.execute(
            rounds.insert().values(
                **fixed,
                id="a1",
                version_digest=version.digest,
                dossier_digest="sha256:1",
                environment_lock_sha256=version.environment_lock_sha256,
                trigger="asked",
                asked_by="ada",
                asked_at=at,
                number=1,
                state="ended",
                started_at=at,
                ended_at=at,
            )
        )
        connection.execute(
            breaks.insert().values(
                **fixed,
                id="a1",
                version_digest=version.digest,
                scenario="three",
                round_id="a1",
                opened_at=at,
                result=result.as_dict(),
            )
        )
    return "a1"


def test_a_hidden_algorithm_is_there_for_its_author_and_operators_alone(published: World) -> None:
    run = published.look_until(ask(published).id)
    with pytest.raises(Forbidden):
        acts(published).hide(ADA, "ada/double", reason=WHY)
    assert acts(published).hide(ROOT, "ada/double", reason=WHY).hidden_reason == WHY
    overseer = user("olaf", scopes={"custom:swath:read", "custom:swath:oversee"})
    for who, sees in ((ADA, 1), (ROOT, 1), (overseer, 1), (BOB, 0)):
        assert published.registry.search(who, limit=10)[1] == sees
    with pytest.raises(NotFound) as hidden:
        published.registry.get(BOB, "ada/double")
    with pytest.raises(NotFound) as never:
        published.registry.get(BOB, "ada/other1")
    assert hidden.value.code == never.value.code == "no-such-algorithm"
    with pytest.raises(NotFound):
        ask(published)
    assert ask(published, ADA).version == "1.0.0"
    # What they had from it stays theirs.
    assert published.runs.get(BOB, run.id).id == run.id
    acts(published).hide(ROOT, "ada/double", reason="again")
    acts(published).unhide(ROOT, "ada/double", reason="mended")
    assert published.registry.get(BOB, "ada/double").hidden_at is None
    log, _ = acts(published).acts(ROOT, path="ada/double", limit=10)
    assert [(one.kind, one.reason) for one in log] == [(ActKind.UNHIDE, "mended"), (ActKind.HIDE, WHY)]
    assert [kind for kind, _ in told(published, ADA)] == ["hidden", "hidden"]


def test_what_follows_an_act_may_fail(published: World) -> None:
    seen: list[str] = []

    def fails(_: object) -> None:
        raise RuntimeError("no")

    acts(published).add_listener(fails)
    acts(published).add_listener(lambda act: seen.append(act.path))
    acts(published).revoke(ROOT, "ada/double@1.0.0", reason=WHY)
    assert seen == ["ada/double@1.0.0"]
