"""The provider's face on the web: pages for people, endpoints for applications."""

from flask import Flask

from idp.web import (
    account,
    admin,
    branding,
    browser,
    canonical,
    dates,
    errors,
    federation,
    form_key,
    forms,
    headers,
    health,
    history,
    i18n,
    kept,
    methods,
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
    history.init_app(app)
    methods.init_app(app)
    canonical.init_app(app)
    kept.init_app(app)
    once.init_app(app)  # the last: keeps answers as they leave
    for part in (signin, account, admin, federation, protocol, branding, i18n, health):
        app.register_blueprint(part.blueprint)
    # Programs call these; each has a protection of its own in place of a form token.
    for endpoints in (protocol.endpoints, federation.callbacks):
        app.register_blueprint(endpoints)
        forms.csrf.exempt(endpoints)
