"""``python -m bench.scale``: what one family, one school and operators ask for, among few and many.

Fills PostgreSQL twice with ``bench.population`` and asks the same of both, through the whole
application but without a network. Prints medians in milliseconds and their ratio; ends with 1
where one that should cost the same costs more than ``--bound`` times as much.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import psycopg
from alembic import command
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from bench import databases, desk_pages, inside, plans, population, provider
from bench.population import Grown
from idp import Settings, create_app, purge
from idp.clients import registration
from idp.credentials import passwords
from idp.credentials.models import Password
from idp.database import db, migrations, transaction
from idp.desk.overview import counting
from idp.oidc.keys import Keyring
from idp.people import accounts
from idp.people.schools import create_school
from idp.sessions import service as sessions

PORT: Final = 18700
PASSWORD: Final = "Lampe-Fougère-Tambour-7"
ROUNDS: Final = 15
SCHOOL: Final = "s_1"

Acts = dict[str, Callable[[], object]]


def main() -> int:
    """Fill, ask, print a table; 1 where something does not cost the same."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="accounts of the small platform")
    parser.add_argument("--many", type=int, default=1_000_000, help="accounts of the large one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--bound", type=float, default=1.2)
    arguments = parser.parse_args()
    few, many = (
        _measured(Grown(count), arguments.rounds) for count in (arguments.few, arguments.many)
    )
    print(f"{'':<44} {arguments.few:>12,} {arguments.many:>12,}   ratio")
    worst = 0.0
    for name, before in few.items():
        ratio = many[name] / before
        worst = max(worst, ratio)
        print(f"{name:<44} {1000 * before:>12.1f} {1000 * many[name]:>12.1f} {ratio:>7.2f}")
    return int(worst > arguments.bound)


def _measured(grown: Grown, rounds: int) -> dict[str, float]:
    """Seconds that each act took, the median of so many."""
    with _serving(grown) as (app, acts):
        taken = {}
        for name, act in acts.items():
            act()
            taken[name] = statistics.median(_timed(act) for _ in range(rounds))
        with app.app_context():
            _say("the platform's figures", counting.refresh)
            _say("a purge", purge.run)
        return taken


def _timed(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return perf_counter() - began


def _say(name: str, act: Callable[[], object]) -> None:
    print(f"  {name}: {_timed(act):.1f} s", flush=True)


@contextmanager
def _serving(grown: Grown) -> Iterator[tuple[Flask, Acts]]:
    with (
        tempfile.TemporaryDirectory(prefix="idp-scale-") as name,
        databases.fresh("postgresql", Path(name)) as url,
    ):
        variables = provider.environment(Path(name), url, PORT)
        os.environ.update(variables)
        app = create_app(Settings.from_environment(variables))
        with app.app_context():
            command.upgrade(migrations.configuration(), "head")
            Keyring(app.extensions["idp.settings"].keys_folder).ensure()
            print(
                f"{grown.accounts:,} accounts, {grown.children:,} pupils, {grown.schools:,} schools"
            )
            acts = _acts(app, grown, url)
            db.session.remove()
        yield app, acts  # outside of the context: each request is to begin with nothing


def _acts(app: Flask, grown: Grown, url: str) -> Acts:
    first = accounts.create_account(username="first", given_name="Claire", family_name="Bench")
    with transaction():
        passwords.set_password(first.id, PASSWORD)
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
    hashed = db.session.scalars(select(Password.hash)).one()
    for line in population.fill(url, grown, made.client.id, hashed):
        print(f"  {line}", flush=True)
    with psycopg.connect(url) as connection:
        size = connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        print(f"  the database: {size.fetchone()}")
    counting.refresh()
    target = plans.Target(PORT, made.client.id, made.secret or "")
    _, secret = sessions.begin("a_7", amr=("pwd",), acr="0", device="bench")
    visitor = plans.Visitor("parent7", PASSWORD, {"idp_session": secret})
    parent = app.test_client()
    parent.set_cookie("idp_session", secret)
    return {
        "code flow": lambda: inside.walk(app, plans.code_flow(target, visitor)),
        "sign-in": lambda: inside.walk(
            app, plans.sign_in(target, plans.Visitor("parent8", PASSWORD))
        ),
        **{
            f"account: {path}": _page(parent, path)
            for path in ("/", "/account/history", "/account/sessions", "/account/data")
        },
        **desk_pages.visits(
            app,
            SCHOOL,
            {
                "overview": "/admin/",
                "logbook": "/admin/journal",
                "mails": "/admin/mails",
                "an application": f"/admin/applications/{made.client.id}",
            },
        ),
    }


def _page(client: FlaskClient, path: str) -> Callable[[], object]:
    return lambda: client.get(path)


if __name__ == "__main__":
    sys.exit(main())
