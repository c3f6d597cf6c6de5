"""Our requests to other providers, which the operator named: Authlib's session, bounded."""

from typing import Any

from authlib.integrations.requests_client import OAuth2Session
from requests import Response

from idp.federation.identity import ProviderAway
from idp.outgoing import session


class BoundedSession(session.BoundedSession, OAuth2Session):  # type: ignore[misc]
    """Authlib's session, whose every request is bounded. Raises ``ProviderAway``, ``WrongAnswer``.

    A provider in trouble of its own is as good as away.
    """

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """One bounded exchange."""
        response = super().request(method, url, *args, **kwargs)
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderAway(f"status {response.status_code}")
        return response
