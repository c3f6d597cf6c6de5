"""Two ways through us: Flask's whole one for pages, a short one for what programs call.

Programs bring no cookie, read no language and send no form token. Their requests go to the same
views and services, with the same errors and the same headers, past what only pages need: opening
and saving the browser's cookie, looking for the address among some hundreds, and a dozen looks
before and after each view. ``WAYS`` says which way each address takes; public documents are
kept as they left (``idp.web.ready_documents``).
"""

from collections.abc import Callable, Iterable
from enum import Enum
from functools import cached_property
from time import monotonic
from typing import Any, Final

from flask import Flask, Response, request
from flask.ctx import RequestContext
from flask.sessions import SessionMixin
from flask.wrappers import Request
from werkzeug.routing import MapAdapter, Rule

from idp import measures
from idp.web import browser, guards, headers
from idp.web.ready_documents import ReadyDocuments

Application = Callable[..., Iterable[bytes]]


class Way(Enum):
    """How much of Flask a request goes through."""

    SHORT = "short"
    READY = "short, and kept as it left"
    WHOLE = "whole"


WAYS: Final = {
    "health.live": Way.SHORT,
    "health.ready": Way.SHORT,
    "oauth2.configuration": Way.READY,
    "oauth2.description": Way.READY,
    "oauth2.device_authorization": Way.SHORT,
    "oauth2.introspect": Way.SHORT,
    "oauth2.jwks": Way.READY,
    "oauth2.par": Way.SHORT,
    "oauth2.protected_resource_metadata": Way.READY,
    "oauth2.revoke": Way.SHORT,
    "oauth2.token": Way.SHORT,
    "oauth2.userinfo": Way.SHORT,
    # A browser comes, with its cookies
    "oauth2.authorize": Way.WHOLE,
    "oauth2.logout": Way.WHOLE,
    # Asked once in an application's life, and answered by a page where it is off
    "oauth2.configuration_beside_path": Way.WHOLE,
    "oauth2.read_client": Way.WHOLE,
    "oauth2.register_client": Way.WHOLE,
    "oauth2.remove_client": Way.WHOLE,
    "oauth2.replace_client": Way.WHOLE,
}
"""The endpoints that programs call. All others are pages, and go the whole way. An address with a
part that varies goes the whole way, whatever its endpoint."""


class Provider(Flask):
    """Flask, which looks for no address where a request has brought its rule."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is not None and request.url_rule is not None:
            return None
        return super().create_url_adapter(request)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: no view or hook of ours is a coroutine, which Flask would ask each time."""
        return func

    def preprocess_request(self) -> Any:
        """Say to whoever counts which rule the address has."""
        if measures.ROUTE in request.environ and request.url_rule is not None:
            request.environ[measures.ROUTE] = request.url_rule.rule
        return super().preprocess_request()


class ShortWay:
    """WSGI middleware right before Flask: answers what goes the short way, hands on the rest."""

    def __init__(self, app: Flask, whole: Application) -> None:
        self._app = app
        self._whole = whole
        self._ready = ReadyDocuments(app)

    @cached_property
    def _rules(self) -> dict[tuple[str, str], Rule]:
        """By method and path. OPTIONS are Flask's to answer unless a view does."""
        return {
            (method, rule.rule): rule
            for rule in self._app.url_map.iter_rules()
            if WAYS.get(rule.endpoint, Way.WHOLE) is not Way.WHOLE and not rule.arguments
            for method in rule.methods or ()
            if method != "OPTIONS" or not getattr(rule, "provide_automatic_options", False)
        }

    @cached_property
    def _no_session(self) -> SessionMixin:
        none: SessionMixin = self._app.session_interface.make_null_session(self._app)
        return none

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        rule = self._rules.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if rule is None:
            return self._whole(environ, start_response)
        environ[measures.ROUTE] = rule.rule
        browser.note_address(environ, self._app.extensions["idp.settings"])
        if (ready := self._ready.answer(environ, start_response)) is not None:
            return ready
        with self._context(environ, rule) as context:
            if WAYS[rule.endpoint] is Way.READY:
                began, stamp = monotonic(), self._ready.stamp()
                response = self._response(rule, context)
                self._ready.keep(environ, response, stamp, began)
            else:
                response = self._response(rule, context)
            return response(environ, start_response)

    def _context(self, environ: dict[str, Any], rule: Rule) -> RequestContext:
        """What views ask Flask for: the request, ``g``, the application; an empty session."""
        request = self._app.request_class(environ)
        request.json_module = self._app.json
        request.url_rule, request.view_args = rule, {}
        return RequestContext(self._app, environ, request, self._no_session)

    def _response(self, rule: Rule, context: RequestContext) -> Response:
        """As ``Flask.full_dispatch_request``; after an error, or where a view leaves something to
        do, all that follows a request follows.
        """
        app = self._app
        try:
            try:
                guards.restored_database_guard()
                view: Callable[[], Any] = app.view_functions[rule.endpoint]
                response = app.make_response(view())
            except Exception as error:  # noqa: BLE001 – each has a handler, or is told below
                return app.finalize_request(app.handle_user_exception(error))
            if context._after_request_functions:
                return app.process_response(response)
            return headers.set_headers(response)
        except Exception as error:  # noqa: BLE001 – a 500, as Flask tells it
            return app.handle_exception(error)
