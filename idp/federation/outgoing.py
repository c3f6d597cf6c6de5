"""Our requests to other providers: short, bounded, without redirects (security rules F6, R10).

What comes back is data of somebody else's: at most ``LARGEST`` bytes of it, within ``SECONDS``
from the first byte sent to the last one read, however slowly it drips.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import BoundedSemaphore, Timer
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from authlib.integrations.requests_client import OAuth2Session
from requests import RequestException, Response
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from idp import concurrency_limit
from idp.database import release_connection
from idp.federation.identity import ProviderAway, WrongAnswer

SECONDS: Final = 5.0
LARGEST: Final = 256 * 1024  # bytes; Google's discovery document and key set have 2 each
AT_ONCE: Final = 8
"""Requests of a worker that may wait for one provider: a slow one must not hold all threads."""
CHUNK: Final = 8192


class Places:
    """The places of those who wait for one provider."""

    def __init__(self, number: int = AT_ONCE) -> None:
        self._places = BoundedSemaphore(number)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Talk to the provider without a database connection, and let others run meanwhile.

        Raises ``ProviderAway`` at once where too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise ProviderAway("busy")
        try:
            release_connection()
            with concurrency_limit.released():
                yield
        finally:
            self._places.release()


class BoundedSession(OAuth2Session):  # type: ignore[misc]
    """Authlib's session, whose every request is bounded. Raises ``ProviderAway``, ``WrongAnswer``.

    Nothing of the answer or the request stands in what is raised: both hold secrets (rule L1).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trust_env = False  # .netrc would add somebody's password
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())
        self.headers["Accept-Encoding"] = "identity"

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        """One bounded exchange."""
        bounds = {"timeout": SECONDS, "allow_redirects": False, "stream": True}
        kwargs |= {**bounds, "proxies": _proxies(url)}
        with _watched() as watch:
            try:
                response: Response = super().request(method, url, *args, **kwargs)
                _read(response)
            except (RequestException, HTTPError, OSError) as error:
                slow = watch.cut or "imeout" in type(error).__name__
                raise ProviderAway("slow" if slow else "unreachable") from None
            if watch.cut:  # a cut connection may look like the end of the answer
                raise ProviderAway("slow")
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderAway(f"status {response.status_code}")
        if 300 <= response.status_code < 400:
            raise WrongAnswer("redirect")
        return response


def _read(response: Response) -> None:
    """Read the body into the response, and no more of it than ``LARGEST`` bytes."""
    with response:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise WrongAnswer("compressed")
        parts, length = [], 0
        for chunk in response.iter_content(CHUNK):
            length += len(chunk)
            if length > LARGEST:
                raise WrongAnswer("too large")
            parts.append(chunk)
    response._content = b"".join(parts)


class _Watch:
    """The sockets of one exchange, which are cut when its time is over."""

    def __init__(self) -> None:
        self.cut = False
        self._sockets: list[socket.socket] = []

    def add(self, connection: socket.socket) -> None:
        # A second descriptor of the same connection: TLS takes the first one over.
        self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.cut:
            self.stop()

    def stop(self) -> None:
        self.cut = True
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in self._sockets:
            each.close()


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def _watched() -> Iterator[_Watch]:
    watch = _Watch()
    timer = Timer(SECONDS, watch.stop)
    timer.daemon = True
    timer.start()
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)
        timer.cancel()
        timer.join()
        watch.close()


class _Watched:
    """A connection that tells the watch of its socket, before TLS begins."""

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        watch = _watch.get()
        if watch is not None:
            watch.add(connection)
        return connection


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    """No retries: a code works once."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


def _proxies(url: str) -> dict[str, str]:
    """The operator's HTTPS_PROXY unless NO_PROXY names the host; never on the way to ourselves.

    ``trust_env`` would read the same variables, and .netrc too.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or should_bypass_proxies(url, no_proxy=None):
        return {}
    return {name: text for name, text in getproxies_environment().items() if name == "https"}
