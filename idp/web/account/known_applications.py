"""The applications that know me: what each may see, and ending it."""

import re
from dataclasses import dataclass
from datetime import datetime

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.lifecycle import endings
from idp.oidc import known_applications as knowing
from idp.people import guardianships
from idp.sessions.service import SignedIn
from idp.web import permissions
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently
from idp.web.errors import PageError


@dataclass(frozen=True)
class Shown:
    """An application as its row shows it."""

    client_id: str
    name: str
    ours: bool
    since: datetime
    last_used_at: datetime | None
    sees: list[str]
    children: list[str]


@blueprint.get("/account/applications")
@guardian_only
def known_applications(signed_in: SignedIn) -> ResponseReturnValue:
    """Each application with what it sees, since when, and when it last asked."""
    names = {
        child.id: child.given_name for child, _link in guardianships.live_children(_id(signed_in))
    }
    return render_template(
        "account/applications.html",
        applications=[_shown(each, names) for each in knowing.of_account(_id(signed_in))],
        now=clock.now(),
    )


@blueprint.post("/account/applications/<client_id>/withdraw")
@guardian_only
@proved_recently
def withdraw(signed_in: SignedIn, client_id: str) -> ResponseReturnValue:
    """Take back what was allowed; what the application got by it ends at once."""
    if not re.fullmatch(r"[\w.~-]{1,64}", client_id, re.ASCII):
        raise PageError("not_found", 404)
    endings.withdraw_consent(_id(signed_in), client_id)
    flash(_("The application can no longer see anything about you."))
    return redirect(url_for("account.known_applications"), 303)


def _id(signed_in: SignedIn) -> str:
    return signed_in.account.id


def _shown(each: knowing.KnownApplication, names: dict[str, str]) -> Shown:
    return Shown(
        client_id=each.client.id,
        name=each.client.name,
        ours=each.ours,
        since=each.since,
        last_used_at=each.last_used_at,
        sees=permissions.sentences(
            each.personal_scopes, each.child_fields, child="child" in each.scopes
        ),
        children=sorted(names[child_id] for child_id in each.children),
    )
