"""The provider's face on the web: pages for people, endpoints for applications."""

from flask import Flask

from idp.web import (
    account,
    admin,
    branding,
    browser,
    dates,
    errors,
    form_key,
    forms,
    guards,
    headers,
    health,
    i18n,
    kept,
    once,
    protocol,
    signin,
)

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Give ``app`` its pages, and what every request and answer goes through."""
    browser.init_app(app)
    forms.init_app(app)
    form_key.init_app(app)
    i18n.init_app(app)
    dates.init_app(app)
    branding.init_app(app)
    headers.init_app(app)
    errors.init_app(app)
    guards.init_app(app)
    kept.init_app(app)
    once.init_app(app)  # the last: keeps answers as they leave
    for part in (signin, account, admin, protocol, branding, i18n, health):
        app.register_blueprint(part.blueprint)
    app.register_blueprint(signin.provider_pages)
    # Programs call these; each has a protection of its own in place of a form token.
    for endpoints in (protocol.endpoints, signin.provider_callbacks):
        app.register_blueprint(endpoints)
        forms.csrf.exempt(endpoints)
