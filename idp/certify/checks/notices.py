"""Does the application look at what it is told, before it closes a page?"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from idp.certify import forged
from idp.certify.checks.answers import OTHER_CLIENT, OTHER_ISSUER
from idp.certify.forged import Forger
from idp.certify.notices import EVENT, LOGOUT, Kind, send
from idp.certify.school import Person
from idp.certify.trial import ERROR, CouldNotBeTold, Failed, Trial, is_open, where
from idp.certify.visitor import Visitor

PAUSE: Final = 0.25
A_MOMENT: Final = 1.0
"""Seconds for an application that takes something in before it acts on it."""
A_SECOND: Final = 1.0
"""`toe` and `iat` are whole seconds: of what began in the one in which the guardianship ended an
application may hold that it was before."""
_MISSING: Final = frozenset({404, 405})
_TAKEN: Final = frozenset({200, 202, 204})


def logout_token(trial: Trial) -> str:
    """OpenID Connect Back-Channel Logout 1.0 §2.6."""
    notices = trial.provider.notices
    address = _address(trial, LOGOUT)
    home, other = trial.school["one_child"].parent, trial.school["no_address"].parent
    with trial.visitor() as visitor, trial.visitor() as stranger:
        page = _Page(trial, visitor, home, trial.school["one_child"].children[0], LOGOUT, address)
        stranger.sign_in(other)
        page.opens()
        for wrong, forge in (*_forgeries(), *_no_logout_tokens()):
            page.stays_open(forge(notices.of_session(home), trial.provider.answers.keyring), wrong)
        page.stays_open(notices.of_session(other), f"the session was that of {other.full_name}")
        page.is_still_open()
        real = notices.ending_session(home)
        page.closes(real)
        page.opens()
        page.stays_open(real, "it had come before: since then the parent has signed in anew")
    return "It closed the page once; forged ones and a repeated one were not believed."


def security_event(trial: Trial) -> str:
    """RFC 8417 §2.2, RFC 8935 §2: its issuer, audience and signature, and whom it is about."""
    notices = trial.provider.notices
    address = _address(trial, EVENT)
    home, other = trial.school["switched"], trial.school["one_child"].parent
    child, sibling = home.children
    with trial.visitor() as visitor:
        page = _Page(trial, visitor, home.parent, child, EVENT, address)
        page.opens()
        for wrong, forge in _forgeries():
            token = notices.of_guardianship(home.parent, child)
            page.stays_open(forge(token, trial.provider.answers.keyring), wrong)
        about = f"it was about {sibling.full_name}"
        page.stays_open(notices.of_guardianship(home.parent, sibling), about)
        about = f"it was about {other.full_name}"
        page.stays_open(notices.of_guardianship(other, child), about)
        page.is_still_open()
        real = notices.ending_guardianship(home.parent, child)
        page.closes(real)
        notices.link_again(home.parent, child)
        sleep(A_SECOND)
        page.opens()
        page.stays_open(real, "it had come before: since then the school has linked them again")
    return "It closed the page once; forged ones and a repeated one were not believed."


def _forgeries() -> Iterator[tuple[str, Forger]]:
    yield "another key had signed it", forged.by_a_stranger
    yield "a key had signed it that the key set does not hold", forged.by_an_unknown_key
    yield "it was not signed (alg: none)", forged.by_nobody
    yield f"its iss was {OTHER_ISSUER}", forged.with_claims(iss=OTHER_ISSUER)
    yield f"its aud was {OTHER_CLIENT}", forged.with_claims(aud=OTHER_CLIENT)
    yield "its events named something else", forged.of_another_event
    yield "it held no events", forged.with_claims(events=None)


def _no_logout_tokens() -> Iterator[tuple[str, Forger]]:
    yield "it held a nonce, as ID tokens do", forged.with_claims(nonce="of-an-id-token")
    yield "it had expired an hour ago", forged.expired


@dataclass
class _Page:
    """An open page of one parent about one child, and what closes it."""

    trial: Trial
    visitor: Visitor
    parent: Person
    child: Person
    kind: Kind
    address: str

    def opens(self) -> None:
        self.visitor.sign_in(self.parent, self.child)
        if not self._is_open():
            named = self.visitor.look()
            raise Failed(f"{self.parent.full_name} signed in; {where(self.visitor)} names {named}.")

    def stays_open(self, token: str, although: str) -> None:
        """What is told here is none of this page's business."""
        status = self._send(token)
        if status >= ERROR:
            raise Failed(
                f"{self.address} broke ({status}) at a {self.kind.called} that was no good:"
                f" {although}."
            )
        if not self._is_open():
            raise Failed(f"A {self.kind.called} closed the page, although {although}.")

    def is_still_open(self) -> None:
        """The same for who first takes over, and then looks."""
        sleep(A_MOMENT)
        if not self._is_open():
            raise Failed(f"A {self.kind.called} closed the page after a moment, and none was good.")

    def closes(self, token: str) -> None:
        status = self._send(token)
        if status not in _TAKEN:
            raise Failed(f"{self.address} answered {status} to a {self.kind.called} that was good.")
        began = monotonic()
        while self._is_open():
            if monotonic() - began > self.trial.patience:
                raise Failed(
                    f"{self.trial.patience:g} seconds after a good {self.kind.called} that was"
                    f" answered {status} the page was still open."
                )
            sleep(PAUSE)

    def _send(self, token: str) -> int:
        status = send(self.kind, self.address, token)
        if status in _MISSING:
            raise CouldNotBeTold(
                f"{self.address} answered {status}: {self.kind.option} says where it takes a"
                f" {self.kind.called}."
            )
        return status

    def _is_open(self) -> bool:
        return is_open(self.trial, self.visitor.look_again(), self.parent, self.child)


def _address(trial: Trial, kind: Kind) -> str:
    """Where the application is told. Raises ``CouldNotBeTold``."""
    address: str | None = trial.provider.registration.metadata.get(kind.field)
    if not address:
        raise CouldNotBeTold(
            f"Nobody has said where the application takes a {kind.called}; {kind.option} says it."
        )
    return address
