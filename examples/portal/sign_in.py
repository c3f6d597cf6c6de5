"""Signing in and out with OpenID Connect: all that a relying party has to do.

Authlib makes and checks ``state``, ``nonce`` and the PKCE verifier, and verifies the ID
token against the provider's keys.
"""

from time import time
from typing import Any, cast

import requests
from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError
from authlib.integrations.flask_client import FlaskOAuth2App
from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from examples.portal.config import current
from examples.portal.visits import Visit, Visits

blueprint = Blueprint("sign_in", __name__)

Page = Response | tuple[str, int]
ASK_AGAIN = 10
"""Seconds for which a page may be shown without asking whether the guardianship still holds."""
PENDING_SIGN_INS = 3
"""Begun and never finished: more would make the cookie too large for the browser."""


@blueprint.get("/login")
def login() -> Page:
    """Send the parent to the provider. Also where the provider starts us (Core §4)."""
    if request.args.get("iss", current().issuer) != current().issuer:
        return _refusal("invalid_request", "La demande vient d'un autre fournisseur d'identité.")
    hint = request.args.get("login_hint")
    return go_to_provider("school", "/callback", **({"login_hint": hint} if hint else {}))


@blueprint.get("/switch")
def switch_child() -> Page:
    """« Changer d'enfant »: the provider asks which child, whatever it remembers."""
    return go_to_provider("school", "/callback", prompt="select_account")


@blueprint.get("/callback")
def callback() -> Page:
    """The provider's answer: a code to redeem, or an error."""
    outcome = come_back("school")
    if not isinstance(outcome, Visit):
        # Back button, or a second click: what is done needs no second answer.
        already = request.args.get("code") and visit()
        return redirect("/") if already else outcome
    visits().end(session.pop("visit", None))
    session["visit"] = visits().begin(outcome)  # a new id: nothing known before is worth anything
    return redirect("/")


@blueprint.post("/logout")
def logout() -> Page:
    """End our visit, then the provider's session (RP-Initiated Logout 1.0).

    Another site can't post here: the cookie is ``SameSite=Lax``.
    """
    present = visit()
    visits().end(session.pop("visit", None))
    session.clear()
    if present is None:
        return redirect("/")
    try:
        return cast(
            Response,
            client("school").logout_redirect(
                post_logout_redirect_uri=f"{current().url}/",
                id_token_hint=present.id_token,
                client_id=current().client_id,
            ),
        )
    except (requests.RequestException, RuntimeError):
        return redirect("/")  # the provider is away: we have forgotten the parent all the same


def signed_out_by_provider() -> bool:
    """Whether this request is the provider's answer to our sign-out, with our ``state``."""
    if "state" not in request.args:
        return False
    try:
        client("school").validate_logout_response()
    except OAuthError:
        return False
    return True


def client(name: str) -> FlaskOAuth2App:
    """Authlib's client for one of our registrations."""
    return cast(
        FlaskOAuth2App,
        current_app.extensions["authlib.integrations.flask_client"].create_client(name),
    )


def go_to_provider(name: str, callback_path: str, **parameters: str) -> Page:
    """Begin an authorization request and redirect the browser to it."""
    _forget_old_sign_ins(name)
    try:
        answer = client(name).authorize_redirect(f"{current().url}{callback_path}", **parameters)
    except requests.RequestException:
        return _refusal("temporarily_unavailable", "Le service de connexion ne répond pas.", 502)
    return cast(Response, answer)


def come_back(name: str, retry: str = "sign_in.login") -> Visit | Page:
    """Redeem the code of the provider's answer; a page where that can't be.

    ``retry``: the endpoint where such a page lets the parent begin again.
    """
    # RFC 9207 §2.4: an answer that another provider gave is not for us
    if request.args.get("iss", current().issuer) != current().issuer:
        return _refusal(
            "invalid_request", "La réponse vient d'un autre fournisseur d'identité.", retry=retry
        )
    try:
        token = client(name).authorize_access_token()
        return _visit(client(name), token)
    except MismatchingStateError:
        return _refusal(
            "invalid_state", "Cette connexion n'a pas été commencée ici, ou est finie.", retry=retry
        )
    except OAuthError as error:
        return _refusal(str(error.error or "server_error"), error.description or "", retry=retry)
    except (requests.RequestException, JoseError, ValueError) as error:
        current_app.logger.warning("sign-in failed: %s", type(error).__name__)
        return _refusal(
            "server_error", "La réponse du service de connexion est inutilisable.", 502, retry=retry
        )


def visit() -> Visit | None:
    """The visit of the browser that asks."""
    return visits().find(session.get("visit"))


def live_visit(name: str = "school", key: str = "visit") -> Visit | None:
    """The visit under this key of the cookie, once more asked about if that was a while ago.

    A school may end a guardianship at any time; an access token that is over ends a visit, too,
    and a click on « sign in » begins the next one.
    """
    found = visits().find(session.get(key))
    asked = f"{key}_asked_at"
    if found is None or not found.access_token or time() - session.get(asked, 0) < ASK_AGAIN:
        return found
    try:
        token = {"access_token": found.access_token, "token_type": "Bearer"}
        endpoint = client(name).load_server_metadata()["userinfo_endpoint"]
        answer = client(name).get(endpoint, token=token)
    except requests.RequestException:
        return found  # the provider is away: the next page asks again
    if answer.status_code == 401:
        visits().end(session.pop(key))
        return None
    session[asked] = time()
    return found


SEPARATED = (
    "L'école a mis fin à votre lien avec cet enfant, et la page s'est fermée. Si c'est une erreur, "
    "l'école seule peut le changer : écrivez-lui."
)
SIGNED_OUT = (
    "Votre session a été fermée, et cette page avec elle. Vous pouvez vous reconnecter quand vous "
    "voulez."
)
CLOSED = {
    "guardianship": ("Vous n'avez plus accès à cette page", SEPARATED),
    "session": ("Vous êtes déconnecté", SIGNED_OUT),
}


def closed_page(key: str = "visit", again: str = "dashboard.home") -> tuple[str, int] | None:
    """What somebody sees whose page the provider had us close; None where it did not."""
    why = visits().why_closed(session.get(key))
    if why is None:
        return None
    session.pop(key, None)
    title, text = CLOSED[why]
    return render_template("message.html", title=title, text=text, home=url_for(again)), 200


def visits() -> Visits:
    """The store of visits of the running portal."""
    return cast(Visits, current_app.extensions["portal.visits"])


def _visit(provider: FlaskOAuth2App, token: dict[str, Any]) -> Visit:
    claims = dict(token["userinfo"])
    userinfo = dict(provider.userinfo(token=token))
    if userinfo.get("sub") != claims["sub"]:  # Core §5.3.2: else it is somebody else's
        raise ValueError("UserInfo is about somebody else")
    return Visit(token["id_token"], claims, userinfo, token["access_token"])


def _forget_old_sign_ins(name: str) -> None:
    prefix = f"_state_{name}_"
    pending = [key for key in session if key.startswith(prefix)]
    pending.sort(key=lambda key: float(session[key].get("exp", 0)))
    for key in pending[: -PENDING_SIGN_INS + 1]:
        session.pop(key)


NO_CHILD = "The guardian has no child at this school"
"""The provider's documented ``error_description``: ``access_denied``, and nobody cancelled."""

REASONS = {
    NO_CHILD: (
        "Aucun enfant dans cette école",
        "Votre compte n'y est relié à aucun enfant. L'école seule peut le changer : écrivez-lui.",
    ),
    "access_denied": (
        "Connexion annulée",
        "Vous avez choisi de ne pas continuer. Vous pouvez recommencer quand vous voulez.",
    ),
    "temporarily_unavailable": (
        "Le service de connexion est momentanément indisponible",
        "Réessayez dans quelques minutes.",
    ),
    "invalid_state": (
        "Cette connexion n'est plus valable",
        "Elle a été commencée dans un autre navigateur, ou est déjà terminée.",
    ),
}


def _refusal(
    code: str, description: str, status: int = 400, *, retry: str = "sign_in.login"
) -> tuple[str, int]:
    reason = NO_CHILD if (code, description) == ("access_denied", NO_CHILD) else code
    title, text = REASONS.get(
        reason,
        ("La connexion n'a pas abouti", "Réessayez, ou contactez le secrétariat de l'école."),
    )
    page = render_template(
        "message.html",
        title=title,
        text=text,
        code=code,
        description=description,
        retry=url_for(retry),
    )
    return page, status
