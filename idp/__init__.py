"""The OpenID Connect provider that schools trust with families.

``create_app`` is the only place that wires the parts together. What it needs is loaded when it is
called: a command is loaded from here too, and hears Ctrl-C before that (``idp.cli``).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flask import Flask

    from idp.settings import Settings, UnsafeSettings

REACHED: Final = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""How libpq learns that a network is gone (seconds; milliseconds). A pooler is told none of it;
what an address says itself (``?connect_timeout=…``) counts."""

__all__ = ["Settings", "UnsafeSettings", "create_app"]


def __getattr__(name: str) -> Any:
    if name not in {"Settings", "UnsafeSettings"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from idp import settings

    return getattr(settings, name)


def create_app(settings: "Settings | None" = None) -> "Flask":
    """Build the provider from ``settings``, or from the environment.

    Raises ``UnsafeSettings`` where the settings would be unsafe to serve with.
    """
    from idp.database import db
    from idp.resources import folder
    from idp.settings import Settings, UnsafeSettings, safety

    settings = settings or Settings.from_environment(os.environ)
    if problems := safety.problems(settings):
        raise UnsafeSettings(problems)
    from idp.web.short_way import Provider

    app = Provider(
        "idp", static_folder=str(folder("idp.static")), template_folder=str(folder("idp.templates"))
    )
    app.extensions["idp.settings"] = settings
    app.config.update(_flask_config(settings))
    db.init_app(app)
    _import_models()
    _wire(app)
    return app


def _flask_config(settings: "Settings") -> dict[str, object]:
    from idp.resources import folder

    url = settings.sqlalchemy_url
    return {
        "SECRET_KEY": settings.session_secret,
        "SECRET_KEY_FALLBACKS": settings.session_secret.oldest_first[:-1],
        "WTF_CSRF_SECRET_KEY": settings.session_secret.oldest_first,
        "SQLALCHEMY_DATABASE_URI": _absolute_sqlite(url),
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(url, settings),
        "MAX_CONTENT_LENGTH": 64 * 1024,
        "MAX_FORM_MEMORY_SIZE": 64 * 1024,
        "MAX_FORM_PARTS": 100,
        "SESSION_COOKIE_NAME": "__Host-idp_browser" if settings.secure else "idp_browser",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "PERMANENT_SESSION_LIFETIME": 365 * 24 * 3600,
        "WTF_CSRF_TIME_LIMIT": int(settings.interaction_lifetime.total_seconds()),
        "WTF_CSRF_SSL_STRICT": settings.secure,
        "BABEL_DEFAULT_LOCALE": settings.default_locale,
        "BABEL_DEFAULT_TIMEZONE": settings.timezone,
        "BABEL_TRANSLATION_DIRECTORIES": str(folder("idp.translations")),
    }


def _engine_options(url: str, settings: "Settings") -> dict[str, object]:
    from sqlalchemy import make_url

    # Rule L1: an error message must not quote the values of a row.
    options: dict[str, object] = {"hide_parameters": True}
    if url.startswith("sqlite"):
        return {**options, "connect_args": {"timeout": 10}}
    connections = settings.database_connections
    chosen = make_url(url).query
    reached: dict[str, object] = {name: it for name, it in REACHED.items() if name not in chosen}
    if settings.database_pooled:
        # What one statement prepares, the next one's server may not know
        reached["prepare_threshold"] = None
    return {
        **options,
        "connect_args": reached,
        "pool_size": connections // 2,
        "max_overflow": connections - connections // 2,
        "pool_timeout": 10,
        "pool_recycle": 1800,
        "isolation_level": "AUTOCOMMIT",  # for reads; see idp.database.transaction
        "skip_autocommit_rollback": True,  # after them there is nothing to roll back
    }


def _absolute_sqlite(url: str) -> str:
    # Flask-SQLAlchemy would look for a relative file in its instance folder; we mean
    # the folder that the provider was started in, as for every other path.
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/") and url != prefix + ":memory:":
        path = Path(url.removeprefix(prefix)).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return f"{prefix}{path}"
    return url


def _import_models() -> None:
    import idp.audit.models
    import idp.clients.models
    import idp.credentials.models
    import idp.deliveries.models
    import idp.federation.models
    import idp.mail.models
    import idp.oidc.key_models
    import idp.oidc.models
    import idp.people.models
    import idp.people.platform_counts
    import idp.roster.models
    import idp.roster.question_models
    import idp.sessions.models  # noqa: F401


def _wire(app: "Flask") -> None:
    """Join the faces and the services."""
    import idp.privacy.export_sections
    import idp.roster.export_section  # noqa: F401
    from idp import concurrency_limit, logs, measures, web
    from idp.audit import continuity
    from idp.federation import providers
    from idp.lifecycle import mails
    from idp.mail import delivery
    from idp.oidc import keyring, server
    from idp.readiness import write_probe
    from idp.readiness.leaving import LastAnswers
    from idp.web.short_way import ShortWay
    from idp.web.slow_clients import BoundedBodies, WholeAnswers

    settings = app.extensions["idp.settings"]
    logs.configure(settings)
    limited = concurrency_limit.ConcurrencyLimit(ShortWay(app, app.wsgi_app))
    bounded = BoundedBodies(limited, settings.trusted_proxies)
    counted = measures.Requests(bounded) if settings.metrics_port else bounded
    whole = WholeAnswers(logs.AccessLog(counted))
    app.wsgi_app = LastAnswers(whole)  # type: ignore[method-assign]
    keyring.init_app(app, settings)
    continuity.init_app(app)
    write_probe.init_app(app)
    server.init_app(app)
    providers.init_app(app, settings)
    delivery.init_app(app)
    mails.register()
    web.init_app(app)
