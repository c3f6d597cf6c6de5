"""The other providers that a parent's account is linked to: link, unlink."""

from dataclasses import dataclass
from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.credentials import passwords, throttling
from idp.errors import Conflict
from idp.federation import links
from idp.federation.identity import ProviderTrouble
from idp.federation.models import FederatedLink
from idp.lifecycle import federation
from idp.lifecycle.step_up import ways_in
from idp.mail import outbox
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently
from idp.web.errors import known_id
from idp.web.signin import provider_start
from idp.web.signin.provider_offers import Offer, all_offers, label_of


@dataclass(frozen=True)
class Connection:
    """A line of the page: a provider, and whether the account is linked to it."""

    label: str
    offer: Offer | None
    link_id: str | None = None
    linked_at: datetime | None = None
    last_used_at: datetime | None = None
    only_way_in: bool = False


@blueprint.get("/account/connections")
@guardian_only
def connections(signed_in: SignedIn) -> ResponseReturnValue:
    """Every provider with its link or its button."""
    return render_template(
        "account/connections.html",
        account=signed_in.account,
        connections=_connections(signed_in.account.id),
        has_password=passwords.has_password(signed_in.account.id),
        now=clock.now(),
    )


@blueprint.post("/account/connections/link")
@guardian_only
@proved_recently
def link(signed_in: SignedIn) -> ResponseReturnValue:
    """To the provider, to prove which identity is to be linked (security rule F4)."""
    key = request.form.get("provider", "")
    try:
        return provider_start.leave_for_provider(
            key, "link", account_id=signed_in.account.id, session_id=signed_in.session.id
        )
    except ProviderTrouble as trouble:
        provider_start.report_trouble(key, trouble)
        return redirect(url_for("account.connections"), 303)


@blueprint.post("/account/connections/unlink")
@guardian_only
@proved_recently
def unlink(signed_in: SignedIn) -> ResponseReturnValue:
    """Remove a link, unless nothing else lets the parent in."""
    link_id = known_id(request.form.get("link", ""))
    try:
        removed = federation.unlink(signed_in.account.id, link_id)
    except Conflict:
        flash(
            _("This is your only way to sign in. Set a password first, then unlink it."),
            "problem",
        )
    else:
        if removed is not None:
            flash(_("%(provider)s is unlinked.", provider=label_of(removed)))
    return redirect(url_for("account.connections"), 303)


@blueprint.post("/account/connections/password")
@guardian_only
def mail_password_token(signed_in: SignedIn) -> ResponseReturnValue:
    """A parent without a password is mailed a token, to choose one."""
    account = signed_in.account
    if passwords.has_password(account.id):
        return redirect(url_for("account.password"), 303)
    if not account.email:
        return redirect(url_for("account.connections"), 303)  # the school gives a token
    guard = throttling.check_mail_request(browser.client_address())
    if isinstance(guard, throttling.Allowed):
        outbox.enqueue("fresh_token", account_id=account.id)
    flash(_("An e-mail with a connection token is on its way: with it you choose a password."))
    return redirect(url_for("account.connections"), 303)


def _connections(account_id: str) -> list[Connection]:
    by_provider = {link.provider: link for link in links.of_account(account_id)}
    shown = [
        _line(offer.label, offer, by_provider.pop(offer.key, None), account_id)
        for offer in all_offers()
    ]
    # Links to providers that are switched off: they open nothing, and can be removed.
    gone = [_line(label_of(key), None, link, account_id) for key, link in by_provider.items()]
    return shown + gone


def _line(
    label: str, offer: Offer | None, link: FederatedLink | None, account_id: str
) -> Connection:
    if link is None:
        return Connection(label, offer)
    only_way_in = not ways_in(account_id, without_link=link.id).count
    return Connection(label, offer, link.id, link.linked_at, link.last_used_at, only_way_in)
