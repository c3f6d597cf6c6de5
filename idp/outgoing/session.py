"""A session of requests, each of them bounded: short, small, without redirects (rules F6, R10).

What comes back is data of somebody else's: at most ``largest`` bytes of it, within ``SECONDS``
from the look-up of the name to the last byte read, however slowly it drips.
"""

import socket
import ssl
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from requests import RequestException, Response, Session
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter  # type: ignore[attr-defined]
from requests.utils import should_bypass_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from idp.outgoing import watch
from idp.outgoing.addresses import Address
from idp.outgoing.trouble import Away, WrongAnswer
from idp.outgoing.watch import SECONDS

CHUNK: Final = 8192


class BoundedSession(Session):
    """Raises ``Away`` or ``WrongAnswer``, and nothing else.

    Nothing of the answer or the request stands in what is raised: both hold secrets (rule L1).
    """

    largest = 256 * 1024  # bytes; Google's discovery document and key set have 2 each

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trust_env = False  # .netrc would add somebody's password
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())
        self.headers["Accept-Encoding"] = "identity"

    def check_addresses(self, host: str, addresses: Sequence[Address], *, plain: bool) -> None:
        """Raise ``NotAllowed`` for what may not be asked. Here nothing: the operator named it."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """One bounded exchange. A redirect raises ``WrongAnswer``."""
        proxies = proxies_for(url)
        bounds = {"timeout": SECONDS, "allow_redirects": False, "stream": True}
        kwargs |= {**bounds, "proxies": proxies}
        # Through a proxy the one connection is the operator's own, to the proxy.
        plain = urlsplit(url).scheme != "https"
        check = None if proxies else partial(self.check_addresses, plain=plain)
        with watch.watched(SECONDS, check) as watched:
            try:
                response: Response = super().request(method, url, *args, **kwargs)
                self._read(response)
            except (RequestException, HTTPError, OSError) as error:
                slow = watched.cut or "imeout" in type(error).__name__
                raise Away("slow" if slow else "unreachable") from None
            if watched.cut:  # a cut connection may look like the end of the answer
                raise Away("slow")
        if 300 <= response.status_code < 400:
            raise WrongAnswer("redirect")
        return response

    def _read(self, response: Response) -> None:
        """Read the body into the response, and no more of it than ``largest`` bytes."""
        with response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise WrongAnswer("compressed")
            parts, length = [], 0
            for chunk in response.iter_content(CHUNK):
                length += len(chunk)
                if length > self.largest:
                    raise WrongAnswer("too large")
                parts.append(chunk)
        response._content = b"".join(parts)


def proxies_for(url: str) -> dict[str, str]:
    """The operator's HTTPS_PROXY unless NO_PROXY names the host; never on the way to ourselves.

    ``trust_env`` would read the same variables, and .netrc too.
    """
    if urlsplit(url).scheme != "https" or should_bypass_proxies(url, no_proxy=None):
        return {}
    return {name: text for name, text in getproxies_environment().items() if name == "https"}


class _Watched:
    """A connection that the exchange makes and watches, before TLS begins."""

    def _new_conn(self) -> socket.socket:
        return watch.current().connect(self._dns_host, self.port)  # type: ignore[attr-defined]


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS: Final = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(HTTPAdapter):
    """No retries: a code works once."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_tls())
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=_tls())
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """``_tls`` has read the certificates already; nobody turns the verification off."""
        conn.cert_reqs = "CERT_REQUIRED"


@cache
def _tls() -> ssl.SSLContext:
    """The authorities of certifi, and those of the system: a school's own may be among them."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context
