"""The configured providers, each by its key."""

from typing import TYPE_CHECKING, Protocol, cast

from flask import Flask, current_app

from idp.federation.authorization_request import ProviderRequest
from idp.federation.identity import ForeignIdentity
from idp.settings import Settings
from idp.settings.providers import ProviderSettings

if TYPE_CHECKING:
    from authlib.integrations.flask_client import OAuth

    from idp.federation.facebook import FacebookProvider


class Provider(Protocol):
    """What every provider can do, whatever it speaks. Each may raise ``ProviderTrouble``."""

    settings: ProviderSettings

    def address(self, request: ProviderRequest) -> str:
        """Where the browser goes."""

    def tells_issuer(self) -> bool:
        """Whether its answers must hold ``iss``."""

    def identity(self, code: str, request: ProviderRequest) -> ForeignIdentity:
        """Whose identity the code proves, verified in full."""


def init_app(app: Flask, settings: Settings) -> None:
    """Register every configured provider with Authlib's Flask client, which is loaded for them."""
    app.extensions["idp.federation"] = {}
    if not settings.providers:
        return
    from authlib.integrations.flask_client import OAuth

    oauth = OAuth(app)
    app.extensions["idp.federation"] = {
        each.key: _register(oauth, each) for each in settings.providers
    }


def find(key: str) -> Provider | None:
    """The provider of this key, if parents may sign in by it."""
    provider = _all().get(key)
    return provider if provider is not None and provider.settings.enabled else None


def offered() -> list[ProviderSettings]:
    """The providers of the sign-in page, in the order of their buttons."""
    return [each.settings for each in _all().values() if each.settings.enabled]


def facebook() -> "FacebookProvider | None":
    """Facebook, on or off: its callbacks are obeyed either way."""
    if (provider := _all().get("facebook")) is None:
        return None
    from idp.federation.facebook import FacebookProvider

    return provider if isinstance(provider, FacebookProvider) else None


def _all() -> dict[str, Provider]:
    return cast(dict[str, Provider], current_app.extensions["idp.federation"])


def _register(oauth: "OAuth", provider: ProviderSettings) -> Provider:
    from idp.federation.facebook import FacebookApp, FacebookProvider
    from idp.federation.openid import OpenIDApp, OpenIDProvider

    common = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret.reveal(),
    }
    scoped = {"scope": provider.scopes, "code_challenge_method": "S256"}
    if provider.is_facebook:
        version = provider.graph_version
        app = oauth.register(
            provider.key,
            client_cls=FacebookApp,
            authorize_url=f"{provider.dialog_url.rstrip('/')}/{version}/dialog/oauth",
            access_token_url=f"{provider.graph_url.rstrip('/')}/{version}/oauth/access_token",
            client_kwargs={**scoped, "token_endpoint_auth_method": "client_secret_post"},
            **common,
        )
        return FacebookProvider(provider, app)
    app = oauth.register(
        provider.key,
        client_cls=OpenIDApp,
        provider=provider,
        client_kwargs={**scoped, "token_endpoint_auth_method": provider.auth_method},
        **common,
    )
    return OpenIDProvider(provider, app)
