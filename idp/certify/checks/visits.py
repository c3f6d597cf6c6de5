"""How a visit goes on and ends: two tabs, the back button, signing out, a guardianship's end."""

from time import monotonic, sleep
from typing import Final

from idp.certify.school import Named, Person
from idp.certify.trial import (
    REFUSED,
    CouldNotBeTold,
    Failed,
    Trial,
    fails_where_it_broke,
    is_shown,
    where,
)

PAUSE: Final = 0.25
"""Seconds between two looks at a page that should close."""


def second_tab(trial: Trial) -> str:
    """Both tabs were sent to the provider before either came back."""
    home = trial.school["one_child"]
    with trial.visitor() as first:
        first.begin()
        second = first.tab()
        second.begin()
        first.resume(home.parent, None)
        if first.page.status >= REFUSED or not is_shown(first.look(), home.parent, home.children):
            raise Failed(
                "A second tab had begun to sign in; the first one came back and was refused:"
                f" {where(first)} answered {first.page.status}."
            )
        second.browser.open(second.page.address)
        second.resume(home.parent, None)
        if second.page.status >= REFUSED:
            raise Failed(
                "The first tab came back; the second one was refused:"
                f" {where(second)} answered {second.page.status}."
            )
        trial.fails_unless_shown(second, home)
    return "Both came back."


def cancelled(trial: Trial) -> str:
    """« Annuler » on the provider's first page."""
    with trial.visitor() as visitor:
        visitor.begin()
        if not visitor.page.shows("login-cancel"):
            raise CouldNotBeTold(f"{where(visitor)} has no « Annuler ».")
        visitor.cancel()
        fails_where_it_broke(visitor)
        if visitor.with_us:
            raise CouldNotBeTold("« Annuler » was pressed, and the provider's page stayed.")
    return f"The application answered {visitor.page.status}."


def repeated(trial: Trial) -> str:
    """As the back button does it, and a reload."""
    home = trial.school["one_child"]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        visitor.browser.open(trial.provider.answers.answered[-1])
        fails_where_it_broke(visitor)
    return f"The application answered {visitor.page.status}."


def sign_out(trial: Trial) -> str:
    """RP-Initiated Logout: forgotten here, and there."""
    home = trial.school["one_child"]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        trial.fails_unless_shown(visitor, home)
        if not visitor.sign_out():
            raise CouldNotBeTold(
                f"{where(visitor)} answered {visitor.page.status}: --logout says where parents"
                " sign out."
            )
        fails_where_it_broke(visitor)
        if is_shown(visitor.look_again(), home.parent, home.children):
            raise Failed(f"After signing out {where(visitor)} still names {home.parent.full_name}.")
        visitor.begin()
        if not visitor.page.shows("login-form"):
            raise Failed(
                "Signing out left the session at the provider: the next « sign in » asks for no"
                " password."
            )
    return "Both sessions had ended."


def ended(trial: Trial) -> str:
    """The school ends the guardianship while the page is open; the parent goes on clicking."""
    home = trial.school["ended"]
    (child,) = home.children
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        trial.fails_unless_shown(visitor, home)
        trial.provider.end_guardianship(home.parent, child)
        began = monotonic()
        while _is_open(visitor.look_again(), child, home.parent, by_child=trial.shows_child):
            fails_where_it_broke(visitor)
            if monotonic() - began > trial.patience:
                raise Failed(
                    f"{trial.patience:g} seconds after the end of the guardianship"
                    f" {where(visitor)} was still about {child.full_name}. If the application asks"
                    " again later than that, --patience says when."
                )
            sleep(PAUSE)
        fails_where_it_broke(visitor)
    return f"The page closed within {monotonic() - began:.0f} seconds."


def _is_open(named: Named, child: Person, parent: Person, *, by_child: bool) -> bool:
    return child in named.children if by_child else parent in named.parents
