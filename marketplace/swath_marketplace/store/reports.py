"""Reports in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from swath_service.cursors import Place

from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.moderation import Act
from swath_marketplace.domain.reports import Report, ReportKind, ReportState
from swath_marketplace.store.database import Database
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.moderation_tables import reports
from swath_marketplace.store.paging import after as beyond

_REPORTS_LOCK = 7_201_116


class ReportStore:
    """Promises: what was reported is never edited; a report is answered once, together with its act."""

    def __init__(self, database: Database, acts: ModerationStore) -> None:
        self._database = database
        self._acts = acts

    def add(self, report: Report, *, since: datetime, most: int, told: Sequence[Notice]) -> bool:
        """Keep a report; false when its reporter has made `most` since `since`, whatever races."""
        with self._database.write() as connection:
            self._database.lock(connection, _REPORTS_LOCK)
            mine = (reports.c.reporter == report.reporter, reports.c.at > since)
            made = connection.execute(sa.select(sa.func.count()).select_from(reports).where(*mine)).scalar_one()
            if made >= most:
                return False
            values = {name: getattr(report, name) for name in reports.c.keys()}  # noqa: SIM118 - not a mapping
            connection.execute(
                reports.insert().values({**values, "kind": report.kind.value, "state": report.state.value})
            )
            self._acts.tell(connection, told)
        return True

    def get(self, report_id: str) -> Report | None:
        """One report."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(reports).where(reports.c.id == report_id)).one_or_none()
        return None if row is None else _report(row)

    def answer(self, report: Report, act: Act, *, told: Sequence[Notice]) -> bool:
        """Keep the answer in `report`, with the act that it is; false when it was answered before."""
        answered = {
            "state": report.state.value,
            "answer": report.answer,
            "answered_by": report.answered_by,
            "answered_at": report.answered_at,
        }
        still = (reports.c.id == report.id, reports.c.state == ReportState.OPEN.value)
        with self._database.write() as connection:
            if not connection.execute(reports.update().where(*still).values(answered)).rowcount:
                return False
            self._acts.append(connection, act, told=lambda *_: told)
        return True

    def list(
        self,
        *,
        state: ReportState | None = None,
        reporter: str | None = None,
        about: str | None = None,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[Report], int]:
        """A page of reports and how many there are in all: open ones the oldest first, others the latest first.

        Parameters
        ----------
        about
            Whose the things are that they are about.
        """
        wanted: list[sa.ColumnElement[bool]] = []
        if state is not None:
            wanted.append(reports.c.state == state.value)
        if reporter is not None:
            wanted.append(reports.c.reporter == reporter)
        if about is not None:
            wanted.append(reports.c.about == about)
        latest_first = state is not ReportState.OPEN
        order = reports.c.at.desc() if latest_first else reports.c.at
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(reports).where(*wanted)).scalar_one()
            if after is not None:
                wanted.append(beyond(after, (reports.c.at, reports.c.id), descending=(latest_first, False)))
            query = sa.select(reports).where(*wanted).order_by(order, reports.c.id).limit(limit).offset(offset)
            return [_report(row) for row in connection.execute(query)], total


def _report(row: sa.Row[Any]) -> Report:
    return Report(**{**row._mapping, "kind": ReportKind(row.kind), "state": ReportState(row.state)})
