"""Applications at the desk: who sees which, registering, editing, secrets (rules A1 to A3)."""

import json
import re
import threading

import pytest
from flask import Flask
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.clients import registration
from idp.clients.models import Client
from idp.database import db
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import CALLBACK, Browser, RelyingParty, error_of
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LIST = "/admin/applications"


def fields(desk: Desk, **changes: object) -> dict[str, object]:
    """What an operator types at least."""
    return {
        "client_name": "Devoirs",
        "schools": desk.here.id,
        "redirect_uris": "https://app.example/callback",
        **changes,
    }


def submitted(browser: Browser, **values: object) -> object:
    page = browser.submit("client-form", **values)  # type: ignore[arg-type]
    return page
