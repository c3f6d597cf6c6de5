"""The link of a mail that opens a page about an account: how its secret gets to us.

It stands behind « # », which browsers send to nobody, so that no proxy logs it (security rule N8).
``static/token.js`` moves it from the address into the one field of this page and sends the form;
without scripts the link is pasted there. The secret goes on, sealed, to the page whose button
decides. Mails from before have it in the query, from where one redirect takes it (rule P8).
Whichever way, nothing is stored or changed (rules N6 and P7): mail scanners open links.
"""

import re
import unicodedata
from typing import Final

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.sessions import interactions
from idp.web import browser
from idp.web.forms import Form, only
from idp.web.interaction import begin_interaction, own_interaction

LONGEST_SECRET: Final = 120
_LONGEST_PASTED: Final = 600
_CARRIED: Final = r"((?:[\w-]{1,40}\.){0,2}[\w-]{43})(?![\w-])"
"""What our mails carry: a random or keyed value of 256 bits, and perhaps what it is about."""
_IN_LINK: Final = re.compile(rf"(?:#|\btoken=){_CARRIED}", re.ASCII)
_ALONE: Final = re.compile(rf"[^\w-]*{_CARRIED}\W*", re.ASCII)


def take_over(purpose: str, page: str) -> ResponseReturnValue:
    """On to ``page`` (an endpoint, with an interaction) with the secret of the link."""
    if request.method == "POST":
        return _pasted(purpose, page)
    if "token" in request.args:
        return _open_page(purpose, page, request.args["token"])
    return _render_link_form(only(["link"]))


def opened(interaction_id: str, purpose: str) -> str:
    """The secret that came to this page; empty where none did."""
    interaction = own_interaction(interaction_id)
    return interactions.opened_link(interaction, browser.person_id(), purpose) or ""


def secret_in(pasted: str) -> str | None:
    """The secret in a pasted link, however it was wrapped, quoted or spaced; or pasted alone."""
    if len(pasted) > _LONGEST_PASTED:
        return None
    shown = "".join(each for each in pasted if unicodedata.category(each) != "Cf")
    whole = "".join(each for each in shown if unicodedata.category(each)[0] not in "CZ")
    match = _IN_LINK.search(shown) or _IN_LINK.search(whole) or _ALONE.fullmatch(whole)
    return match[1] if match else None


def _pasted(purpose: str, page: str) -> ResponseReturnValue:
    form = Form.read("link")
    form.require("link", _("Paste the link from the e-mail here."))
    secret = secret_in(form["link"])
    if secret is None:
        form.problem(
            "link", _("This is not the whole link. Copy it from the e-mail once more, to its end.")
        )
    if form.problems or secret is None:
        return _render_link_form(form)
    return _open_page(purpose, page, secret)


def _render_link_form(form: Form) -> ResponseReturnValue:
    return render_template("account/mailed_link.html", form=form), form.status


def _open_page(purpose: str, page: str, secret: str) -> ResponseReturnValue:
    interaction = begin_interaction()
    if 0 < len(secret) <= LONGEST_SECRET:
        interactions.seal_link(interaction, browser.person_id(), purpose, secret)
    return redirect(url_for(page, interaction_id=interaction.id), 303)
