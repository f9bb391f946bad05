"""Exit codes: what a script may rely on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Why the command ended as it did."""

    OK = 0
    RUN_FAILED = 1
    DIFFERS = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    REFUSED = 4
    INVALID = 5
    NOT_FOUND = 6
    CONFLICT = 7
    UNREACHABLE = 8
    INTERRUPTED = 130


MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.RUN_FAILED: "the run failed or was canceled; two results differ; or an unforeseen error",
    Exit.USAGE: "wrong arguments; a package this command needs is missing; or two results that cannot be compared",
    Exit.NOT_SIGNED_IN: "not signed in, or the token does not allow it",
    Exit.REFUSED: "refused by a quota, a rate limit or the wallet",
    Exit.INVALID: "invalid input: notebook, parameters or a result that is not intact",
    Exit.NOT_FOUND: "no such algorithm, version, run or result",
    Exit.CONFLICT: "contradicts what is stored, e.g. a version that exists",
    Exit.UNREACHABLE: "the server does not answer, or is at fault",
    Exit.INTERRUPTED: "interrupted; a run that was started goes on",
}

#: Exit code of each family of errors, by the class's name. The servers' own errors (`swath_service.errors`, which this
#: package never imports) carry the same names.
BY_FAMILY: dict[str, Exit] = {
    "RunFailed": Exit.RUN_FAILED,
    "RunCanceled": Exit.RUN_FAILED,
    "NotSignedIn": Exit.NOT_SIGNED_IN,
    "Unauthenticated": Exit.NOT_SIGNED_IN,
    "Forbidden": Exit.NOT_SIGNED_IN,
    "Refused": Exit.REFUSED,
    "Invalid": Exit.INVALID,
    "TooLarge": Exit.INVALID,
    "ResultBroken": Exit.INVALID,
    "NotFound": Exit.NOT_FOUND,
    "Gone": Exit.NOT_FOUND,
    "Conflict": Exit.CONFLICT,
    "Unreachable": Exit.UNREACHABLE,
    "Unavailable": Exit.UNREACHABLE,
    "ServerFault": Exit.UNREACHABLE,
    "WaitTimeout": Exit.UNREACHABLE,
    "MissingPackage": Exit.USAGE,
}


def exit_code(error: BaseException) -> Exit:
    """Exit code of the nearest family of `error`."""
    for kind in type(error).__mro__:
        if kind.__name__ in BY_FAMILY:
            return BY_FAMILY[kind.__name__]
    return Exit.RUN_FAILED


def epilog() -> str:
    """The exit codes as the last part of ``swath --help``."""
    return "\n".join(["Exit codes:", *(f"{code.value:>5}  {meaning}" for code, meaning in MEANINGS.items())])
