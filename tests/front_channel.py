"""A provider that lets applications have an ID token on the browser's way, and such answers."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import create_app
from idp.database import base64url
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.relying_party import leads_to


@contextmanager
def allowing(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    """A browser of a provider whose operator allows it."""
    app = create_app(settings_for_tests(database_url, keys_folder, front_channel_id_tokens=True))
    app.test_client_class = ApartClient
    with app.app_context():
        yield app.test_client()


def fragment_of(response: TestResponse) -> dict[str, str]:
    """The fields in the fragment of where the browser goes; nothing stands in the query."""
    parts = urlsplit(leads_to(response))
    assert not parts.query, parts
    return dict(parse_qsl(parts.fragment))


def half_hash(text: str) -> str:
    """OpenID Connect Core §3.3.2.11, for SHA-256."""
    return base64url(hashlib.sha256(text.encode()).digest()[:16])
