"""What the faulty application is told: where the provider is, and which mistake to make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FAULTS: Final = {
    "email_key": "keys people by e-mail",
    "state": "ignores state",
    "nonce": "ignores nonce",
    "issuer": "accepts another iss",
    "audience": "accepts another aud",
    "expired": "accepts a token that is over",
    "signature": "verifies no signature",
    "rotation": "verifies no signature by a key that it does not know",
    "userinfo": "believes UserInfo about somebody else",
    "switch": "ignores switching the child",
    "ended": "keeps the page after the end of a guardianship",
    "sibling": "closes every page of a guardian who loses one child",
    "sibling_parent": "closes a child's pages, whoever the guardian is",
    "logout_token": "believes any logout token",
    "logout_audience": "believes a logout token for another application",
    "logout_nonce": "takes an ID token's nonce in a logout token",
    "logout_events": "looks at no event in a logout token",
    "logout_again": "believes a logout token a second time",
    "security_event": "believes any security event",
    "event_audience": "believes a security event for another application",
    "event_events": "looks at no type of a security event",
    "event_again": "believes a security event a second time",
    "child_key": "uses the child's sub as the user",
    "child_again": "keeps the child of the first sign-in for ever",
    "child": "drops child objects",
    "second_tab": "loses the second tab",
    "pkce": "sends no PKCE",
    "sign_out": "signs out here alone",
    "cancelled": "breaks where the parent cancels",
    "dead_end": "leads nowhere where nobody is signed in",
}
"""Each mistake; most under the name of the check that finds it."""
_CHECK_OF: Final = {
    "sibling": "sibling",
    "logout": "logout_token",
    "event": "security_event",
    "dead": "cancelled",
}


def check_of(fault: str) -> str:
    """The check that finds a mistake."""
    return _CHECK_OF.get(fault.partition("_")[0], fault)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where everything is; ``fault`` is one of ``FAULTS``, or empty."""

    issuer: str
    client_id: str
    client_secret: str
    app_url: str
    app_secret: str
    fault: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """From the variables that the programs of docs/integrate.md read, and ``FAULT``."""
        fault = environment.get("FAULT", "")
        if fault and fault not in FAULTS:
            raise SystemExit(f"FAULT is none of {', '.join(FAULTS)}")
        names = ("issuer", "client_id", "client_secret", "app_url", "app_secret")
        return cls(fault=fault, **{name: environment[name.upper()] for name in names})
