"""A fictional school's portal: a relying party like any other.

It shares no code and no database with the provider. All that it knows of it is the address
of the discovery document, a client id and a secret.
"""

import secrets

from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, render_template
from werkzeug.exceptions import HTTPException

from examples.mailbox.store import Mailbox
from examples.portal import (
    authenticator,
    dashboard,
    homework_helper,
    mail_pages,
    notices,
    sign_in,
)
from examples.portal.config import PortalConfig, current
from examples.portal.visits import Visits

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self' {issuer}"
)


def create_app(config: PortalConfig) -> Flask:
    """Build one school's portal."""
    app = Flask(__name__)
    app.secret_key = config.session_secret or secrets.token_bytes(32)
    # Cookies don't know ports: two portals on one host need two names.
    app.config.update(
        SESSION_COOKIE_NAME=f"portal_{config.port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.extensions["portal.config"] = config
    app.extensions["portal.visits"] = Visits(config.visits_file)
    app.extensions["portal.mailbox"] = Mailbox(config.mailbox_file) if config.mailbox_file else None
    app.extensions["portal.authenticator"] = config.authenticator_file
    _register_clients(app, config)
    app.register_blueprint(sign_in.blueprint)
    app.register_blueprint(dashboard.blueprint)
    app.register_blueprint(mail_pages.blueprint)
    app.register_blueprint(authenticator.blueprint)
    app.register_blueprint(homework_helper.blueprint)
    app.register_blueprint(notices.blueprint)
    app.context_processor(lambda: {"portal": config})
    app.register_error_handler(HTTPException, _error_page)
    app.after_request(_protect)
    app.add_url_rule("/health", view_func=lambda: Response("ok", mimetype="text/plain"))
    return app


def _register_clients(app: Flask, config: PortalConfig) -> None:
    oauth = OAuth(app)
    clients = [("school", config.client_id, config.client_secret, "openid profile email child")]
    if config.helper_client_id:
        helper = (config.helper_client_id, config.helper_client_secret, "openid profile child")
        clients.append(("helper", *helper))
    for name, client_id, client_secret, scope in clients:
        oauth.register(
            name,
            client_id=client_id,
            client_secret=client_secret,
            server_metadata_url=f"{config.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": scope, "code_challenge_method": "S256", "default_timeout": 10},
        )


def _error_page(error: HTTPException) -> tuple[str, int]:
    title = {404: "Cette page n'existe pas"}.get(error.code or 500, "Une erreur est survenue")
    page = render_template("message.html", title=title, text="Revenez à la page d'accueil.")
    return page, error.code or 500


def _protect(response: Response) -> Response:
    response.headers.setdefault(
        "Content-Security-Policy", CONTENT_SECURITY_POLICY.format(issuer=current().issuer)
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if response.mimetype in {"text/html", "application/json"}:
        response.headers["Cache-Control"] = "no-store"
    return response
