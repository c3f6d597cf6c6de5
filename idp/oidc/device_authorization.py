"""The device authorization endpoint (RFC 8628 §3.1, §3.2): a screen gets its two codes."""

from dataclasses import replace
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint

from idp import settings
from idp.clients.metadata import DEVICE_CODE
from idp.oidc import authorization_request, device_codes
from idp.oidc.client_authentication import METHODS
from idp.oidc.errors import TemporarilyUnavailable
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.request_ways import must_push, must_sign

PATH: Final = "/device"
"""Where guardians type the code: short, because it is typed too."""
_TRIES: Final = 5  # of 20⁸ user codes one that is in use is hardly met once


class DeviceAuthorization(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    """What was asked is kept as an authorization request is, and goes the same way."""

    CLIENT_AUTH_METHODS = METHODS
    INTERVAL = device_codes.POLL_INTERVAL

    def authenticate_client(self, request: Any) -> OAuthClient:
        client: OAuthClient = super().authenticate_client(request)
        if not client.check_grant_type(DEVICE_CODE):
            raise UnauthorizedClientError("The client is not registered for device codes")
        if must_sign(client) or must_push(client):
            # What is asked here is neither signed nor pushed
            raise UnauthorizedClientError("The client is registered to sign or push its requests")
        authorization_request.check_asked(request.form, client)
        if "none" in request.form.get("prompt", "").split():
            raise InvalidRequestError("A screen can't ask for prompt=none")
        return client

    def create_endpoint_response(self, request: Any) -> tuple[int, dict[str, Any], Any]:
        status, answer, headers = super().create_endpoint_response(request)
        self._keep(request, answer)
        return status, answer, headers

    def generate_device_code(self) -> str:
        return device_codes.new_device_code()

    def get_verification_uri(self) -> str:
        return f"{settings.current().issuer}{PATH}"

    def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
        """Kept by ``_keep``, which knows the request."""

    def _keep(self, request: Any, answer: dict[str, Any]) -> None:
        answer["expires_in"] = int(settings.current().device_code_lifetime.total_seconds())
        pending = authorization_request.parse(request.form, request.client, hinted_subject=None)
        # A screen may be looked at by many, and has no way to another child or person: who is
        # signed in says that it is them, and which child this is about, whatever was chosen before
        pending = replace(pending, prompt=(*pending.prompt, "select_account"))
        for _ in range(_TRIES):
            code = device_codes.normalised(answer["user_code"])
            if code and device_codes.begin(
                pending.client_id, pending.as_json(), answer["device_code"], code
            ):
                return
            taken = answer["user_code"]
            answer["user_code"] = self.generate_user_code()
            complete = answer["verification_uri_complete"]
            answer["verification_uri_complete"] = complete.replace(taken, answer["user_code"])
        raise TemporarilyUnavailable
