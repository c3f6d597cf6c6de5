"""The page on which somebody picks who they are, or stops."""

from time import time
from urllib.parse import urlencode

from flask import abort, make_response, redirect, render_template, request
from werkzeug import Response

from examples.providers.config import ProviderConfig
from examples.providers.people import Agreed, Store


def authorize(config: ProviderConfig, store: Store, *, issuer: str | None) -> Response:
    """The authorization endpoint: shows the people, then sends the browser back.

    ``issuer`` is told in the answer where the provider speaks RFC 9207.
    """
    params = request.args
    if params.get("client_id") != config.client_id:
        abort(400, "Unknown client_id")
    if params.get("redirect_uri") != config.redirect_uri:
        abort(400, "This redirect_uri is not registered")
    if request.method == "GET":
        return make_response(
            render_template(
                "choose.html",
                name=config.name,
                people=store.people,
                again="login" in params.get("prompt", "") or "auth_type" in params,
            )
        )
    person = store.find(request.form.get("person", ""))
    if params.get("response_type") != "code":
        answer = {"error": "unsupported_response_type"}
    elif person is None:
        answer = {"error": "access_denied", "error_description": "The person did not agree"}
    elif params.get("code_challenge_method", "S256") != "S256":
        answer = {"error": "invalid_request", "error_description": "Only S256"}
    else:
        agreed = Agreed(
            person,
            config.redirect_uri,
            params.get("scope", ""),
            params.get("nonce"),
            params.get("code_challenge"),
            int(time()),
        )
        answer = {"code": store.agree(agreed)}
    answer["state"] = params.get("state", "")
    if issuer is not None:
        answer["iss"] = issuer
    return redirect(f"{config.redirect_uri}?{urlencode(answer)}", 303)  # type: ignore[return-value]
