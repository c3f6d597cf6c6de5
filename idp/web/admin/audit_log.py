"""``/admin/journal``: what was done for the school, by whom, on whom, before and after."""

import csv
from io import StringIO
from typing import Any

from flask import current_app, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk import audit_log as desk
from idp.desk.access.rights import Right, Staff
from idp.desk.audit_log import Entry, Person
from idp.roster.spreadsheet_cells import quoted
from idp.web.account.activity import before
from idp.web.admin import audit_log_words
from idp.web.admin.blueprint import blueprint, day, staff_only
from idp.web.dates import moment

PERSON_PAGE = "admin.person"


@blueprint.get("/journal")
@staff_only(Right.READ_AUDIT_LOG)
def audit_log(staff: Staff) -> ResponseReturnValue:
    """A page of events, the newest first."""
    events = desk.page(staff, before=before(), kinds=_kinds(), day=day())
    filters = {name: request.args[name] for name in ("kind", "day") if request.args.get(name)}
    return render_template(
        "admin/audit_log.html",
        entries=events.entries,
        older=events.older,
        first=before() is None,
        filters=filters,
        kind="".join(_kinds()),
        day=day(),
        words=audit_log_words,
        page_of=_page_of,
        several=staff.is_operator or len(staff.school_scope(Right.READ_AUDIT_LOG).school_ids) > 1,
    )


@blueprint.get("/journal.csv")
@staff_only(Right.READ_AUDIT_LOG)
def audit_log_export(staff: Staff) -> ResponseReturnValue:
    """The same as a file for a spreadsheet, the newest ten thousand."""
    events = desk.page(staff, kinds=_kinds(), day=day(), size=desk.MOST_EXPORTED)
    out = StringIO(newline="")
    rows = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    rows.writerow(
        [_("When"), _("Who"), _("What"), _("On whom"), _("Pupil"), _("School"), _("Details")]
    )
    rows.writerows([quoted(cell) for cell in _row(entry)] for entry in events.entries)
    response = make_response(out.getvalue().encode("utf-8-sig"))
    response.mimetype = "text/csv"  # the charset is added once, by Werkzeug
    response.headers["Content-Disposition"] = 'attachment; filename="journal.csv"'
    return response


def _row(entry: Entry) -> list[str]:
    changed = [
        f"{each.label}: {each.before} → {each.after}" for each in audit_log_words.changes(entry)
    ]
    return [
        moment(entry.event.at),
        entry.who.name if entry.who else _("The platform"),
        audit_log_words.what(entry.event.event),
        entry.on.name if entry.on else entry.client,
        entry.child.name if entry.child else "",
        entry.school,
        "; ".join([*audit_log_words.facts(entry), *changed]),
    ]


def _kinds() -> tuple[str, ...]:
    """``?kind=``: one that has words; anything else asks for all (rule A7)."""
    kind = request.args.get("kind", "")
    return (kind,) if kind in audit_log_words.WORDS else ()


def _page_of(person: Person) -> str:
    """Where somebody's own page is, if they have one."""
    if not person.is_guardian or PERSON_PAGE not in current_app.view_functions:
        return ""
    values: dict[str, Any] = {"account_id": person.id}
    return url_for(PERSON_PAGE, **values)
