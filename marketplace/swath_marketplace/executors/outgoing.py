"""The one way from here to an address that a user named: guarded where the connection is made.

Every address that a name leads to is checked, and then that very address is connected to: a name that leads elsewhere
a moment later gains nothing. No redirect is followed, no proxy is asked, no cookie is kept, and the whole exchange has
one deadline, however slowly the other side lets its bytes drip.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpcore
import httpx

from swath_marketplace.domain.addresses import OutgoingRules, Target, refused
from swath_marketplace.domain.errors import AddressRefused

#: Answers the addresses that a host's name leads to.
Resolve = Callable[[str, int], Sequence[str]]

_CONNECT_SECONDS = 5.0
_MOST_HEADERS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    """Its body, cut off at the limit."""

    @property
    def ok(self) -> bool:
        """Whether it took what was sent."""
        return 200 <= self.status < 300


class OutgoingFailed(Exception):
    """Nobody answered, or not in time; the text is for users and names no address."""


class Outgoing:
    """Sends to users' addresses. Safe to use from many threads.

    Parameters
    ----------
    seconds
        Of a whole exchange, from the look-up of the name to the end of the answer.
    answer_bytes
        Most that is read of an answer's body.
    authorities
        A file of certificate authorities to trust beside the usual ones.
    """

    def __init__(
        self,
        rules: OutgoingRules,
        *,
        seconds: float = 15.0,
        answer_bytes: int = 64 << 10,
        authorities: Path | None = None,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = rules
        self._seconds = seconds
        self._answer_bytes = answer_bytes
        self._authorities = authorities
        self._resolve = resolve or look_up
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._agent = f"Swath/{version('swath')}"

    def check(self, url: str) -> None:
        """Refuse an address before anything is promised to whoever gave it.

        Raises
        ------
        AddressRefused
            It is of a wrong kind, or its name leads nowhere or to a private address. What a name leads to may change:
            `post` looks again.
        """
        target = self.rules.target(url)
        try:
            found = self._resolve(target.host, target.port)
        except OSError:
            raise refused("its name leads nowhere", "check the host's name") from None
        self.rules.check(found)

    def post(self, url: str, content: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send `content` once.

        Raises
        ------
        AddressRefused
            Nothing was sent.
        OutgoingFailed
            It may have arrived, or not.
        """
        target = self.rules.target(url)
        deadline = self._clock() + self._seconds
        told = {"Host": target.authority, "User-Agent": self._agent, "Accept": "*/*", "Connection": "close"}
        told |= headers or {}
        backend = _Guarded(self.rules, resolve=self._resolve, deadline=deadline, clock=self._clock)
        context = self._tls() if target.scheme == "https" else None
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=context, max_connections=1, retries=0, http2=False, network_backend=backend
                ) as pool,
                pool.stream(
                    "POST", _url(target), headers=list(told.items()), content=content, extensions={"timeout": timeout}
                ) as response,
            ):
                return Answer(
                    status=response.status, headers=_texts(response.headers), content=self._body(response, deadline)
                )
        except AddressRefused:
            raise
        except Exception as error:
            raise OutgoingFailed(_why(error)) from error

    def _body(self, response: httpcore.Response, deadline: float) -> bytes:
        content = b""
        try:
            for piece in response.iter_stream():
                content += piece
                if len(content) >= self._answer_bytes or self._clock() > deadline:
                    break
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            # The status is there; what the body would have said is nobody's concern.
            pass
        return content[: self._answer_bytes]

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            # trust_env=False: what is trusted is this service's setting and not its environment's accident.
            context = httpx.create_ssl_context(trust_env=False)
            if self._authorities:
                context.load_verify_locations(cafile=self._authorities)
            self._context = context
        return self._context


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, as this machine's resolver tells them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("no host's name") from error
    return [str(one[4][0]) for one in found]


class _Guarded(httpcore.NetworkBackend):
    """Resolves, checks, and connects to what was checked; TLS and ``Host`` go by the URL's name all the same."""

    def __init__(self, rules: OutgoingRules, *, resolve: Resolve, deadline: float, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._resolve = resolve
        self._deadline = deadline
        self._clock = clock
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        try:
            found = self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError("name") from error
        failure: Exception = httpcore.ConnectError("name")
        for address in self._rules.check(found):
            left = min(_CONNECT_SECONDS, _left(self._deadline, self._clock))
            try:
                stream = self._inner.connect_tcp(
                    str(address), port, timeout=left, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Timed(stream, deadline=self._deadline, clock=self._clock)
        raise failure

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        del path, timeout, socket_options
        raise httpcore.UnsupportedProtocol("unix sockets are not sent to")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(min(seconds, max(0.0, self._deadline - self._clock())))


class _Timed(httpcore.NetworkStream):
    """A stream whose every operation ends by the deadline of the whole exchange."""

    def __init__(self, stream: httpcore.NetworkStream, *, deadline: float, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._deadline = deadline
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, timeout=_left(self._deadline, self._clock))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._stream.write(buffer, timeout=_left(self._deadline, self._clock))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        left = _left(self._deadline, self._clock)
        stream = self._stream.start_tls(ssl_context, server_hostname=server_hostname, timeout=left)
        return _Timed(stream, deadline=self._deadline, clock=self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _url(target: Target) -> httpcore.URL:
    """Of the parts that were checked: nothing reads the text a second time, in another way."""
    return httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)


def _left(deadline: float, clock: Callable[[], float]) -> float:
    left = deadline - clock()
    if left <= 0:
        raise httpcore.ReadTimeout("deadline")
    return left


def _texts(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers[:_MOST_HEADERS]}


def _why(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpcore.ConnectError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate cannot be verified"
        return "its name leads nowhere" if str(error) == "name" else "nobody answers there"
    if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError):
        return "the connection broke, or the answer is not HTTP"
    return "it could not be sent"
