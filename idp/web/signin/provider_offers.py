"""What a page shows of other providers: buttons, logos, and an identity that waits.

Logos come from our own storage alone (security rule O19).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from flask import Response, current_app, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from idp.federation import links, providers
from idp.sessions.models import Interaction
from idp.settings import current as settings
from idp.settings.providers import LOGO_TYPES, ProviderSettings
from idp.web import branding, browser
from idp.web.errors import PageError
from idp.web.signin.blueprint import provider_pages

A_DAY = 24 * 3600
OURS = ("google", "facebook", "cabanga")


@dataclass(frozen=True)
class Offer:
    """A provider's button."""

    key: str
    label: str
    logo: str


@dataclass(frozen=True)
class Waiting:
    """The foreign identity that is linked to whoever signs in in this interaction."""

    key: str
    label: str
    shown: str
    forget: str
    """Where to say that it must not be linked."""


def context(interaction: Interaction) -> dict[str, Any]:
    """For the templates of an interaction's pages."""
    shown = [each for each in providers.offered() if is_offered(each.key)]
    return {"providers": offers_of(shown), "waiting": waiting(interaction)}


def is_offered(key: str) -> bool:
    """Whether this page may offer the provider: a school decides for its own applications.

    Elsewhere (our own sign-in page, an application of several schools) every provider is
    offered, so that a link that exists keeps opening its account.
    """
    return key not in branding.current().hidden_providers


def all_offers() -> list[Offer]:
    """The buttons, in their order; none where no provider is configured."""
    return offers_of(providers.offered())


def offers_of(configured: Iterable[ProviderSettings]) -> list[Offer]:
    """The buttons of these providers."""
    locale = str(get_locale())
    return [Offer(each.key, each.label(locale), _logo_address(each)) for each in configured]


def step_up_offers(account_id: str) -> list[Offer]:
    """The providers by which this guardian may prove again who they are."""
    linked = {each.provider for each in links.usable(account_id)}
    # Facebook tells no auth_time: it could never prove it.
    able = {each.key for each in providers.offered() if not each.is_facebook}
    return [offer for offer in all_offers() if offer.key in linked & able]


def waiting(interaction: Interaction) -> Waiting | None:
    """What waits for a guardian in this interaction."""
    if not settings().providers:
        return None
    identity = links.waiting(interaction.id, browser.browser_id())
    if identity is None:
        return None
    forget = url_for("federation.forget", interaction_id=interaction.id)
    return Waiting(identity.provider, label_of(identity.provider), identity.shown, forget)


def label_of(key: str) -> str:
    """A provider's name in the reader's language, also when it is not configured any more."""
    for each in settings().providers:
        if each.key == key:
            return each.label(str(get_locale()))
    return key.capitalize()


def linked_now(label: str) -> str:
    """The sentence after linking."""
    return str(
        _(
            "Your %(provider)s account is linked. From now on its button signs you in.",
            provider=label,
        )
    )


def linked_elsewhere(label: str) -> str:
    """The sentence for an identity that opens another account (security rule F5)."""
    return str(
        _(
            "This %(provider)s account is already linked to another account here, so it was not"
            " linked to yours. Whoever owns both can unlink it there first.",
            provider=label,
        )
    )


def other_identity(label: str) -> str:
    """The sentence for a second identity of one provider."""
    return str(
        _(
            "Your account is already linked to another %(provider)s account. Unlink that one"
            " first, under “My account”.",
            provider=label,
        )
    )


def _logo_address(provider: ProviderSettings) -> str:
    """Where its logo is; the address changes with the file that is configured."""
    if provider.logo:
        version = sha256(provider.logo.encode()).hexdigest()[:12]
        return url_for("federation.logo", key=provider.key, v=version)
    name = provider.key if provider.key in OURS else "other"
    static_url = cast(Callable[[str], str], current_app.jinja_env.globals["static_url"])
    return static_url(f"provider-{name}.svg")


@provider_pages.get("/providers/<key>/logo")
def logo(key: str) -> Response:
    """The configured file."""
    provider = next((each for each in providers.offered() if each.key == key and each.logo), None)
    if provider is None:
        raise PageError("not_found", 404)
    content = _content(provider.logo)
    response = Response(content, mimetype=LOGO_TYPES[Path(provider.logo).suffix.lower()])
    response.cache_control.public = True
    response.cache_control.max_age = A_DAY
    # An SVG is a document: opened by itself it must be a picture and nothing more.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()
