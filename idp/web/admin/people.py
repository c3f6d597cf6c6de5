"""``/admin/people``: find a guardian or a pupil; without a word, the classes as a way in.

Also what all pages about people share, and the list of who asked to be erased.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.desk.access.rights import Right, Staff
from idp.desk.people import classes, invitations
from idp.desk.people import erasures as answering
from idp.desk.search import search
from idp.errors import Conflict, Invalid
from idp.people.models import Account, School
from idp.web.admin import onboarding_words, people_words, refusals
from idp.web.admin.blueprint import blueprint, class_address, page_number, staff_only
from idp.web.errors import PageError, is_id
from idp.web.forms import Form


@blueprint.get("/people")
@staff_only(Right.LOOK_UP)
def people(staff: Staff) -> ResponseReturnValue:
    """The search, what it found, or where else to begin."""
    query = _query()
    if not query:
        return _way_in(staff)
    results = search.find(staff, query, page=page_number())
    return render_template(
        "admin/people.html",
        query=query,
        found=results,
        most=search.MOST,
        several_schools=_several_schools(staff),
        onboarding_words=onboarding_words,
        address_of=address_of,
        class_address=class_address,
        to_page=lambda page: url_for("admin.people", q=query, page=page),
    )


def address_of(kind: str, person_id: str) -> str:
    """The page of a guardian or of a pupil."""
    desk = url_for("admin.start")
    return f"{desk}{'pupils' if kind == 'pupil' else 'people'}/{person_id}"


def _way_in(staff: Staff) -> str:
    chosen = request.args.get("school", "")
    if chosen and not is_id(chosen):
        raise PageError("not_found", 404)
    schools, page, pages = _schools(staff, chosen)
    counted = classes.classes_of(schools) if len(schools) <= classes.TOGETHER and pages == 1 else []
    return render_template(
        "admin/people.html",
        schools=schools,
        counted=counted,
        not_invited=invitations.not_invited(staff, [each.school.id for each in counted]),
        page=page,
        pages=pages,
        class_address=class_address,
        to_page=lambda page: url_for("admin.people", page=page),
    )


def _schools(staff: Staff, chosen: str) -> tuple[list[School], int, int]:
    if not chosen:
        return classes.schools(staff, page=page_number())
    return [classes.school(staff, chosen)], 1, 1


def _query() -> str:
    """What was typed, without what can't be shown."""
    typed = request.args.get("q", "")[: search.LONGEST]
    return "".join(character for character in typed if character.isprintable()).strip()


def _several_schools(staff: Staff) -> bool:
    school_scope = staff.school_scope(Right.LOOK_UP)
    return school_scope.everywhere or len(school_scope.school_ids) > 1


P = ParamSpec("P")
View = Callable[Concatenate[Staff, P], ResponseReturnValue]


def of_people(view: View[P]) -> View[P]:
    """A view whose path names people: 404 for whoever is not within the scope (rule A2).

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
        onboarding_words=onboarding_words,
        **context,
    )


@blueprint.get("/erasures")
@staff_only(Right.CHANGE_PEOPLE)
def erasures(staff: Staff) -> ResponseReturnValue:
    """What waits, the oldest first; what was answered last."""
    return page(
        "erasures",
        waiting=answering.waiting(staff),
        answered=answering.answered(staff),
        now=clock.now(),
    )


@blueprint.post("/people/<account_id>/erasure")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def answer_erasure(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Note the answer; nothing is deleted by it."""
    outcome = Form.read("outcome")["outcome"]
    if not answering.answer(staff, account_id, outcome):
        flash(_("This request has been answered already, or was withdrawn."))
    else:
        flash(_("The answer is noted."))
    return redirect(url_for("admin.erasures"), 303)
