"""Which names a user may have."""

from __future__ import annotations

import re

from swath_hub.errors import OperatorError

#: A name is a folder, a host name's label, the owner in `owner/algorithm` and an account: the narrowest decides.
PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
LONGEST = 32
_RESERVED = frozenset(
    {"api", "archive", "dask-gateway", "hub", "idle-culler", "marketplace", "nobody", "operators", "platform", "public"}
    | {"quota", "root", "services", "swath", "system", "user", "users"}
)


def check_name(name: str) -> str:
    """Return `name` when a user may have it.

    Raises
    ------
    OperatorError
        Saying which rule it breaks.
    """
    rule = (
        "a name has lower-case letters, digits and single hyphens between them, starts with a letter"
        f" and has at most {LONGEST} characters"
    )
    if len(name) > LONGEST or not re.fullmatch(PATTERN, name):
        raise OperatorError(code="bad-user-name", message=f"{name[:40]!r} can't be a user's name", mend=rule)
    if name in _RESERVED:
        raise OperatorError(
            code="reserved-user-name",
            message=f"{name!r} is the name of a part of Swath",
            mend="choose another name",
        )
    return name
