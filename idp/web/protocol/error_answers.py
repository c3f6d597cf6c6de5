"""Errors that no page of ours preceded: back to the application by themselves, or by a button.

RFC 9700 §4.11.2: whoever follows a link to us must not be bounced to wherever its author likes
(security rules O1 and O21, docs/decisions/silent-errors.md).
"""

from werkzeug.wrappers import Response

from idp.lifecycle import self_registration
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient
from idp.web import branding, browser
from idp.web.errors import PageError
from idp.web.protocol import answers


def lead_back(
    client: OAuthClient,
    error: OAuth2Error,
    response_mode: str,
    state: str | None,
    *,
    reason: str,
    silent: bool,
) -> Response:
    """The error, at the verified ``error.redirect_uri``. ``reason``: a sentence of ours;
    ``silent``: nobody is to be asked anything (``prompt=none``).

    Raises ``PageError``: the page with the button.
    """
    how = (error.redirect_uri, response_mode)
    what = (answers.error_fields(error), state)
    if _goes_by_itself(client, silent=silent):
        iss = answers.names_issuer(client)
        return answers.send(client.get_client_id(), *how, *what, iss=iss)
    branding.use(branding.of_application(client.record))
    way_back = answers.way_back(client, *how, *what)
    raise PageError(str(error.error), reason=reason, way_back=way_back)


def _goes_by_itself(client: OAuthClient, *, silent: bool) -> bool:
    """The schools' own applications: always. A third party: past the eyes of who is signed in, and
    where it asks silently. One that nobody has vetted: never.
    """
    if client.client_metadata["first_party"]:
        return True
    passes = silent or browser.signed_in() is not None
    return passes and not self_registration.is_strangers(client.record)
