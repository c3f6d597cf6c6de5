"""``python -m examples.providers --kind openid --name Google …``: serve until stopped.

The client's secret comes from the environment: PROVIDER_CLIENT_SECRET.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from examples.providers import graph, openid
from examples.providers.config import ProviderConfig
from examples.providers.people import Store

KINDS = {"openid": openid.create_app, "graph": graph.create_app}


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    arguments = _parser().parse_args()
    config = ProviderConfig(
        name=arguments.name,
        port=arguments.port,
        path=arguments.path.rstrip("/"),
        client_id=arguments.client_id,
        client_secret=os.environ["PROVIDER_CLIENT_SECRET"],
        redirect_uri=arguments.redirect_uri,
    )
    app = KINDS[arguments.kind](config, Store.read(arguments.people))
    server = make_server(config.host, config.port, app, threaded=True, request_handler=_Silent)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    print(f"{config.name}: {config.url}", flush=True)
    server.serve_forever()


class _Silent(WSGIRequestHandler):
    """No access log: addresses hold codes and secrets."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="examples.providers", description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--name", required=True, help="what it calls itself")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="", help="path of the issuer, such as /realms/school")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--redirect-uri", required=True)
    parser.add_argument("--people", type=Path, required=True, help="JSON file of its people")
    return parser


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
