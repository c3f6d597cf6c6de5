"""Registrations that a worker has read: kept as long as the database tells their version.

Whoever wants one has just read its version, by a statement that the request makes anyway. So a
change counts with the next statement, at every worker of every machine, and needs no message
(docs/decisions/clients-by-version.md). What changes a client moves its version
(``Client.version``); a change by hand in SQL, past us, counts within ``KEPT`` seconds.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, select

from idp.clients.models import Client, ClientRow, ClientVersion
from idp.database import db, in_transaction
from idp.database.prepared import Prepared, columns

MOST: Final = 500
KEPT: Final = 10.0  # seconds

Result = TypeVar("Result")

_READ: Final[Prepared[tuple[ClientRow, int]]] = Prepared(
    select(*columns(Client, ClientRow), Client.version).where(Client.id == bindparam("client_id")),
    ClientRow,
)


class KeptClients:
    """Those of one worker; the one that came least lately goes first."""

    def __init__(self, most: int = MOST, lasts: float = KEPT) -> None:
        self._most = most
        self._lasts = lasts
        self._by_id: OrderedDict[str, tuple[int, float, ClientRow]] = OrderedDict()
        self._lock = Lock()

    def of(self, row: ClientVersion) -> ClientRow:
        """The client, disabled or not, as it is in this version. Nobody may change its metadata."""
        with self._lock:
            kept = self._by_id.get(row.id)
            if kept is not None and kept[0] == row.version and monotonic() < kept[1]:
                self._by_id.move_to_end(row.id)
                return kept[2]
        began = monotonic()
        read = _READ.one_or_none(client_id=row.id)
        if read is None:
            raise LookupError(f"client {row.id} is gone")  # no client is ever deleted
        if not in_transaction():  # which may be rolled back, and its version given out anew
            self._keep(read[0], read[1], began + self._lasts)
        return read[0]

    def _keep(self, client: ClientRow, version: int, until: float) -> None:
        with self._lock:
            self._by_id[client.id] = (version, until, client)
            self._by_id.move_to_end(client.id)
            while len(self._by_id) > self._most:
                self._by_id.popitem(last=False)


_kept: Final[WeakKeyDictionary[Engine, KeptClients]] = WeakKeyDictionary()
"""Those of this worker, of each database that it reads."""


def client(row: ClientVersion) -> ClientRow:
    """The client of which a statement has just read the version."""
    kept = _kept.get(db.engine)
    if kept is None:
        kept = _kept.setdefault(db.engine, KeptClients())
    return kept.of(row)


def with_client(into: Callable[..., Result], place: int) -> Callable[..., Result]:
    """As ``into`` of a prepared statement: its part at ``place`` is the version of a client, and
    ``into`` gets the client.
    """

    def made(*parts: Any) -> Result:
        return into(*parts[:place], client(parts[place]), *parts[place + 1 :])

    return made
