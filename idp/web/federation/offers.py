"""What a sign-in page shows of other providers: their buttons, and an identity that waits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from idp.federation import links, providers
from idp.sessions.models import Interaction
from idp.settings import current as settings
from idp.settings.providers import ProviderSettings
from idp.web import branding, browser
from idp.web.federation import logos


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
    return [Offer(each.key, each.label(locale), logos.address(each)) for each in configured]


def waiting(interaction: Interaction) -> Waiting | None:
    """What waits for a guardian in this interaction."""
    if not settings().providers:
        return None
    found = links.waiting(interaction.id, browser.browser_id())
    if found is None:
        return None
    forget = url_for("federation.forget", interaction_id=interaction.id)
    return Waiting(found.provider, label_of(found.provider), found.shown, forget)


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
