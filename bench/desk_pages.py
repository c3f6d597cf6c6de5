"""The desk's pages as its staff open them: through the whole application, without a network."""

from collections.abc import Callable, Mapping

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp.database import db, transaction
from idp.people import accounts, staff
from idp.people.models import Child, Guardianship
from idp.sessions import service as sessions
from idp.sessions.assurance import TWO_FACTOR
from idp.web.admin.blueprint import key_of

Visit = Callable[[], None]


def visits(app: Flask, school_id: str, others: Mapping[str, str] | None = None) -> dict[str, Visit]:
    """Each page, as a manager of this school and as an operator see it, and ``others``."""
    return {
        f"page, {who}: {label}": _visit(client, address)
        for who, client in (
            ("manager", _client(app, "manager", school_id)),
            ("operator", _client(app, "operator", None)),
        )
        for label, address in (_addresses(app, school_id) | dict(others or {})).items()
    }


def _addresses(app: Flask, school_id: str) -> dict[str, str]:
    class_name = db.session.scalars(
        select(Child.class_name).where(Child.school_id == school_id).limit(1)
    ).one()
    guardian_id = db.session.scalars(
        select(Guardianship.account_id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Child.school_id == school_id)
        .limit(1)
    ).one()
    wanted = {
        "a full name": "/admin/people?q=lina+dubois",
        "a common name": "/admin/people?q=dubois",
        "a typo": "/admin/people?q=dubios",
        "the way in": "/admin/people",
        "a school's classes": f"/admin/people?school={school_id}",
        "a class": f"/admin/schools/{school_id}/classes/{key_of(class_name)}",
    }
    if "admin.person" in app.view_functions:
        wanted["a person"] = f"/admin/people/{guardian_id}"
    return wanted


def _client(app: Flask, role: str, school_id: str | None) -> FlaskClient:
    account = accounts.create_account(username=f"bench-{role}", given_name="B", family_name=role)
    with transaction():
        accounts.activate(accounts.get_account(account.id))
    staff.grant(account.id, role, school_id)
    _, secret = sessions.begin(account.id, amr=("pwd", "otp", "mfa"), acr=TWO_FACTOR)
    client = app.test_client()
    client.set_cookie("idp_session", secret)
    return client


def _visit(client: FlaskClient, address: str) -> Visit:
    def visit() -> None:
        status = client.get(address).status_code
        if status != 200:
            raise RuntimeError(f"{address}: {status}")

    return visit
