"""Comparisons that the marketplace makes: of two runs, without fetching their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from swath.client.http import MARKETPLACE, Api, segment
from swath.contract.comparison import EXACT, Comparison, Tolerance
from swath.contract.fields import ContractError

#: The answer comes when the results are compared; large ones take minutes.
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class RunsCompared:
    """What the marketplace found."""

    comparisons: Mapping[str, Comparison]
    pictures: Mapping[str, str]
    """Output -> path of a picture of its difference, below the hub's address."""

    def save_pictures(self, api: Api, folder: Path) -> Mapping[str, Comparison]:
        """Save the pictures in `folder`, and return the comparisons with the files' names."""
        told = dict(self.comparisons)
        for name, path in self.pictures.items():
            content = api.request("GET", path).content
            folder.mkdir(parents=True, exist_ok=True)
            plain = "".join(sign if sign.isalnum() or sign in "_-" else "_" for sign in name)
            (folder / f"{plain}.png").write_bytes(content)
            told[name] = replace(told[name], picture=f"{plain}.png")
        return told


def compare_runs(
    api: Api, run_id: str, with_id: str, *, tolerance: Tolerance = EXACT, only: Sequence[str] = ()
) -> RunsCompared:
    """Hold the run `run_id` against `with_id`, which counts as right.

    Raises
    ------
    NotFound, Conflict, Invalid
        One of the runs is not the caller's, goes on, or has no output of a name in `only`.
    Unreachable
        Nothing can be compared at the moment.
    """
    numbers = {"rtol": tolerance.rtol, "atol": tolerance.atol, "share": tolerance.share, "distance": tolerance.distance}
    query = [("with", with_id), *((name, repr(value)) for name, value in numbers.items() if value)]
    query += [*(("ignore", one) for one in tolerance.ignore), *(("name", one) for one in only)]
    path = f"{MARKETPLACE}/runs/{segment(run_id)}/comparison"
    with api.stream(f"{path}?{urlencode(query)}", timeout=_PATIENCE_SECONDS) as response:
        response.read()
        try:
            told = response.json()["comparisons"]
            links = {name: one["picture"] for name, one in told.items() if one.get("picture")}
            comparisons = {
                name: Comparison.from_dict({key: value for key, value in one.items() if key != "picture"})
                for name, one in told.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, ContractError) as error:
            raise api.not_swath(path, "did not answer with a comparison") from error
    return RunsCompared(comparisons=comparisons, pictures={name: _below(api, link) for name, link in links.items()})


def _below(api: Api, link: str) -> str:
    """A link of an answer, as a path below the hub's address."""
    base, found = urlsplit(api.url).path.rstrip("/"), urlsplit(str(link))
    return f"{found.path.removeprefix(base).lstrip('/')}?{found.query}"
