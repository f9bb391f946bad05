"""Every verb of the command and where it is found. Nothing named here is imported before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer

from swath.client.errors import MissingPackage

GROUP = "swath.commands"
"""Entry point group of the servers' verbs; a value is a function or a `typer.Typer`."""

SERVER = "Swath's servers and operators"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb of the client."""

    where: str
    help: str
    panel: str


def _verbs(panel: str, module: str, **helps: str) -> dict[str, Verb]:
    return {name: Verb(where=f"swath.cli.{module}:{name}", help=text, panel=panel) for name, text in helps.items()}


CLIENT: dict[str, Verb] = {
    **_verbs(
        "Account",
        "account",
        login="Sign in to a Swath hub and keep its token for later commands.",
        logout="Forget the token of a hub.",
        whoami="Show who is signed in, where, and what the token allows.",
        wallet="Show what your wallet holds, until when it lasts, and what was taken from it.",
    ),
    **_verbs("Account", "tokens", **{"token": "Make, list and revoke tokens, one for each purpose."}),
    **_verbs(
        "Algorithms",
        "catalogue",
        validate="Check a notebook and show everything that keeps it from being published.",
        publish="Publish a notebook as a version of an algorithm.",
        show="Show an algorithm's versions, parameters and outputs.",
        environments="List the environments that a notebook may name.",
    )
    | _verbs("Algorithms", "catalogue", **{"yank": "Withdraw a version of your algorithm, with a reason."}),
    **_verbs(
        "Algorithms",
        "searching",
        search="Find algorithms.",
        algorithms="Find algorithms.",
    ),
    **_verbs(
        "Algorithms",
        "benchmark",
        benchmark="Run an algorithm's scenarios and compare what comes with their references.",
        notices="Show what you ought to know of your algorithms.",
    ),
    **_verbs(
        "Algorithms",
        "maturity",
        maturity="Show how mature a version is, why, and what is missing for the next level.",
        review="Review a version of somebody else's; it counts if you are one of the operator's reviewers.",
    ),
    **_verbs(
        "Algorithms",
        "following",
        favourite="Keep an algorithm at hand, or list those that you keep.",
        follow="Be told of what happens to an algorithm, or list those that you follow.",
    ),
    **_verbs(
        "Algorithms",
        "moderation",
        dashboard="Show how your algorithms are used, what failed and where, and what they earned.",
        report="Report an algorithm, a version or a review to the operators.",
        reports="List your reports and their answers.",
        revoke="Have a version of your algorithm run no more, for good, with a reason.",
    ),
    **_verbs(SERVER, "moderation", moderate="Answer reports, hide algorithms (operators)."),
    **_verbs("Runs", "running", run="Run an algorithm and, unless told otherwise, wait for it."),
    **_verbs(
        "Runs",
        "runs",
        runs="List your runs.",
        status="Show one run; without one, whether Swath runs on this machine.",
        logs="Print the log of a run.",
        results="List or fetch the results of a run.",
        cancel="Cancel a run.",
    ),
    **_verbs("Runs", "webhook", webhook="Have what happens to your runs posted to an address of yours."),
    **_verbs("Runs", "comparing", diff="Compare two files, two folders of results, or two runs."),
    **_verbs(
        "Trust",
        "verify",
        verify="Check that a receipt, or a result by its receipt, is what a run really brought back.",
        receipt="Print or save the signed receipt of a finished run.",
    ),
    **_verbs(
        "Trust", "reproducing", reproduce="Run a run again from its receipt, and say whether the same came of it."
    ),
    **_verbs("Trust", "lineage", lineage="Walk from a result through runs to the scenes it was made of."),
    **_verbs("Trust", "receipts", receipts="Publish, rotate and revoke the keys of receipts; save checkpoints."),
    "export": Verb(
        where="swath.cli.exit:export",
        help="Save everything of yours in one archive: algorithms, runs with results and receipts, wallet.",
        panel="Account",
    ),
    "import": Verb(
        where="swath.cli.exit:bring",
        help="Bring an account's archive to this Swath, under your name: all of it, or nothing with every fault told.",
        panel="Account",
    ),
    **_verbs(SERVER, "quota", quota="Give credits, change tiers and limits, read statements (operators)."),
}

#: Shown by ``swath --help``, which imports no server to ask it.
SERVER_HELP: dict[str, str] = {
    "up": "Start Swath on this machine.",
    "down": "Stop Swath on this machine.",
    "archive": "Make, fill and list the data archive.",
    "doctor": "Check what this machine has and lacks for Swath.",
    "user": "Manage the users of this machine's hub.",
}


#: Verbs that both know: of one run, said with its id, and of the servers on this machine, said without.
SHARED = frozenset({"status"})


def server_verbs() -> dict[str, EntryPoint]:
    """Verbs that installed packages bring along, without importing them. A verb of the client cannot be replaced."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in CLIENT}


def is_servers(name: str, arguments: Sequence[str]) -> bool:
    """Whether a verb that both know is meant as the servers' one: no run is named, and the servers are here."""
    if name not in SHARED or {"-h", "--help"} & set(arguments):
        return False
    unnamed = all(argument.startswith("-") for argument in arguments) or "--data" in arguments
    return unnamed and any(point.name == name for point in entry_points(group=GROUP))


def load(name: str, *, servers: bool = False) -> typer.Typer | Callable[..., Any] | None:
    """The function or application behind a verb; ``None`` when nobody knows it.

    Parameters
    ----------
    servers
        Whether the servers' verb is meant where both know one of that name.

    Raises
    ------
    MissingPackage
        The verb is known and what it needs is not installed.
    """
    if name in CLIENT and not servers:
        module, _, attribute = CLIENT[name].where.partition(":")
        return _checked(getattr(importlib.import_module(module), attribute))
    point = next((point for point in entry_points(group=GROUP) if point.name == name), None)
    if point is None:
        if name in SERVER_HELP:
            raise _not_installed(name)
        return None
    try:
        return _checked(point.load())
    except ModuleNotFoundError as error:
        raise _not_installed(name, lacks=error.name or "") from error


def _checked(found: object) -> typer.Typer | Callable[..., Any]:
    if isinstance(found, typer.Typer) or callable(found):
        return found
    raise TypeError(f"an entry point of {GROUP!r} must be a function or a typer.Typer, not {type(found).__name__}")


def _not_installed(name: str, *, lacks: str = "") -> MissingPackage:
    return MissingPackage(
        f"`swath {name}` belongs to Swath's servers, which are not installed here"
        + (f" (no {lacks})" if lacks else ""),
        code="servers-not-installed",
        mend="pip install 'swath[hub,server,kernel]'",
    )
