"""What callers are told: processes and jobs as the standard shapes them, with links that hold wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from swath.contract.interface import Interface
from swath_service.actor import Actor

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.describing import inputs_of, outputs_of
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.executions import Execution, JobStatus
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.executions import job_status

_JSON = "application/json"
_MESSAGES = {
    JobStatus.ACCEPTED: "it waits for its turn",
    JobStatus.RUNNING: "it runs",
    JobStatus.SUCCESSFUL: "it has finished; its results are there",
    JobStatus.DISMISSED: "its caller dismissed it",
}
Link = dict[str, str]


def link(href: str, rel: str, *, type: str | None = _JSON, title: str | None = None) -> Link:
    """One link."""
    told = {"href": href, "rel": rel}
    return {**told, **({"type": type} if type else {}), **({"title": title} if title else {})}


@dataclass(frozen=True, kw_only=True, slots=True)
class Teller:
    """Shapes answers for one request: absolute addresses begin with what its caller called."""

    origin: str
    """``https://host:port``."""
    base: str
    """Path of the service, without a slash at its end."""
    sync_seconds: float
    """Versions that may run no longer than this can be waited for."""

    @classmethod
    def of(cls, request: Request, *, base: str, sync_seconds: float) -> Teller:
        """The teller for `request`. What a proxy in front says of the scheme counts: it leads its own caller only."""
        told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        scheme = told if told in ("http", "https") else request.url.scheme
        return cls(origin=f"{scheme}://{request.url.netloc}", base=base, sync_seconds=sync_seconds)

    def at(self, path: str = "") -> str:
        """Address of `path` below the door's root."""
        return f"{self.origin}{self.base}/ogc/{path}"

    def process_at(self, process: str) -> str:
        """Address of a process."""
        return self.at(f"processes/{quote(process, safe='@:')}")

    def job_at(self, run_id: str) -> str:
        """Address of a job."""
        return self.at(f"jobs/{run_id}")

    def output_at(self, run_id: str, name: str) -> str:
        """Address of an output: the run's own, whatever door it came through."""
        return f"{self.origin}{self.base}/runs/{run_id}/results/{name}"

    def both(self, href: str, *, html: bool = False) -> list[Link]:
        """Links of a resource to itself and to its other form; `html` when the page is what is being told."""
        mark = "&" if "?" in href else "?"
        page = link(f"{href}{mark}f=html", "self" if html else "alternate", type="text/html", title="As a page")
        data = link(href if not html else f"{href}{mark}f=json", "alternate" if html else "self", title="As JSON")
        return [page, data] if html else [data, page]

    def paged(self, path: str, query: Mapping[str, Any], *, following: Mapping[str, Any] | None) -> list[Link]:
        """Links of a list: itself, its other form, and the next page where `following` is what changes for it."""
        plain = [(name, value) for name, value in query.items() if name != "f"]
        here = self.at(path) + (f"?{urlencode(plain, doseq=True)}" if plain else "")
        links = self.both(here, html=query.get("f") == "html")
        if following is not None:
            links.append(link(f"{self.at(path)}?{urlencode({**dict(query), **following}, doseq=True)}", "next"))
        return links

    def summary(self, version: AlgorithmVersion, actor: Actor, *, exact: bool = False) -> dict[str, Any]:
        """A process in a list; of one version alone when `exact`."""
        process = words.process_id(version) + (f":{version.version}" if exact else "")
        here, meta = self.process_at(process), version.metadata
        options = ["async-execute", "dismiss"]
        return {
            "id": process,
            "title": str(meta.get("title") or version.name),
            "description": str(meta.get("summary") or ""),
            "keywords": [str(word) for word in meta.get("keywords") or ()],
            "version": version.version,
            "jobControlOptions": ["sync-execute", *options] if self.waits_for(version) else options,
            "outputTransmission": ["value", "reference"],
            "mutable": not exact and (actor.is_operator or actor.name == version.owner),
            "links": [
                *self.both(here),
                link(f"{here}/execution", words.REL_EXECUTE, title="Where it is executed"),
                link(f"{here}/package", "describedby", type=words.PACKAGE, title="Its application package"),
                link(self._version_at(version, "run"), "create-form", type="text/html", title="Run it in a browser"),
            ],
        }

    def _version_at(self, version: AlgorithmVersion, path: str) -> str:
        """Address of `path` below a version's own."""
        owner, number = quote(version.owner, safe=""), quote(version.version, safe="")
        return f"{self.origin}{self.base}/algorithms/{owner}/{version.name}/versions/{number}/{path}"

    def waits_for(self, version: AlgorithmVersion) -> bool:
        """Whether a caller may wait for a run of `version` with the connection open."""
        return version.resources.wall_seconds <= self.sync_seconds

    def process(self, version: AlgorithmVersion, actor: Actor, *, exact: bool = False) -> dict[str, Any]:
        """A process description."""
        interface = Interface.from_dict(version.interface)
        told = {**self.summary(version, actor, exact=exact), **_metadata(version)}
        return {**told, "inputs": inputs_of(interface), "outputs": outputs_of(interface)}

    def job(self, run: Run, execution: Execution) -> dict[str, Any]:
        """The status of a job."""
        status = job_status(run, execution)
        told: dict[str, Any] = {
            "jobID": run.id,
            "processID": words.process_id(run),
            "processVersion": run.version,
            "type": "process",
            "status": status.value,
            "message": _message(run, status),
            "created": iso(run.created_at),
            "started": iso(run.started_at),
            "finished": iso(run.ended_at),
            "updated": iso(execution.dismissed_at or run.ended_at or run.started_at or run.queued_at or run.created_at),
            "progress": 100 if status is JobStatus.SUCCESSFUL else min(99, round(run.progress * 100)),
        }
        present = {name: value for name, value in told.items() if value is not None}
        return {**present, "links": self._job_links(run, status)}

    def _job_links(self, run: Run, status: JobStatus) -> list[Link]:
        here = self.job_at(run.id)
        version = f"{words.process_id(run)}:{run.version}"
        links = [
            *self.both(here),
            link(self.process_at(version), "about", title="The version that runs"),
            link(f"{self.origin}{self.base}/runs/{run.id}", "related", title="The run"),
            link(f"{self.origin}{self.base}/runs/{run.id}/log", "related", type="text/plain", title="Its log"),
        ]
        if status is JobStatus.SUCCESSFUL:
            prov = "http://www.w3.org/ns/prov#has_provenance"
            links.append(link(f"{here}/results", words.REL_RESULTS, title="Its results"))
            links.append(link(f"{here}/prov", prov, title="Where its results come from"))
        elif status is JobStatus.FAILED:
            links.append(link(f"{here}/results", words.REL_EXCEPTIONS, title="Why it failed"))
        elif status in (JobStatus.ACCEPTED, JobStatus.RUNNING):
            links.append(link(here, "monitor", title="How far it is"))
        return links


def _message(run: Run, status: JobStatus) -> str:
    if status is JobStatus.FAILED and run.refusal is not None:
        return run.refusal.message
    if status is JobStatus.FAILED and run.error is not None:
        return run.error.message
    return _MESSAGES.get(status, "it failed")


def _metadata(version: AlgorithmVersion) -> dict[str, Any]:
    found: list[Mapping[str, str]] = []
    if licence := version.metadata.get("license"):
        found.append({"title": str(licence), "role": "license"})
    references: Sequence[Any] = version.metadata.get("references") or ()
    found += [{"title": str(reference), "role": "reference"} for reference in references]
    return {"metadata": found} if found else {}
