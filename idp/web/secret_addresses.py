"""Which of our addresses hold in their query what only their reader may know (security rule P8).

Pages don't repeat them (``i18n.current_page``), and nothing before us may write them down: nginx
writes a whole request into its error log when we don't answer, so the operator's guide has a place
of its own for each of these.
"""

from typing import Final

MAILED_LINKS: Final = (
    "signin.welcome",
    "account.open_confirm_link",
    "account.open_undo_link",
    "account.open_factor_link",
    "account.open_guardianship_link",
)
"""Endpoints of links in mails: those of older mails carry their secret in the query."""

PROTOCOL: Final = (
    "oauth2.authorize",  # ``state``, and ``login_hint``: who somebody is
    "oauth2.logout",  # ``id_token_hint``: a whole ID token
    "oauth2.userinfo",  # an application that puts its access token there is refused, not unheard
    "oauth2.token",  # likewise: a code, a secret
    "oauth2.revoke",
    "oauth2.introspect",
    "oauth2.par",
    "oauth2.device_authorization",
    "oauth2.register_client",  # a registration's tokens, and secrets
    "oauth2.read_client",
    "oauth2.replace_client",
    "oauth2.remove_client",
    "federation.callback",  # a code that nobody has spent when we did not answer
)
"""Endpoints that applications and other providers send browsers and secrets to."""

SECRET_ADDRESSES: Final = (*MAILED_LINKS, *PROTOCOL)
