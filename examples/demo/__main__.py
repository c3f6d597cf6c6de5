"""``python -m examples.demo``: run the provider, two portals and a mailbox until Ctrl-C."""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from examples.demo import local_settings, places, readiness
from examples.demo.parts import demo_parts
from examples.demo.ports import Ports, PortTrouble, choose
from examples.demo.processes import Part, PartEnded, Parts

ENDED_BY_PART = 1
UNUSABLE = 2


class AlreadyRunning(Exception):
    """Another demo runs from this checkout: two would share one database and one file of keys."""


def main() -> int:
    """Run the demo, or forget its data; the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--reset", action="store_true", help="forget the demo's data, and stop")
    reset = parser.parse_args().reset
    try:
        ports = None if reset else choose(os.environ)
        with _alone():
            if ports is not None:
                return _run(ports)
            places.forget()
            print("The demo's data are gone; `make demo` starts anew.")
            return 0
    except (PortTrouble, AlreadyRunning, subprocess.CalledProcessError) as error:
        print(f"The demo can't start: {_sentence(error)}", file=sys.stderr)
        return UNUSABLE


def _run(ports: Ports) -> int:
    stop = _stop_asked()
    print("Preparing the provider …", flush=True)
    document, table, parts = _prepare(ports)
    try:
        with Parts(stop) as running:
            for part in parts if not stop.is_set() else ():
                running.start(part)
            readiness.wait(document, ports, running)
            if not stop.is_set():
                print(table, flush=True)
            running.watch()
            print("\nStopping …", flush=True)
    except (PartEnded, readiness.TooSlow) as error:
        print(f"The demo ends: {error}", file=sys.stderr)
        return ENDED_BY_PART
    return 0


def _prepare(ports: Ports) -> tuple[dict[str, Any], str, list[Part]]:
    """Secrets, schema, keys, the school year and the applications: each made once."""
    known_secrets = local_settings.make_secrets()
    settings = local_settings.provider_settings(ports, known_secrets)
    environment = {**local_settings.plain_environment(), **settings}
    for arguments in (["db", "upgrade"], ["keys", "ensure"]):
        _idp(arguments, environment)

    from examples.demo import applications, desk, enrolment, summary
    from idp import Settings, create_app
    from idp.database import db
    from idp.readiness import agreement

    app = create_app(Settings.from_environment(settings))
    with app.app_context():
        # Another port is another issuer, on purpose. Other secrets stay refused: ours are lost then
        changed = agreement.differences()
        if changed and all(each.startswith("IDP_ISSUER ") for each in changed):
            agreement.settle()
        schools = enrolment.enrol_once()
        enrolment.link_foreign_people(ports)
        staff = desk.described(desk.staff_once(schools))
        registered = applications.register_all(schools, ports)
        document = summary.describe(registered, staff, ports)
        table = summary.table(document)
        db.session.remove()
        db.engine.dispose()
    parts = demo_parts(ports, registered, environment, known_secrets)
    return document, table, parts


def _idp(arguments: list[str], environment: dict[str, str]) -> None:
    command = [str(places.idp_command()), *arguments]
    subprocess.run(
        command,
        cwd=places.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        start_new_session=True,  # a Ctrl-C waits until this step is done
    )


@contextmanager
def _alone() -> Iterator[None]:
    places.INSTANCE.mkdir(parents=True, exist_ok=True)
    with places.LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("a demo runs from this folder already: end it first") from None
        yield


def _stop_asked() -> Event:
    stop = Event()
    # In a thread of its own: a handler runs between two steps of this one, which may hold the lock
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: Thread(target=stop.set).start())
    return stop


def _sentence(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        output = (error.stderr or error.stdout or b"").decode(errors="replace").strip()
        return f"{' '.join(error.cmd)} failed:\n{output}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
