"""The public keys of an application as objects: parsed once, and read from its ``jwks_uri``.

A worker keeps what it parsed. What an address answers is kept as its headers say; a signature
that no key fits has it asked again, once a minute at most, so that an application may rotate
its keys (OpenID Connect Core §10.1.1); while it is away, the last good keys serve for a day.
"""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final

from joserfc.jwk import Key, KeySet, RSAKey, import_key

from idp.clients.keys import SMALLEST_RSA, UNREADABLE
from idp.clients.models import ClientRow
from idp.outgoing.documents import Documents
from idp.outgoing.guarded import Answer
from idp.outgoing.trouble import WrongAnswer

MOST_KEYS: Final = 50
MOST_CLIENTS: Final = 1000
_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""The kind of key that belongs to each algorithm of a signature (RFC 8725 §3.1)."""


def client_keys(client: ClientRow) -> KeySet:
    """The keys of a client, parsed. Raises ``outgoing.trouble.Trouble`` where its ``jwks_uri``
    does not tell them, and was not told lately.
    """
    address = client.metadata_.get("jwks_uri")
    return _published.at(address).get() if address else _registered.of(client)


def has_keys(client: ClientRow) -> bool:
    """Whether this client has registered keys, or where they are read."""
    return "jwks" in client.metadata_ or "jwks_uri" in client.metadata_


def verifying(client: ClientRow, alg: str, kid: Any, *, pinned: str | None = None) -> Iterator[Key]:
    """The keys that may have signed, to be tried until one fits: by ``kid`` where one is named, by
    type, use and their own algorithm always (security rules O11, O12).

    ``pinned``: the only algorithm that the registration allows, whatever a key says of itself.
    Raises ``outgoing.trouble.Trouble``.
    """
    if not has_keys(client):
        return
    keys = client_keys(client)
    yield from _fitting(keys, alg, kid, pinned)
    address = client.metadata_.get("jwks_uri")
    newer = _published.at(address).again() if address else keys
    if newer is not keys:
        yield from _fitting(newer, alg, kid, pinned)


def _fitting(keys: KeySet, alg: str, kid: Any, pinned: str | None) -> list[Key]:
    if pinned not in (None, alg):
        return []
    return [
        key
        for key in keys.keys
        if key.key_type == KEY_TYPES.get(alg)
        and (pinned is not None or key.alg in (None, alg))
        and key.get("use") in (None, "sig")
        and (kid is None or key.kid == kid)
    ]


class _Registered:
    """Key sets that stand in registrations; the client that came least lately goes first."""

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._most = most
        self._by_client: OrderedDict[str, tuple[Any, KeySet]] = OrderedDict()
        self._lock = Lock()

    def of(self, client: ClientRow) -> KeySet:
        """The registered keys of this client, as it is registered now."""
        document = client.metadata_.get("jwks") or {"keys": []}
        with self._lock:
            kept = self._by_client.get(client.id)
            if kept is not None and kept[0] == document:
                self._by_client.move_to_end(client.id)
                return kept[1]
        keys = KeySet(list(_usable(document)))
        with self._lock:
            self._by_client[client.id] = (document, keys)
            self._by_client.move_to_end(client.id)
            while len(self._by_client) > self._most:
                self._by_client.popitem(last=False)
        return keys


def _of_answer(answer: Answer) -> KeySet:
    keys = KeySet(list(_usable(answer.json_object())))
    if not keys.keys:
        raise WrongAnswer("no public key")
    return keys


def _usable(document: dict[str, Any]) -> Iterator[Key]:
    """Its public keys. Others, and kinds that we don't know, make not the rest unreadable
    (RFC 7517 §5).
    """
    written = document.get("keys")
    for each in written[:MOST_KEYS] if isinstance(written, list) else []:
        if not isinstance(each, dict) or each.get("kty") not in _KINDS:
            continue
        try:
            key = import_key(each)
        except UNREADABLE:
            continue
        short = isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA
        if not short and not key.is_private:
            yield key


_registered: Final = _Registered()
_published: Final = Documents("jwks_uri", _of_answer)
