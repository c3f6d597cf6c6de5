"""The server behind ``idp mtls serve``: it ends TLS itself and hands on the peer's certificate.

Twisted reads a request whole, in one thread for all connections, before a thread of ours gets
it: a slow client holds a connection and nothing else. TLS accepts every certificate whose key
the client proves to hold; which one counts is decided by ``idp.oidc.client_certificate``.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask
from OpenSSL import SSL, crypto
from twisted.internet import reactor, task
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.threadpool import ThreadPool
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from idp.oidc import client_certificate
from idp.oidc.discovery import called_by_servers

REQUEST_SECONDS: Final = 10
"""From the connection, or the answer before, to the last byte of a request."""
CLOSING_SECONDS: Final = 2
STOP_SECONDS: Final = 30
"""How long requests may take to finish after a stop was asked."""
LARGEST: Final = 64 * 1024  # bytes of a body
MOST: Final = 500  # connections
MOST_OF_ONE: Final = 100  # of one address
BACKLOG: Final = 256
CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"  # FAPI 2.0 §5.2.2.1, for TLS 1.2
_TOLD_BY_PROXIES: Final = (
    *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"),
    *("HTTP_X_FORWARDED_PORT", "HTTP_X_REAL_IP", "HTTP_FORWARDED"),
)

Application = Callable[..., Iterable[bytes]]
Unusable = (SSL.Error, OSError)


@implementer(IOpenSSLServerConnectionCreator)
class Identity:
    """With what this server shows itself, and how it asks whom it speaks to.

    Files that were renewed are read again; while they don't fit each other, the former stay.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._changed = self._times()
        self._context = self._made()

    def serverConnectionForTLS(self, _protocol: Any) -> Any:  # noqa: N802 - Twisted's name
        """A new connection's side of TLS."""
        return SSL.Connection(self._current(), None)

    def _current(self) -> Any:
        try:
            if (changed := self._times()) != self._changed:
                self._context, self._changed = self._made(), changed
        except Unusable:
            pass  # in the midst of a renewal
        return self._context

    def _times(self) -> list[int]:
        return [each.stat().st_mtime_ns for each in self._files]

    def _made(self) -> Any:
        certificate, key = self._files
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(CIPHERS)
        context.set_options(
            SSL.OP_NO_COMPRESSION
            | SSL.OP_NO_RENEGOTIATION
            | SSL.OP_CIPHER_SERVER_PREFERENCE
            | SSL.OP_NO_TICKET
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # each connection proves its key
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        return context


class _Channel(HTTPChannel):
    """One connection: one of a bounded number, each request within its time."""

    timeOut = REQUEST_SECONDS  # noqa: N815
    abortTimeout = CLOSING_SECONDS  # noqa: N815
    _counted = ""

    def connectionMade(self) -> None:  # noqa: N802
        super().connectionMade()
        address, open_ = self.transport.getPeer().host, self.site.open
        if open_.total() >= MOST or open_[address] >= MOST_OF_ONE:
            self.transport.abortConnection()
            return
        self._counted = address
        open_[address] += 1

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        if self._counted:
            self.site.open[self._counted] -= 1
            self.site.open += Counter()  # forget who has none left
        super().connectionLost(reason)

    def resetTimeout(self) -> None:  # noqa: N802
        """The time is the request's, not that of its next byte."""


class _Request(Request):
    """A request whose body is bounded."""

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if self.content.tell() + len(data) <= LARGEST:
            super().handleContentChunk(data)
            return
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.channel.loseConnection()


class _Site(Site):
    protocol = _Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, requestFactory=_Request, timeout=REQUEST_SECONDS, **kwargs)
        self.displayTracebacks = False
        self.open: Counter[str] = Counter()

    def log(self, request: Any) -> None:
        """Nothing: the application has its own access log, without queries."""


class _Door(Resource):
    """Hands what applications call to the provider, with the peer's certificate; else 404."""

    isLeaf = True  # noqa: N815

    def __init__(self, app: Flask, pool: Any) -> None:
        super().__init__()
        config = app.extensions["idp.settings"]
        self._app, self._pool = app, pool
        self._host = urlsplit(config.issuer).netloc
        base = urlsplit(config.mtls_address).path.rstrip("/")
        self._paths = {(base + path).encode(): path for path in called_by_servers()}
        self.busy = 0

    def render(self, request: Any) -> Any:
        path = self._paths.get(request.path)
        if path is None:
            request.setResponseCode(404)
            return b""
        shown = request.channel.transport.getPeerCertificate()
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown) if shown is not None else b""
        self.busy += 1
        request.notifyFinish().addBoth(self._done)
        ours = partial(self._answer, path, der)
        return WSGIResource(reactor, self._pool, ours).render(request)

    def _answer(
        self, path: str, der: bytes, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        for name in _TOLD_BY_PROXIES:  # nobody is before us
            environ.pop(name, None)
        environ |= {
            "HTTP_HOST": self._host,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            client_certificate.CONNECTION: der,
        }
        return self._app(environ, start_response)

    def _done(self, _outcome: Any) -> None:
        self.busy -= 1


def serve(app: Flask, identity: Identity, host: str, port: int, threads: int) -> None:
    """Serve until SIGTERM or SIGINT; what is being answered then is answered."""
    ours = STDLibLogObserver("idp.mtls")
    warnings = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(ours, [warnings])], redirectStandardIO=False
    )
    pool = ThreadPool(minthreads=1, maxthreads=threads)
    with app.app_context():
        door = _Door(app, pool)
    listening = reactor.listenTCP(
        port, TLSMemoryBIOFactory(identity, False, _Site(door)), BACKLOG, interface=host
    )
    reactor.callWhenRunning(pool.start)
    reactor.addSystemEventTrigger("before", "shutdown", partial(_leave, listening, door))
    reactor.addSystemEventTrigger("after", "shutdown", pool.stop)
    reactor.run()


def _leave(listening: Any, door: _Door) -> Any:
    """Listen no more, and wait for what is under way."""
    listening.stopListening()
    until = reactor.seconds() + STOP_SECONDS

    def look() -> None:
        if not door.busy or reactor.seconds() > until:
            waits.stop()

    waits: Any = task.LoopingCall(look)
    return waits.start(0.1)
