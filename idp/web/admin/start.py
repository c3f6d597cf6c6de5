"""``/admin``: where somebody of the desk begins: the overview of their schools, or the search."""

import re
from typing import Final

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.overview import expiring, platform
from idp.desk.overview import onboarding as overview
from idp.web.admin import charts, mail_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.errors import PageError, is_id

ROWS: Final = 25
"""Classes or schools on a page."""
_PAGE: Final = re.compile(r"[1-9][0-9]{0,3}")


@blueprint.get("/")
@staff_only(Right.LOOK_UP)
def start(staff: Staff) -> ResponseReturnValue:
    """The overview; for who may not see it the search, which a desk is asked first."""
    if not staff.may(Right.SEE_OVERVIEW):
        return redirect(url_for("admin.people"), 303)
    schools = overview.schools(staff)
    chosen = _chosen(staff, [each.id for each in schools])
    numbers = platform.numbers(staff, chosen)
    every_row = numbers.funnel.rows if numbers else ()
    page = _page(len(every_row))
    rows = every_row[(page - 1) * ROWS : page * ROWS]
    return render_template(
        "admin/overview/index.html",
        schools=schools,
        chosen=chosen,
        numbers=numbers,
        rows=rows,
        lines=charts.lines(rows),
        page=page,
        pages=max(-(-len(every_row) // ROWS), 1),
        charts=charts,
        names=_names(),
        reasons=_reasons(),
        mails_url=url_for("admin.mails") if "admin.mails" in current_app.view_functions else None,
        secrets=expiring.former_secrets(staff, chosen),
        keys=expiring.signing_keys(staff),
        states={"next": _("Signs next"), "current": _("Signs now"), "retired": _("Retired")},
    )


def _chosen(staff: Staff, ids: list[str]) -> str | None:
    """The school that the address names, or the only one; None: all of the scope."""
    wanted = request.args.get("school")
    if not wanted:
        everywhere = staff.school_scope(Right.SEE_OVERVIEW).everywhere
        return ids[0] if len(ids) == 1 and not everywhere else None
    if not is_id(wanted) or wanted not in ids:
        raise PageError("not_found", 404)
    return wanted


def _page(count: int) -> int:
    text = request.args.get("page", "1")
    if not _PAGE.fullmatch(text) or (int(text) - 1) * ROWS >= max(count, 1):
        raise PageError("not_found", 404)
    return int(text)


def _names() -> dict[str, list[str]]:
    """The steps, and how far somebody came who did not reach the next."""
    return {
        "steps": [
            _("Guardians"),
            _("Invited"),
            _("Mail sent or letter printed"),
            _("Token opened"),
            _("Password set"),
            _("First visit to an application"),
        ],
        "stopped": [
            _("Not invited yet"),
            _("Invited, nothing sent yet"),
            _("Sent, not opened yet"),
            _("Opened, no password yet"),
            _("Password set, no application yet"),
            _("Has visited an application"),
        ],
    }


def _reasons() -> dict[str, str]:
    return {
        **{meaning: str(reason.why) for meaning, reason in mail_words.REASONS.items()},
        "retried": _("Waits: the mail server said to try again later"),
        "stuck": _("Waits: the mails are not being sent at present"),
    }
