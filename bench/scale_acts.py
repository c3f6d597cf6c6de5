"""What ``bench.scale`` asks for: what a parent, a school and operators do, each as themselves."""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from bench import desk_pages, district, inside, plans
from bench.filled import Platform
from bench.population import Grown
from idp.clients import registration
from idp.credentials import passwords
from idp.credentials.models import Password
from idp.database import db, transaction
from idp.people import accounts
from idp.people.schools import create_school
from idp.roster import service as rosters
from idp.roster.reading import Choice, Wish
from idp.sessions import service as sessions

PASSWORD: Final = "Lampe-Fougère-Tambour-7"
ONE_SCHOOL: Final = district.Size(schools=1, pupils=300, guardians=480)

Acts = dict[str, Callable[[], object]]
_CSRF: Final = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def application() -> tuple[str, str]:
    """Register the application that everybody uses; its id and secret."""
    made = registration.register(
        {
            "client_name": "Bench",
            "redirect_uris": [plans.REDIRECT_URI],
            "scope": "openid child offline_access",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic",
            "first_party": True,
        },
        school_ids=[create_school("First").id],
    )
    return made.client.id, made.secret or ""


def password_hash() -> str:
    """The password of everybody, as it is kept."""
    first = accounts.create_account(username="first", given_name="Claire", family_name="Bench")
    with transaction():
        passwords.set_password(first.id, PASSWORD)
    return db.session.scalars(select(Password.hash)).one()


def all_of_them(app: Flask, platform: Platform, grown: Grown, port: int) -> Acts:
    """By name; each may be called again and again."""
    target = plans.Target(port, platform.client_id, platform.secret)
    return {
        **_of_parents(app, target),
        **desk_pages.visits(
            app,
            f"s_{grown.schools // 2}",  # in the midst of all, in time as well
            {
                "overview": "/admin/",
                "logbook": "/admin/journal",
                "mails": "/admin/mails",
                "an application": f"/admin/applications/{platform.client_id}",
            },
        ),
        "import: a school's file again": _import(app, platform.folder),
    }


def _of_parents(app: Flask, target: plans.Target) -> Acts:
    _, secret = sessions.begin("a_7", amr=("pwd",), acr="0", device="bench")
    visitor = plans.Visitor("parent7", PASSWORD, {"idp_session": secret})
    chain = plans.Chain("")
    inside.walk(app, plans.new_chain(target, visitor, chain))
    parent = app.test_client()
    parent.set_cookie("idp_session", secret)
    return {
        "code flow": lambda: inside.walk(app, plans.code_flow(target, visitor)),
        "refresh": lambda: inside.walk(app, plans.refresh(target, chain)),
        "sign-in": lambda: inside.walk(
            app, plans.sign_in(target, plans.Visitor("parent8", PASSWORD))
        ),
        "forgotten password": _forgotten(app, target),
        **{
            f"account: {path}": _page(parent, path)
            for path in ("/", "/account/history", "/account/sessions", "/account/data")
        },
    }


def _page(client: FlaskClient, path: str) -> Callable[[], object]:
    return lambda: _well(client.get(path), path)


def _well(answer: object, what: str, *statuses: int) -> str:
    status, text = answer.status_code, answer.get_data(as_text=True)  # type: ignore[attr-defined]
    if status not in (statuses or (200,)):
        raise RuntimeError(f"{what}: {status}")
    return str(text)


def _forgotten(app: Flask, target: plans.Target) -> Callable[[], object]:
    """Somebody who has not signed in asks for a mail, each time another and from elsewhere."""
    askers = count(1)

    def ask() -> None:
        asker = next(askers)
        client = app.test_client()
        where = {"REMOTE_ADDR": f"10.{asker >> 16 & 255}.{asker >> 8 & 255}.{asker & 255}"}
        asked = plans.Proof(plans.CODE_SCOPE).path(target)
        login = client.get(asked, environ_overrides=where, follow_redirects=True)
        page = login.request.path.removesuffix("/login") + "/forgotten"
        text = _well(client.get(page, environ_overrides=where), page)
        form = {"csrf_token": _CSRF.findall(text)[0], "email": f"p{asker + 20}@a.example"}
        _well(client.post(page, data=form, environ_overrides=where), "a mail", 200, 302, 303)

    return ask


def _import(app: Flask, folder: Path) -> Callable[[], object]:
    """A school's own file, 300 pupils, read and compared; the first time it makes everybody."""
    file = district.write(folder / "school.zip", ONE_SCHOOL)
    school_id = create_school("Imported").id
    wish = Wish(schools=(Choice(school_id, "org0"),), by_operator=True)

    def take_in() -> None:
        with app.app_context():
            run = rosters.stage(file, wish)
            (report,) = rosters.apply(run.id, confirm_large_change=True)
            db.session.remove()
            if report.state != "applied":
                raise RuntimeError(f"import: {report.state}")

    return take_in
