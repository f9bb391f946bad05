"""What is not as it was between a run and its reproduction, as causes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swath_marketplace.domain.chances import Chance
from swath_marketplace.domain.origins import OriginInput
from swath_marketplace.domain.reproductions import Cause, CauseCode

_MOST_NAMED = 10


def changed_inputs(before: Sequence[OriginInput], after: Sequence[OriginInput]) -> list[Cause]:
    """What was read now and not then, or the other way, or under the same name with other bytes."""
    old, new = _by_place(before), _by_place(after)
    replaced = [old[place] for place in old if place in new and _other_bytes(old[place], new[place])]
    added = [one for place, one in new.items() if place not in old]
    missing = [one for place, one in old.items() if place not in new]
    found = [named(CauseCode.INPUT_REPLACED, replaced, "was replaced", "were replaced")]
    # A run from before anybody looked has no record; then nothing can be said about what is new.
    if before:
        found.append(
            named(CauseCode.INPUT_ADDED, added, "was read and was not before", "were read and were not before")
        )
        found.append(named(CauseCode.INPUT_NOT_READ, missing, "was not read again", "were not read again"))
    return [cause for cause in found if cause]


def named(code: CauseCode, files: Sequence[OriginInput], one: str, many: str) -> Cause | None:
    """One cause that names the files it is about; ``None`` when there are none."""
    titles = list(dict.fromkeys(file.title for file in files))
    if not titles:
        return None
    rest = len(titles) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return Cause(code=code, message=f"{', '.join(titles[:_MOST_NAMED])}{more} {one if len(titles) == 1 else many}")


def merged(*causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Each cause once, in the order in which they were found; of one code the first that names its files stands."""
    found: dict[CauseCode, Cause] = {}
    for cause in (cause for some in causes for cause in some):
        found.setdefault(cause.code, cause)
    return tuple(found.values())


def unexplained(chances: Sequence[Chance]) -> Cause:
    """Nothing that is known has changed: what in the notebook may give another result each time."""
    same = "version, parameters, environment and inputs are the same"
    if not chances:
        return Cause(
            code=CauseCode.UNEXPLAINED,
            message=f"{same}; the notebook shows no call that asks for chance or the clock, so look into what it uses",
        )
    told = "; ".join(map(str, chances))
    return Cause(code=CauseCode.CHANCE, message=f"{same}, and the notebook asks for what is not: {told}")


def _by_place(files: Sequence[OriginInput]) -> Mapping[tuple[str | None, ...], OriginInput]:
    return {file.place: file for file in files}


def _other_bytes(before: OriginInput, after: OriginInput) -> bool:
    return None not in (before.sha256, after.sha256) and before.sha256 != after.sha256
