"""The running application's keyring: one object a process, made from the settings; and which of
its keys are published.
"""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from idp.clients import algorithms
from idp.database import db
from idp.oidc.database_store import DatabaseStore
from idp.oidc.folder_store import FolderStore
from idp.oidc.key_store import KeyStore
from idp.oidc.keys import ALGORITHMS, Keyring
from idp.settings import Settings

_NAME = "idp.keyring"
_LAST_USED = "idp.keyring.used"


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its keyring; no key is read yet."""
    app.extensions[_NAME] = Keyring(
        store_of(settings, settings.keys_in, lambda: _engine_of(app)),
        token_lifetime=settings.id_token_lifetime,
        cache_time=settings.key_cache,
    )


def store_of(settings: Settings, where: str, engine: Callable[[], Engine]) -> KeyStore:
    """The store of keys that is called so: ``folder`` or ``database``."""
    if where == "database":
        return DatabaseStore(settings.keys_encryption_key, engine)
    return FolderStore(settings.keys_folder)


def _engine_of(app: Flask) -> Engine:
    with app.app_context():  # what is kept of documents asks before a request has one
        return db.engine


def keyring() -> Keyring:
    """The running application's keyring."""
    return cast(Keyring, current_app.extensions[_NAME])


def keyring_of(app: Flask) -> Keyring:
    """The keyring of this application, whichever runs."""
    return cast(Keyring, app.extensions[_NAME])


def published_keys() -> dict[str, Any]:
    """The key set of the algorithms that some application in use is registered for: a client
    that knows no Ed25519 may refuse a set that holds such a key (RFC 7517 §5 lets it skip it).

    A registration shows its kind of key to all machines before its application is told
    (``algorithms.show_before_telling``). While the database is away, it is the set that was shown
    last.
    """
    known = current_app.extensions
    try:
        known[_LAST_USED] = algorithms.in_use() | algorithms.ALWAYS
    except SQLAlchemyError:
        known.setdefault(_LAST_USED, frozenset(ALGORITHMS))
    return keyring().key_set(known[_LAST_USED])
