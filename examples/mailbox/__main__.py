"""``python -m examples.mailbox --port 8025 --file mailbox.db``: take mail until stopped."""

import argparse
import signal
from pathlib import Path

from aiosmtpd.controller import Controller

from examples.mailbox.receiving import Receiver
from examples.mailbox.store import Mailbox

LARGEST_MAIL = 1024 * 1024


def main() -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="examples.mailbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--file", type=Path, required=True, help="SQLite file of the mails")
    arguments = parser.parse_args()

    stopping = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # the server's thread inherits it
    server = Controller(
        Receiver(Mailbox(arguments.file)),
        hostname=arguments.host,
        port=arguments.port,
        data_size_limit=LARGEST_MAIL,
        enable_SMTPUTF8=True,
        server_hostname="mailbox.example",
    )
    server.start()
    print(f"Taking mail at {arguments.host}:{arguments.port}", flush=True)
    signal.sigwait(stopping)
    server.stop()


if __name__ == "__main__":
    main()
