"""``/admin/people``: find a guardian or a pupil; without a word, the classes as a way in."""

import re

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from idp.desk.access.rights import Right, Staff
from idp.desk.people import classes, invitations
from idp.desk.search import search
from idp.people.models import School
from idp.web.admin import onboarding_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.parameters import class_address, is_id
from idp.web.errors import PageError


@blueprint.get("/people")
@staff_only(Right.LOOK_UP)
def people(staff: Staff) -> ResponseReturnValue:
    """The search, what it found, or where else to begin."""
    query = _query()
    if not query:
        return _way_in(staff)
    found = search.find(staff, query, page=page_number())
    return render_template(
        "admin/people.html",
        query=query,
        found=found,
        most=search.MOST,
        several_schools=_several_schools(staff),
        standing_words=onboarding_words,
        address_of=address_of,
        class_address=class_address,
        to_page=lambda page: url_for("admin.people", q=query, page=page),
    )


def page_number() -> int:
    """The page that is asked for; the first where that is no number."""
    asked = request.args.get("page", "")
    return int(asked) if re.fullmatch(r"[0-9]{1,6}", asked) else 1


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
    asked = request.args.get("q", "")[: search.LONGEST]
    return "".join(character for character in asked if character.isprintable()).strip()


def _several_schools(staff: Staff) -> bool:
    reach = staff.reach(Right.LOOK_UP)
    return reach.everywhere or len(reach.school_ids) > 1
