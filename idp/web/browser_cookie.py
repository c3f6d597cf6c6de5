"""The signed cookie behind ``flask.session``: opened only for who has one."""

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface


class BrowserCookie(SecureCookieSessionInterface):
    """Flask's own, less the work of making a verifier for requests that bring no cookie.

    Applications bring none to the token and UserInfo endpoints, which answer most requests.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
