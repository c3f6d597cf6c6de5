"""``/admin/mails``: what became of each mail to a guardian."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk import mail as desk
from idp.desk.access.rights import Right, Staff
from idp.errors import Conflict, Invalid
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.mail_words import FATES, fate_of, kind_label
from idp.web.admin.refusals import conflict
from idp.web.errors import PageError, is_id, known_id


@blueprint.get("/mails")
@staff_only(Right.SEND_TOKENS)
def mails(staff: Staff) -> ResponseReturnValue:
    """The newest first; by fate, page by page."""
    wanted = request.args.get("fate", "")
    before = request.args.get("before")
    if wanted and wanted not in desk.FATES:
        raise PageError("bad_request")
    if before is not None and not is_id(before):
        raise PageError("bad_request")
    page = desk.page(staff, fate=wanted or None, before=before)
    shown = [(each, kind_label(each.message.kind), fate_of(each.message)) for each in page.mails]
    return render_template(
        "admin/mails/list.html",
        mails=shown,
        older=page.older,
        first=before is None,
        fates=FATES,
        wanted=wanted,
    )


@blueprint.post("/mails/<outbox_id>/again")
@staff_only(Right.SEND_TOKENS)
def send_again(staff: Staff, outbox_id: str) -> ResponseReturnValue:
    """Queue a refused invitation once more, to the address as it is stored now."""
    try:
        desk.send_again(staff, known_id(outbox_id))
    except Conflict as refused:
        flash(conflict(refused))
    except Invalid:
        flash(_("This parent has signed in by now, or has no address any more."), "problem")
    else:
        flash(_("The invitation goes out again, with a new token."))
    return redirect(url_for("admin.mails"), 303)
