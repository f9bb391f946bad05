"""Requests to the services: retried where that is safe, and every failure told in words."""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from swath.client.credentials import Credentials
from swath.client.errors import NotSignedIn, SwathError, Unreachable, from_problem

MARKETPLACE = "services/marketplace"
QUOTA = "services/quota"
HUB = "hub/api"

#: Seconds before each further attempt. A hub that restarts is away for longer; who waits for a run waits that out.
PAUSES = (0.2, 0.5, 1.0)
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_BUSY = frozenset({502, 503, 504})
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_LARGEST_PROBLEM = 4 * 1024 * 1024


def user_agent() -> str:
    """How the client names itself."""
    try:
        number = version("swath")
    except PackageNotFoundError:
        number = "unknown"
    return f"swath/{number} python/{platform.python_version()}"


def segment(text: str) -> str:
    """`text` as one step of a path, whatever is in it."""
    return quote(text, safe="@")


class Api:
    """One hub, called with one token. Safe to use from many threads.

    Parameters
    ----------
    credentials
        Whom to call and as whom. The token goes into the ``Authorization`` header of requests to that address and,
        as redirects are not followed, nowhere else.
    transport
        For tests.
    sleep
        How to wait before a further attempt.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.credentials = credentials
        self.url = credentials.url
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=credentials.url,
            headers={"Authorization": f"Bearer {credentials.token}", "User-Agent": user_agent()},
            timeout=_TIMEOUT,
            transport=transport,
            follow_redirects=False,
            # A proxy named in the environment would see the token of an unencrypted request.
            trust_env=credentials.url.startswith("https:"),
        )

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        repeatable: bool | None = None,
    ) -> httpx.Response:
        """Send a request and return its successful answer.

        Parameters
        ----------
        path
            Below the hub's address.
        files
            Names and contents, sent as parts called ``files`` of a form.
        repeatable
            Whether sending it twice has the effect of sending it once; by default told by the method. A request that
            never reached the server is repeated in any case.

        Raises
        ------
        SwathError
            Of the family that the answer, or its absence, stands for.
        """
        again = method in _SAFE if repeatable is None else repeatable
        query = {name: value for name, value in (params or {}).items() if value is not None}
        parts = [("files", (name, content)) for name, content in files] or None
        for pause in (*PAUSES, None):
            try:
                response = self._http.request(method, path, json=json, files=parts, params=query, headers=headers)
            except httpx.TransportError as error:
                if pause is None or not (again or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)):
                    raise self._unreachable(error) from error
            else:
                if not (response.status_code in _BUSY and again and pause is not None):
                    self.check(response)
                    return response
            self._sleep(pause * _spread())
        raise AssertionError("unreachable")  # pragma: no cover

    def send(
        self, path: str, content: Callable[[], Iterator[bytes]], *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POST a body piece by piece, once; raises as `request` does."""
        timeout = httpx.Timeout(300.0, connect=5.0)
        try:
            response = self._http.post(path, content=content(), headers=headers, timeout=timeout)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        self.check(response)
        return response

    def pause(self, attempt: int) -> None:
        """Wait before attempt `attempt` + 2 of something that broke half-way."""
        self._sleep(PAUSES[min(attempt, len(PAUSES) - 1)] * _spread())

    def json(self, method: str, path: str, **settings: Any) -> Any:
        """The JSON of the answer to `request`."""
        response = self.request(method, path, **settings)
        try:
            return response.json()
        except ValueError as error:
            raise self.not_swath(path, "did not answer in JSON") from error

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, timeout: float = 60.0
    ) -> Iterator[httpx.Response]:
        """An answer that is read piece by piece; its status is checked, what breaks later is `httpx`'s to raise."""
        request = self._http.build_request("GET", path, headers=headers, timeout=httpx.Timeout(timeout, connect=5.0))
        try:
            response = self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        try:
            if response.status_code >= 300:
                response.read()
            self.check(response)
            yield response
        finally:
            response.close()

    def check(self, response: httpx.Response) -> None:
        """Raise what an unsuccessful answer tells of."""
        status = response.status_code
        if status < 300:
            return
        path = urlsplit(str(response.request.url)).path
        if status < 400:
            raise self.not_swath(path, "sends callers elsewhere")
        body = _json_object(response)
        if body is None:
            if status in (401, 403):
                body = {"detail": "the hub does not accept this token", "code": "token-not-accepted"}
            elif status in _BUSY:
                body = {"detail": f"{self.url} answers that a service is down ({status})", "code": "service-down"}
                body["mend"] = "try again in a few seconds; the operator sees why in the services' logs"
            else:
                raise self.not_swath(path, f"answered {status} and not as Swath does")
        elif "code" not in body and "message" in body:
            # JupyterHub's own form.
            body = {"detail": body["message"], "code": f"http-{status}"}
        elif "code" not in body and status == 404:
            raise self.not_swath(path, "knows no such address")
        raise self._signed(from_problem(status, body))

    def _signed(self, error: SwathError) -> SwathError:
        """`error`, saying which token it was about: more than one may be lying around."""
        if isinstance(error, NotSignedIn):
            error.message = f"{error.message} (the token from {self.credentials.source})"
            if not error.mend:
                error.mend = "it may have expired or been revoked"
            error.mend += f"; make a new one at {self.url}hub/token and run `swath login {self.url}`"
        return error

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout):
            code, message = "timeout", f"{self.url} does not answer in time"
        elif "CERTIFICATE_VERIFY_FAILED" in str(error):
            code, message = "bad-certificate", f"the certificate of {self.url} cannot be verified"
            return Unreachable(message, code=code, mend="ask the operator; SSL_CERT_FILE may name your own authority")
        elif isinstance(error, httpx.ConnectError):
            code, message = "no-connection", f"nothing answers at {self.url}"
        else:
            code, message = "connection-lost", f"the connection to {self.url} broke"
        return Unreachable(message, code=code, mend="check the address, and that Swath runs there (`swath up`)")

    def not_swath(self, path: str, what: str) -> Unreachable:
        """Something answers there, and it is not one of Swath's services."""
        return Unreachable(
            f"{self.url} {what} at /{path.lstrip('/')}: is this the address of a Swath hub?",
            code="not-swath",
            mend="give the hub's public address, the part before /hub/ in the browser; "
            "a hub that was just started needs a few seconds",
        )


def _spread() -> float:
    """A factor that keeps many clients from coming back at the same moment."""
    return random.uniform(0.8, 1.2)  # noqa: S311 - keeps no secret


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    if "json" not in response.headers.get("content-type", "") or len(response.content) > _LARGEST_PROBLEM:
        return None
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
