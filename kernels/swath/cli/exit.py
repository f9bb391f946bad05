"""The verbs that take an account from one Swath to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swath.cli.output import AsJson, print_facts, print_json, print_table, remark
from swath.client import exit as client
from swath.client import session
from swath.display import clean

COLUMNS = ("algorithm", "version", "digest", "new", "runs here")


def export(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Save the archive there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Save everything of yours in one archive: algorithms, runs with results and receipts, wallet.

    Another Swath brings it in with `swath import`, digests intact. It is a BagIt bag (RFC 8493) in a ZIP file, so
    anybody can check it; no secret and no other user's data is in it.
    """
    path = client.export(session.connection(), to, told=_tell)
    files = client.check(path)
    if as_json:
        print_json({"file": str(path), "bytes": path.stat().st_size, "files": len(files)})
        return
    print(path)
    remark(f"{len(files)} files, {path.stat().st_size:,} bytes; each is what its sha256 says")


def bring(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive that `swath export` saved.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only look whether the archive is whole; ask nobody.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring an account's archive to this Swath, under your name: all of it, or nothing with every fault told.

    Versions have the digests that they had. Runs are read-only and cost nothing; `swath reproduce` takes their
    receipts. The same archive again changes nothing.
    """
    if check:
        files = client.check(file)
        print_json({"files": files}) if as_json else print(f"{len(files)} files, each what its sha256 says")
        return
    report = client.bring(session.connection(), file, told=_tell)
    if as_json:
        print_json(report)
        return
    print_facts(
        [
            ("from", f"{report['user']} at {report['origin']}"),
            ("versions", f"{len(report['versions'])}, {report['versions_new']} new here"),
            ("runs", f"{report['runs']}, {report['runs_new']} new here"),
        ]
    )
    rows = [
        [
            clean(str(one["algorithm"])),
            one["version"],
            one["digest"][:19],
            "yes" if one["new"] else "no",
            "yes" if one["runnable"] else f"when {one['environment']} {one['environment_lock_sha256'][:12]} is built",
        ]
        for one in report["versions"]
    ]
    if rows:
        print()
        print_table(COLUMNS, rows)
    for sentence in report["not_brought_in"]:
        remark(f"not brought in: {clean(str(sentence))}")


def _tell(doing: str, fraction: float) -> None:
    remark(f"{fraction:4.0%} {clean(doing)}")
