"""``python -m examples.portal``: serve one school's portal until stopped.

Secrets come from the environment, not from the command line, where everybody reads them:
PORTAL_CLIENT_SECRET, PORTAL_SESSION_SECRET, PORTAL_HELPER_SECRET.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from examples.portal import create_app
from examples.portal.config import PortalConfig


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    config = _config(_parser().parse_args())
    server = make_server(
        config.host, config.port, create_app(config), threaded=True, request_handler=_Silent
    )
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    print(f"{config.school}: {config.url}", flush=True)
    server.serve_forever()


class _Silent(WSGIRequestHandler):
    """No access log: the address of the callback holds the code."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="examples.portal", description=__doc__)
    parser.add_argument("--school", required=True, help="name of the school")
    parser.add_argument("--theme", choices=("college", "primary"), default="college")
    parser.add_argument("--issuer", required=True, help="address of the identity provider")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--helper-client-id", default="", help="the homework helper's client id")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--visits", type=Path, required=True, help="SQLite file of the sessions")
    parser.add_argument("--mailbox", type=Path, help="SQLite file of examples.mailbox")
    parser.add_argument("--authenticator", type=Path, help="JSON file of the staff's apps")
    return parser


def _config(arguments: argparse.Namespace) -> PortalConfig:
    return PortalConfig(
        school=arguments.school,
        theme=arguments.theme,
        issuer=arguments.issuer.rstrip("/"),
        client_id=arguments.client_id,
        client_secret=os.environ["PORTAL_CLIENT_SECRET"],
        port=arguments.port,
        visits_file=arguments.visits,
        mailbox_file=arguments.mailbox,
        authenticator_file=arguments.authenticator,
        session_secret=os.environ.get("PORTAL_SESSION_SECRET", ""),
        helper_client_id=arguments.helper_client_id,
        helper_client_secret=os.environ.get("PORTAL_HELPER_SECRET", ""),
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
