"""What the provider tells: which visits end. With the mistakes that are made in a hurry."""

from collections.abc import Callable
from typing import Any

from flask import request

from examples.faulty_applications.provider import Provider, Refused

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ENDED = "urn:school-idp:event:guardianship-ended"

Visit = dict[str, Any]
Close = Callable[[Callable[[Visit], bool]], None]
Answer = tuple[dict[str, str], int]


class Notices:
    """``close``: ends the visits of which something is so."""

    def __init__(self, provider: Provider, close: Close) -> None:
        self.provider = provider
        self.fault = provider.settings.fault
        self.close = close
        self.seen: set[str] = set()

    def logout_token(self) -> Answer:
        """A session has ended."""
        token = request.form.get("logout_token", "")
        try:
            claims = self.provider.notice(token, "logout", LOGOUT)
            if "nonce" in claims and self.fault != "logout_nonce":
                raise Refused("nonce")
            new = self.is_new(claims, "logout_again")
        except (Refused, KeyError) as error:
            return {"error": "invalid_request", "error_description": str(error)}, 400
        if new and self.fault == "logout_again":
            self.close(lambda visit: bool(visit["sub"] == claims["sub"]))
        elif new:
            self.close(lambda visit: bool(visit["sid"] == claims["sid"]))
        return {}, 200

    def security_event(self) -> Answer:
        """A guardian may no longer see a child."""
        try:
            claims = self.provider.notice(request.get_data(as_text=True), "event", ENDED)
            guardian = claims["sub_id"]["sub"]
            (event,) = claims["events"].values()
            child = event["child"]["sub"]
            new = self.is_new(claims, "event_again")
        except (Refused, KeyError, ValueError) as error:
            return {"err": "invalid_request", "description": str(error)}, 400

        def is_meant(visit: Visit) -> bool:
            theirs = visit["sub"] == guardian or self.fault == "sibling_parent"
            about = visit["child"] and visit["child"]["sub"] == child
            return bool(theirs and (about or self.fault == "sibling"))

        if new and self.fault != "ended":
            self.close(is_meant)
        return {}, 202

    def is_new(self, claims: dict[str, Any], fault: str) -> bool:
        """Whether this token comes for the first time."""
        again = claims["jti"] in self.seen
        self.seen.add(claims["jti"])
        return not again or self.fault == fault
