"""What the pages about people share: ids are checked, and what is not within reach is not found."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Staff
from idp.errors import Conflict, Invalid
from idp.people.models import Account
from idp.web.admin import onboarding_words, people_words, refusals
from idp.web.admin.parameters import is_id
from idp.web.errors import PageError

P = ParamSpec("P")
View = Callable[Concatenate[Staff, P], ResponseReturnValue]


def of_people(view: View[P]) -> View[P]:
    """A view whose path names people: 404 for whoever is not within the reach (rule A2).

    What is refused otherwise is said on the page of the first of them.
    """

    @wraps(view)
    def careful(staff: Staff, /, *args: P.args, **ids: P.kwargs) -> ResponseReturnValue:
        if not all(is_id(str(each)) for each in ids.values()):
            raise PageError("not_found", 404)
        try:
            return view(staff, *args, **ids)
        except Conflict as refused:
            sentence = refusals.conflict(refused)
        except Invalid as refused:
            sentence = refusals.refusal(refused)
        return back(sentence, problem=True, **{name: str(each) for name, each in ids.items()})

    return careful


def back(sentence: str, *, problem: bool = False, **ids: str) -> ResponseReturnValue:
    """The page of the person or pupil again, with what happened."""
    flash(sentence, "problem" if problem else "message")
    if "account_id" in ids and "child_id" not in ids:
        return redirect(url_for("admin.person", account_id=ids["account_id"]), 303)
    if "child_id" in ids:
        return redirect(url_for("admin.pupil", child_id=ids["child_id"]), 303)
    return redirect(url_for("admin.people"), 303)


def warn_of_sharing(shares: Iterable[Account]) -> None:
    """After somebody was separated: whose tokens still go to the mailbox that they read."""
    if names := ", ".join(each.full_name for each in shares):
        flash(
            _(
                "The same e-mail address is used for: %(names)s. Whoever reads it gets their"
                " tokens too: give them an address of their own.",
                names=names,
            ),
            "problem",
        )


def page(template: str, **context: Any) -> str:
    """A page about people, with the words that they share."""
    return render_template(
        f"admin/people/{template}.html",
        words=people_words,
        standings_in=onboarding_words,
        **context,
    )
