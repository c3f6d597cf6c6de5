"""The running application's keyring: one object a process, made from the settings; and which of
its keys are published.
"""

from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from idp.clients import algorithms
from idp.oidc.keys import ALGORITHMS, Keyring
from idp.settings import Settings

_NAME = "idp.keyring"
_LAST_USED = "idp.keyring.used"


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its keyring; no key is read yet."""
    app.extensions[_NAME] = Keyring(
        settings.keys_folder,
        token_lifetime=settings.id_token_lifetime,
        cache_time=settings.key_cache,
    )


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
