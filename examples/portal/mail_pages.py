"""The mailbox of the demo: what the provider has sent, as parents would see it."""

import re
from dataclasses import asdict
from typing import cast

from flask import Blueprint, Response, abort, current_app, jsonify, render_template

from examples.mailbox.store import Mail, Mailbox

blueprint = Blueprint("mail", __name__)

LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")

# A mail is a stranger's page: no script, no form, no style of ours, nothing from elsewhere.
MAIL_POLICY = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


@blueprint.get("/mailbox")
def show_list() -> str:
    """Every mail, the newest first."""
    return render_template("mailbox.html", mails=_mailbox().all()[::-1])


@blueprint.get("/mailbox.json")
def as_json() -> Response:
    """Every mail, the oldest first, for programs."""
    mails = [asdict(mail) for mail in _mailbox().all()]
    for mail in mails:
        del mail["id"]
    return jsonify(mails)


@blueprint.get("/mailbox/<int(max=999999999):mail_id>")
def show_mail(mail_id: int) -> str:
    """One mail, its HTML in a sandbox."""
    mail = _mail_of(mail_id)
    return render_template("mail.html", mail=mail, links=dict.fromkeys(LINK.findall(mail.text)))


@blueprint.get("/mailbox/<int(max=999999999):mail_id>/html")
def show_html(mail_id: int) -> Response:
    """The HTML part alone; its links leave the frame."""
    # An HTML parser moves a base element that stands before everything into the head.
    response = Response(f'<!DOCTYPE html><base target="_top">{_mail_of(mail_id).html}')
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


def _mail_of(mail_id: int) -> Mail:
    return _mailbox().find(mail_id) or abort(404)


def _mailbox() -> Mailbox:
    return cast(Mailbox, current_app.extensions["portal.mailbox"] or abort(404))
