"""What an operator is told when Swath can't start or go on."""

from __future__ import annotations


class OperatorError(Exception):
    """Something an operator can mend.

    Parameters
    ----------
    code
        Stable, kebab-case, for programs to branch on.
    message
        One sentence for a person.
    mend
        What to do about it.
    """

    def __init__(self, *, code: str, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.mend = mend
