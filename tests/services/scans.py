"""An application whose every statement PostgreSQL explains, told to go through no table from end to
end where an index allows anything else: what it goes through all the same has no index for it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from flask import Flask, request
from sqlalchemy import event

from idp import create_app
from idp.database import db
from tests.apart import ApartClient
from tests.conftest import settings_for_tests

FEW_ROWS: Final = {
    "alembic_version": "one",
    "clients": "as many as there are applications",
    "client_schools": "as many as there are applications and schools",
    "delivery_pauses": "one for each application",
    "installation_marks": "one for each machine and key",
    "platform_counts": "one for each school",
    "registration_tokens": "what an operator has made",
    "schools": "as many as there are schools",
}
"""Tables that may be gone through whole: they do not grow with families, nor with time."""

OF_THE_TESTS: Final = ("UPDATE staff_roles SET granted_at",)
"""How statements begin by which the tests themselves prepare something."""

EXPLAINING: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_nested_statements": "on",  # foreign keys, too
    "auto_explain.log_level": "notice",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Of two ways to ask « EXISTS » – row by row, or all at once beforehand – PostgreSQL 18 looks
    # at costs alone, and at nothing that is off: a page in sequence costs what that did before
    "seq_page_cost": "1e10",
}


class Scans:
    """Which tables were gone through, by which statements; and which views were asked."""

    def __init__(self) -> None:
        self.statements = 0
        self.found: dict[tuple[str, str], str] = {}
        self.reached: set[tuple[str, str]] = set()

    def notice(self, diagnostic: Any) -> None:
        _before, is_plan, plan = (diagnostic.message_primary or "").partition("plan:")
        if is_plan:
            document = json.loads(plan)
            self.statements += 1
            text = " ".join(document["Query Text"].split())
            if not text.startswith(OF_THE_TESTS):
                for table in _gone_through(document["Plan"]):
                    self.found.setdefault((table, text[:200]), f"{table}: {text}")


def _gone_through(node: dict[str, Any]) -> Iterator[str]:
    table = node.get("Relation Name", "")
    if node["Node Type"].endswith("Seq Scan") and table not in FEW_ROWS:
        yield table
    for part in node.get("Plans", ()):
        yield from _gone_through(part)


@contextmanager
def explained(
    database_url: str, keys_folder: Path, **changes: object
) -> Iterator[tuple[Flask, Scans]]:
    """Each statement of this application is explained, each view that is asked is noted."""
    options = " ".join(f"-c {name}={value}" for name, value in EXPLAINING.items())
    url = f"{database_url}?options={quote(options)}"
    app, scans = create_app(settings_for_tests(url, keys_folder, **changes)), Scans()
    app.testing = True
    app.test_client_class = ApartClient
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = _noting(scans, endpoint, view)

    def listen(connection: Any, *_: Any) -> None:
        connection.add_notice_handler(scans.notice)

    with app.app_context():
        db.engine.dispose()
        event.listen(db.engine, "connect", listen)
        try:
            yield app, scans
        finally:
            event.remove(db.engine, "connect", listen)
            db.session.remove()
            db.engine.dispose()


def _noting(scans: Scans, endpoint: str, view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def noted(*args: Any, **kwargs: Any) -> Any:
        scans.reached.add((endpoint, request.method))
        return view(*args, **kwargs)

    return noted


def ways_in(app: Flask) -> set[tuple[str, str]]:
    """Each endpoint that reads or changes something, with its methods."""
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
