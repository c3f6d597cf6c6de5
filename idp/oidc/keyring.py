"""The running application's keyring: one object a process, made from the settings."""

from typing import cast

from flask import Flask, current_app

from idp.oidc.keys import Keyring
from idp.settings import Settings

_NAME = "idp.keyring"


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
