"""How a visit goes on and ends: two tabs, the back button, signing out, a guardianship's end."""

from time import monotonic, sleep
from typing import Final

from idp.certify.school import Person
from idp.certify.trial import (
    REFUSED,
    CouldNotBeTold,
    Failed,
    Trial,
    fails_where_it_broke,
    fails_where_it_ends,
    is_open,
    is_shown,
    where,
)
from idp.certify.visitor import Visitor

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
        if visitor.with_us:
            raise CouldNotBeTold("« Annuler » was pressed, and the provider's page stayed.")
        fails_where_it_ends(visitor)
    return f"The application answered {visitor.page.status}."


def repeated(trial: Trial) -> str:
    """As the back button does it, and a reload."""
    home = trial.school["one_child"]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        visitor.browser.open(trial.provider.answers.answered[-1])
        fails_where_it_ends(visitor)
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
        seconds = _closes(trial, visitor, home.parent, child)
    return f"The page closed within {seconds:.0f} seconds."


def sibling(trial: Trial) -> str:
    """Three pages are open; one of them closes."""
    home = trial.school["siblings"]
    (parent, other), (child, sibling) = home.parents, home.children
    with trial.visitor() as closing, trial.visitor() as second, trial.visitor() as third:
        stay = ((second, parent, sibling), (third, other, child))
        for visitor, whose, about in ((closing, parent, child), *stay):
            visitor.sign_in(whose, about)
            _fails_unless_open(trial, visitor, whose, about, "signed in in a browser of their own")
        if not is_open(trial, closing.look_again(), parent, child):
            raise CouldNotBeTold(
                f"{parent.full_name} signed in in a second browser, which ended the first visit."
            )
        trial.provider.end_guardianship(parent, child)
        _closes(trial, closing, parent, child)
        happened = f"{parent.full_name} may no longer see {child.full_name}: only that page closes"
        for visitor, whose, about in stay:
            _fails_unless_open(trial, visitor, whose, about, happened)
    return "The sibling's page stayed, and so did the other parent's."


def _closes(trial: Trial, visitor: Visitor, parent: Person, child: Person) -> float:
    """The seconds until a page is not about this child any more."""
    began = monotonic()
    while is_open(trial, visitor.look_again(), parent, child):
        fails_where_it_broke(visitor)
        if monotonic() - began > trial.patience:
            raise Failed(
                f"{trial.patience:g} seconds after the end of the guardianship {where(visitor)} was"
                f" still about {child.full_name}. If the application asks again later than that,"
                " --patience says when."
            )
        sleep(PAUSE)
    fails_where_it_broke(visitor)
    return monotonic() - began


def _fails_unless_open(
    trial: Trial, visitor: Visitor, parent: Person, child: Person, happened: str
) -> None:
    named = visitor.look_again()
    fails_where_it_broke(visitor)
    if not is_open(trial, named, parent, child):
        raise Failed(
            f"{happened}. The page of {parent.full_name} about {child.full_name} names {named}."
        )
