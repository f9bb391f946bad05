"""What `import swath` offers over HTTP, as functions."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swath.client import algorithms as _algorithms
from swath.client import lineage as _lineage
from swath.client import reproduction as _reproduction
from swath.client import runs as _runs
from swath.client import session
from swath.client import wallet as _wallet
from swath.client import webhooks as _webhooks
from swath.client.algorithms import Algorithms, PublishedVersion, Reference, Validation
from swath.client.errors import Invalid, NotSignedIn
from swath.client.http import MARKETPLACE, Api
from swath.client.lineage import Lineage
from swath.client.quotes import Quote
from swath.client.reproduction import Reproduction
from swath.client.run import Run
from swath.client.runs import Runs
from swath.client.session import Identity
from swath.client.values import parameters_json
from swath.client.wallet import Wallet
from swath.client.webhooks import Webhook

if TYPE_CHECKING:
    # With it comes what checks signatures, which few need.
    from swath.client.verifying import Verification


def run(
    algorithm: str,
    /,
    *,
    budget: float | int | str | Decimal | None = None,
    idempotency_key: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Run an algorithm.

    >>> run = swath.run("ada/ndvi-timeseries@^1", spatial_extent=field, temporal_extent=("2023-04-01", "2023-10-01"))
    >>> run.wait().results["ndvi"].open()

    Parameters
    ----------
    algorithm
        ``owner/name``, or ``owner/name@range`` with a version (``1.2.3``) or a range (``^1``, ``~1.2``, ``>=1,<2``).
    budget
        The most credits it may cost; by default what the version's limits allow. `quote` tells what is to be expected.
    idempotency_key
        Two calls with the same key are one run. By default every call is a run of its own, and only the attempts to
        send it over a bad connection share a key.
    parameters, **more
        The algorithm's parameters. Dates, tuples, shapely geometries, GeoDataFrames and numpy values may be given as
        they are. A parameter called like an argument of this function goes into `parameters`.

    Raises
    ------
    Invalid
        With a finding for every parameter that is unknown, missing, of a wrong type or out of bounds.
    Refused
        The wallet or a quota does not allow it.
    NotFound
        There is no such algorithm, or no version in that range.
    """
    return start(
        session.connection(),
        Reference.parse(algorithm),
        parameters_json(_merged(parameters or {}, more)),
        budget=budget,
        idempotency_key=idempotency_key,
    )


def start(
    api: Api,
    reference: Reference,
    parameters: Mapping[str, Any],
    *,
    budget: float | int | str | Decimal | None = None,
    idempotency_key: str | None = None,
) -> Run:
    """Start a run with parameters that are JSON already."""
    body = _body(reference, parameters, budget)
    key = idempotency_key or uuid.uuid4().hex
    if not key.isascii() or not key.isprintable() or len(key) > 200:
        raise Invalid("an idempotency key is printable ASCII of at most 200 characters", code="bad-idempotency-key")
    # The key makes sending it again safe.
    told = api.json("POST", f"{MARKETPLACE}/runs", json=body, headers={"Idempotency-Key": key}, repeatable=True)
    return Run(api, told)


def quote(
    algorithm: str,
    /,
    *,
    budget: float | int | str | Decimal | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> Quote:
    """What a run would cost and how long it would take, learnt from past runs. Nothing is run or held.

    >>> swath.quote("ada/ndvi-timeseries@^1", spatial_extent=field)

    Takes what `run` takes.

    Raises
    ------
    Invalid
        With a finding for every parameter that is unknown, missing, of a wrong type or out of bounds.
    NotFound
        There is no such algorithm, or no version in that range.
    """
    return ask_quote(
        session.connection(),
        Reference.parse(algorithm),
        parameters_json(_merged(parameters or {}, more)),
        budget=budget,
    )


def ask_quote(
    api: Api,
    reference: Reference,
    parameters: Mapping[str, Any],
    *,
    budget: float | int | str | Decimal | None = None,
) -> Quote:
    """A quote for parameters that are JSON already."""
    told = api.json("POST", f"{MARKETPLACE}/quotes", json=_body(reference, parameters, budget), repeatable=True)
    return Quote.read(told)


def _body(
    reference: Reference, parameters: Mapping[str, Any], budget: float | int | str | Decimal | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"algorithm": str(reference), "parameters": dict(parameters)}
    if budget is not None:
        body["budget_millicredits"] = millicredits(budget)
    return body


def millicredits(credits: float | int | str | Decimal) -> int:
    """Credits as millicredits; what is less than a millicredit is not spent.

    Raises
    ------
    Invalid
        It is not a number above zero.
    """
    try:
        amount = Decimal(str(credits)) * 1000
        whole = int(amount.to_integral_value(rounding=ROUND_FLOOR)) if amount.is_finite() else 0
    except InvalidOperation:
        whole = 0
    if not 0 < whole < 2**53:
        raise Invalid(
            "a budget is a number of credits of at least 0.001", code="bad-budget", mend="for example budget=12.5"
        )
    return whole


def _merged(given: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    if twice := sorted(set(given) & set(more)):
        raise Invalid(
            "some parameters are given twice",
            code="given-twice",
            findings=[{"field": name, "message": "given in `parameters` and by name"} for name in twice],
        )
    return {**given, **more}


def publish(notebook_path: str | Path, version: str | None = None) -> PublishedVersion:
    """Publish a notebook as a version of your algorithm.

    Its name, version and what else there is to say about it stand in the notebook's ``swath`` metadata; parameters
    and outputs are read from its cells. Publishing the same notebook again changes nothing.

    Parameters
    ----------
    notebook_path
        The saved ``.ipynb`` file; or the algorithm's folder, with ``notebook.ipynb`` in it. A folder's other files (the
        card ``README.md``, ``scenarios/``, ``references/``, …) are put beside the version.
    version
        In place of the one in the metadata.

    Raises
    ------
    Invalid
        With a finding for everything that is to be mended, by cell and line.
    Conflict
        That version exists and is another notebook, or the number does not say that the interface breaks.
    """
    return _algorithms.publish(session.connection(), notebook_path, version=version)


def validate(notebook_path: str | Path) -> Validation:
    """Check a notebook on this machine, without publishing it; nothing of it is sent anywhere."""
    try:
        api = session.connection()
    except NotSignedIn:
        api = None
    return _algorithms.validate(api, notebook_path)


def algorithms(
    query: str = "",
    *,
    owner: str | None = None,
    limit: int = 50,
    level: str | Sequence[str] | None = None,
    collection: str | Sequence[str] | None = None,
    band: str | Sequence[str] | None = None,
    licence: str | Sequence[str] | None = None,
    price: str | None = None,
    environment: str | Sequence[str] | None = None,
    author: str | Sequence[str] | None = None,
    platform: str | Sequence[str] | None = None,
    kind: str | None = None,
    sort: str | None = None,
    cursor: str | None = None,
) -> Algorithms:
    """Algorithms in which every word of `query` occurs; all without one.

    Parameters
    ----------
    level, collection, band, licence, price, environment, author, platform
        Of several values one has to fit; ``price`` is ``free`` or ``paid``.
    kind
        ``algorithm``, ``external`` (told by other platforms, where they run) or ``any``.
    sort
        ``relevance``, ``use``, ``level`` or ``newest``; by default by relevance where there are words.
    cursor
        Of the page before, as its ``cursor``.
    """
    narrowed: dict[str, str | Sequence[str] | None] = {
        "level": level,
        "collection": collection,
        "band": band,
        "licence": licence,
        "price": price,
        "environment": environment,
        "author": author,
        "platform": platform,
        "kind": kind,
        "sort": sort,
        "cursor": cursor,
    }
    return _algorithms.find(session.connection(), query, owner=owner, limit=limit, narrowed=narrowed)


def environments() -> list[dict[str, Any]]:
    """The locked environments that a notebook may name."""
    return _algorithms.environments(session.connection())


def runs(*, status: str | None = None, limit: int = 20) -> Runs:
    """Your runs, newest first; of one status, if given."""
    return _runs.list_runs(session.connection(), status=status, limit=limit)


def get_run(run_id: str) -> Run:
    """A run of yours that was started before, here or elsewhere."""
    return _runs.get_run(session.connection(), run_id)


def lineage(what: str | Path, *, down: bool = False, depth: int | None = None) -> Lineage:
    """What a result was made of, through runs, down to the scenes at the sources.

    >>> swath.lineage("ndvi.tif")

    Parameters
    ----------
    what
        A file on this machine, a file's sha256, or a run's id.
    down
        What was made of it instead.
    depth
        At most so many runs behind each other.
    """
    return _lineage.of(session.connection(), what, down=down, depth=depth)


def reproduce(
    what: str | Path,
    *,
    tolerances: Mapping[str, Mapping[str, Any]] | None = None,
    budget: float | int | str | Decimal | None = None,
) -> Reproduction:
    """Run a run again from what its receipt says, paid by you, and compare.

    >>> swath.reproduce(run.id).wait().verdict

    Parameters
    ----------
    what
        A run's id, or the file of a receipt.
    tolerances
        By output, or under ``*`` for all others: ``rtol``, ``atol``, ``share``, ``distance``, ``ignore``. By default
        those of the version's scenarios.
    budget
        The most credits it may cost.
    """
    return _reproduction.start(
        session.connection(),
        what,
        tolerances=tolerances,
        budget_millicredits=None if budget is None else millicredits(budget),
    )


def verify(file: str | Path, *, receipt: str | Path | None = None) -> Verification:
    """Check that a receipt, or a result by its receipt, is what a run really brought back; see `swath verify`.

    >>> swath.verify("median.tif").ok

    Parameters
    ----------
    file
        A receipt, or a result of a run.
    receipt
        The receipt of the result; by default the hub is asked for it.
    """
    from swath.client.verifying import Verifier

    api = session.connection()
    return Verifier(api=api).file(Path(file), receipt=Path(receipt) if receipt is not None else None)


def wallet() -> Wallet:
    """Your credits, and what was taken from them."""
    return _wallet.read(session.connection())


def add_webhook(
    url: str, *, events: Sequence[str] | None = None, algorithm: str | None = None, run: str | None = None
) -> Webhook:
    """Have what happens to your runs posted to an address of yours, signed.

    >>> hook = swath.add_webhook("https://hooks.example.org/swath", events=["run.end"])
    >>> hook.secret  # keep it where the receiver finds it: it is not told again

    Parameters
    ----------
    events
        ``run.start``, ``run.progress``, ``run.output``, ``run.end`` (or ``run.end.finished``, ``run.end.error``,
        ``run.end.canceled``), ``notice``; by default start and end.
    algorithm, run
        Of runs of ``owner/name``, or of one run, only.

    Raises
    ------
    Invalid
        The address is not one that is sent to: https, to the open internet.
    """
    return _webhooks.add(session.connection(), url, events=events, algorithm=algorithm, run=run)


def webhooks() -> list[Webhook]:
    """Your webhooks, the oldest first."""
    return _webhooks.every(session.connection())


def whoami() -> Identity:
    """Who is signed in, where, and what the token allows."""
    return session.whoami(session.connection())


def login(url: str, token: str | None = None, *, insecure: bool = False) -> Identity:
    """Sign in outside JupyterLab, and stay signed in; inside it you are.

    Parameters
    ----------
    token
        Made at ``<url>/hub/token``; asked for, unseen, when left out (never write one into a notebook).
    insecure
        Whether the token may go over a network without encryption.
    """
    if token is None:
        from getpass import getpass

        address = session.reachable(url, insecure=insecure)
        print(f"Make a token at {address}hub/token", file=sys.stderr)
        token = getpass("Token (is not shown): ")
    return session.sign_in(url, token, insecure=insecure)
