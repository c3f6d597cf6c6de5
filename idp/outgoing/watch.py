"""One exchange, from the look-up of the name to the last byte: over when its time is over."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Timer
from time import monotonic
from typing import Final

from idp.outgoing.addresses import Address, resolve
from idp.outgoing.trouble import Away

SECONDS: Final = 5.0
"""How long an exchange of ours may take."""

Check = Callable[[str, Sequence[Address]], None]


class Watch:
    """The sockets of one exchange, which are cut when its time is over."""

    def __init__(self, seconds: float, check: Check | None) -> None:
        self.cut = False
        self._end = monotonic() + seconds
        self._check = check
        self._sockets: list[socket.socket] = []

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._end - monotonic()

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses that were checked, and to no others.

        Raises ``Away``, and whatever the check raises.
        """
        addresses = resolve(host, port, self.left)
        if self._check is not None:
            self._check(host, addresses)
        for number, address in enumerate(addresses):
            share = self.left / (len(addresses) - number)
            if share <= 0:
                break
            with suppress(OSError):
                connection = socket.create_connection((str(address), port), timeout=share)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(max(self.left, 0.001))
                self._add(connection)
                return connection
        raise Away("slow" if self.left <= 0 else "unreachable")

    def _add(self, connection: socket.socket) -> None:
        # A second descriptor of the same connection: TLS takes the first one over.
        self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.cut:
            self.stop()

    def stop(self) -> None:
        """Cut what is connected."""
        self.cut = True
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptors back."""
        for each in self._sockets:
            each.close()


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(seconds: float, check: Check | None = None) -> Iterator[Watch]:
    """Every connection that is made inside is this exchange's.

    ``check``: is asked about each host and its addresses, before anything is sent to them.
    """
    watch = Watch(seconds, check)
    timer = Timer(seconds, watch.stop)
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


def current() -> Watch:
    """The exchange of this moment: a connection outside of one is a mistake of ours."""
    watch = _watch.get()
    assert watch is not None, "a connection outside of watched()"
    return watch
