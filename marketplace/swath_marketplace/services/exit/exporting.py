"""An account's archive, written: everything of its author's and caller's, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version as version_of
from typing import Any, BinaryIO, Protocol

from pydantic import TypeAdapter
from swath.contract.bags import BagWriter
from swath.contract.digest import canonical_json
from swath.contract.times import moment
from swath_quota.client import NoSuchWallet, QuotaClient
from swath_quota.client import Statement as WalletPage
from swath_service.actor import Actor, Scope

from swath_marketplace.domain.account_archive import (
    FORMAT,
    INDEX,
    KEYS,
    SEAL,
    SEAL_TYPE,
    AccountDocument,
    ArchivedAlgorithm,
    ArchivedVersion,
    OriginPlace,
    version_folder,
)
from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.services.exit.documents import account_json, schema, written
from swath_marketplace.services.exit.exported_runs import RunExporter
from swath_marketplace.services.exit.exported_versions import VersionExporter
from swath_marketplace.services.signing import Keys
from swath_marketplace.store.added_value import PriceStore
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.assessments import ReviewStore
from swath_marketplace.store.runs import RunStore

_AT_ONCE = 200
_STATEMENT: TypeAdapter[WalletPage] = TypeAdapter(WalletPage)
#: Is told which part is at work, and how much of all is done, 0..1.
Progress = Callable[[str, float], None]


class Section(Protocol):
    """Something more that belongs to an account: favourites, follows, webhooks without their secrets."""

    def __call__(self, owner: str) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What went into an archive."""

    report: Mapping[str, Any]


class Exporter:
    """Writes archives. Reads only what is its owner's; what others may see of that makes no difference."""

    def __init__(
        self,
        *,
        algorithms: AlgorithmStore,
        versions: VersionExporter,
        prices: PriceStore,
        reviews: ReviewStore,
        run_store: RunStore,
        runs: RunExporter,
        quota: QuotaClient,
        keys: Keys,
        sections: Mapping[str, Section],
        clock: Clock,
    ) -> None:
        self._algorithms = algorithms
        self._versions = versions
        self._prices = prices
        self._reviews = reviews
        self._run_store = run_store
        self._runs = runs
        self._quota = quota
        self._keys = keys
        self._sections = sections
        self._clock = clock

    def write(self, owner: str, stream: BinaryIO, *, progress: Progress) -> Exported:
        """Write the archive of `owner` to `stream`.

        Raises
        ------
        ArtifactDamaged, KeyUnfit, Unavailable
            Nothing that was written may be handed out.
        """
        now, pen = self._clock(), self._keys.pen()
        bag = BagWriter(stream, name=f"swath-{owner}-{now:%Y%m%dT%H%M%SZ}")
        left_out: list[str] = []
        algorithms = self._algorithm_documents(bag, owner, left_out, progress=progress)
        runs = self._run_ids(bag, owner, left_out, progress=progress)
        progress("the wallet", 0.95)
        wallet = self._wallet(bag, owner)
        document = AccountDocument(
            format=FORMAT,
            exported_at=now,
            origin=OriginPlace(installation=pen.keys.origin, software=version_of("swath")),
            user=owner,
            algorithms=tuple(algorithms),
            reviews_given=tuple(_given(*one) for one in self._reviews.given_by(owner)),
            runs=tuple(runs),
            wallet=wallet,
            sections={name: section(owner) for name, section in self._sections.items()},
            left_out=tuple(left_out),
        )
        bag.add(INDEX, written(account_json(document)))
        bag.add("schema.json", written(schema()))
        bag.add(KEYS, pen.keys.as_bytes())

        def seal(manifest_sha256: str) -> tuple[str, bytes]:
            told = {
                "format": FORMAT,
                "origin": pen.keys.origin,
                "user": owner,
                "exported_at": moment(now),
                "manifest_sha256": manifest_sha256,
            }
            return SEAL, pen.sign(canonical_json(told), SEAL_TYPE).as_bytes()

        bag.close(_info(owner, pen.keys.origin, f"{now:%Y-%m-%d}"), seal=seal)
        return Exported(report=_report(document))

    def _algorithm_documents(
        self, bag: BagWriter, owner: str, left_out: list[str], *, progress: Progress
    ) -> Iterator[ArchivedAlgorithm]:
        names = self._algorithms.names_of(owner)
        for number, name in enumerate(names):
            progress(f"the algorithm {name}", 0.4 * number / max(1, len(names)))
            found = self._algorithms.get(owner, name)
            if found is None or not found.versions:
                continue
            yield self._algorithm(bag, found, left_out)

    def _algorithm(self, bag: BagWriter, found: Algorithm, left_out: list[str]) -> ArchivedAlgorithm:
        versions: list[ArchivedVersion] = []
        for version in sorted(found.versions, key=_published):
            versions.append(self._versions.document(version))
            self._versions.write(bag, version, folder=version_folder(found.name, version.version), left_out=left_out)
        prices = [
            {**asdict(price), "per": price.per.value if price.per else None, "set_at": moment(price.set_at)}
            | {"effective_at": moment(price.effective_at)}
            for price in self._prices.of(found.id)
        ]
        for price in prices:
            del price["algorithm_id"]
        return ArchivedAlgorithm(
            name=found.name, created_at=found.created_at, versions=tuple(versions), prices=tuple(prices)
        )

    def _run_ids(self, bag: BagWriter, owner: str, left_out: list[str], *, progress: Progress) -> Sequence[str]:
        done: dict[str, None] = {}
        offset, total, going = 0, 1, 0
        actor = Actor(name=owner, scopes=frozenset({Scope.READ.value}))
        while offset < total:
            page, total = self._run_store.list(caller=owner, limit=_AT_ONCE, offset=offset)
            for number, run in enumerate(page):
                # Runs that come in the meantime move the pages: one may be met twice.
                if run.id in done:
                    continue
                if not run.terminal:
                    going += 1
                    continue
                progress(f"run {run.id[:8]}", 0.4 + 0.55 * (offset + number) / max(1, total))
                self._runs.write(bag, actor, run, left_out=left_out)
                done[run.id] = None
            if not page:
                break
            offset += len(page)
        if going:
            left_out.append(f"{going} runs that had not ended: export again when they have")
        return list(done)

    def _wallet(self, bag: BagWriter, owner: str) -> Mapping[str, Any]:
        """Every entry of the wallet's ledger, the newest first; raises `Unavailable`, after which all begins anew."""
        entries: list[Any] = []
        ask = partial(self._quota.statement, owner, limit=_AT_ONCE)
        before: int | None = None
        try:
            while True:
                page = ask(before=before)
                entries += _STATEMENT.dump_python(page, mode="json")["entries"]
                before = page.next_before
                if before is None:
                    break
        except NoSuchWallet:
            return {"entries": 0, "message": "there is no wallet of this name"}
        bag.add("wallet.json", written({"account": owner, "entries": entries}))
        return {"entries": len(entries), "file": "wallet.json"}


def _published(version: AlgorithmVersion) -> Any:
    return version.published_at


def _given(path: str, version: str, review: Any) -> Mapping[str, Any]:
    return {
        "algorithm": path,
        "version": version,
        "digest": review.digest,
        "kind": review.kind.value,
        "verdict": review.verdict.value,
        "text": review.text,
        "counted": review.counts,
        "at": moment(review.at),
    }


def _info(owner: str, origin: str, day: str) -> Mapping[str, str]:
    return {
        "Source-Organization": origin,
        "External-Identifier": f"{origin}:{owner}",
        "External-Description": f"Everything of the Swath account {owner}",
        "Bagging-Date": day,
        "Bag-Software-Agent": f"swath {version_of('swath')}",
    }


def _report(document: AccountDocument) -> Mapping[str, Any]:
    return {
        "algorithms": len(document.algorithms),
        "versions": sum(len(one.versions) for one in document.algorithms),
        "dossiers": sum(len(version.dossiers) for one in document.algorithms for version in one.versions),
        "runs": len(document.runs),
        "reviews_given": len(document.reviews_given),
        "left_out": list(document.left_out),
    }
