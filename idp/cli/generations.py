"""One server after the other at the same port, with no gap between them (security rule R12).

The process that an operator starts serves nobody itself. It keeps a *generation*: the server with
its workers. SIGHUP begins another one from what is installed and set by then, and once all its
workers are there, the one before leaves. A generation that does not start changes nothing.
"""

import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress
from threading import Thread
from time import monotonic, sleep
from typing import Final, NoReturn

from idp.settings import variables

READY: Final = "SCHOOL_IDP_READY"
"""The variable that tells a generation's workers where to say that they are there."""
KEEPER: Final = "SCHOOL_IDP_KEEPER"
"""The variable that tells a generation which process keeps it."""
REPLACED: Final = signal.SIGUSR1
"""Tells a generation that another one serves in its place: leave, as at SIGTERM, but be ready."""
STARTS_WITHIN: Final = 180  # seconds
SETTLES: Final = 1.0
"""Seconds between a worker's word and its listening, with room to spare."""
AGAIN: Final = 5.0
"""Seconds after which a generation that was to leave, and is there, is told once more: the server
forgets a signal that comes just when one of its workers ends or begins.
"""

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
GRACE: Final = 10
"""Seconds for answers that are under way, once the parent is gone."""

AS_TOLD: Final = {0, 1, -signal.SIGINT, -signal.SIGTERM}
"""How a generation ends that was told to: 1 where a worker ended by itself, as all do where all
hear the signal; by the signal where that came before its handler, or after.
"""

_PID: Final = 4  # bytes
_HEARD: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_log = logging.getLogger(__name__)


def is_later() -> bool:
    """Whether this process is a generation that follows another one, at the same port."""
    return KEEPER in os.environ


def begin(workers: int, drain: float) -> None:
    """Return in a process that is to serve; the one that asked keeps it, and ends with it.

    ``drain``: seconds for which a generation goes on serving once told to leave.
    """
    if sys.platform != "linux":
        return
    if not is_later():
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        keeper = _Keeper(workers, drain)
        if keeper.begin():
            keeper.keep()
    # SIGINT, not SIGTERM: whoever killed the keeper wants the port back at once.
    end_with_parent(int(os.environ.pop(KEEPER)), signal.SIGINT)


def say_ready() -> None:
    """Tell the keeper, from a worker, which one is there."""
    with suppress(KeyError, OSError):  # nobody keeps it, or nobody waits for it any more
        os.write(int(os.environ[READY]), os.getpid().to_bytes(_PID))


def end_with_parent(parent: int, how: signal.Signals) -> None:
    """Be stopped by this signal when the parent dies, however it dies (``kill -9``).

    Otherwise this process would go on with old code, and hold the port. ``parent`` is told, not
    asked: it may have died while this process was still loading its modules.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)
    Thread(target=_watch, args=(parent, how), name="parent", daemon=True).start()


def _watch(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        sleep(1)
    os.kill(os.getpid(), how)
    # The server forgets a signal that comes while it begins
    sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


class _Keeper:
    def __init__(self, workers: int, drain: float) -> None:
        self._workers = workers
        self._drain = drain
        self._serving = 0
        self._coming = 0
        self._leaving: set[int] = set()
        self._overdue: dict[int, float] = {}  # from when each that is to leave is told once more
        self._ready: set[bytes] = set()  # by the workers of the one that comes, each for itself
        self._reads = -1
        self._until = 0.0
        self._again = False
        self._ending = False
        self._code = 0

    def begin(self) -> bool:
        """Fork the first generation, which has all that is loaded and checked; false in it."""
        pid, self._reads = _forked()
        if pid == 0:
            return False
        os.close(self._reads)
        self._serving = pid
        return True

    def keep(self) -> NoReturn:
        while self._serving or self._coming or self._leaving:
            heard = signal.sigtimedwait(_HEARD, self._patience())
            if heard is not None:
                self._hear(heard.si_signo)
            self._remind()
            if self._coming:
                self._look_at_the_coming()
            if self._again and not self._coming and not self._ending:
                self._renew()
        sys.exit(self._code)

    def _patience(self) -> float:
        if self._coming:
            return 0.2
        return AGAIN if self._overdue else 3600

    def _hear(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP and not os.isatty(0):
            self._again = True
        else:  # a terminal that was closed, too
            self._end(signal.SIGINT if number == signal.SIGHUP else number)

    def _end(self, number: int) -> None:
        self._ending = True
        for pid in {self._serving, self._coming, *self._leaving} - {0}:
            self._tell(pid, number)

    def _tell(self, pid: int, number: int) -> None:
        """Have this one leave: at once, or after its drain."""
        os.kill(pid, number)
        drain = 0 if number == signal.SIGINT else self._drain
        self._overdue[pid] = monotonic() + drain + AGAIN

    def _remind(self) -> None:
        now = monotonic()
        for pid, moment in self._overdue.items():
            if now > moment:
                self._overdue[pid] = now + AGAIN
                os.kill(pid, signal.SIGINT)

    def _renew(self) -> None:
        self._again, self._ready = False, set()
        self._until = monotonic() + STARTS_WITHIN
        _log.info("Another generation begins")
        pid, self._reads = _forked()
        if pid == 0:
            _become_another()
        os.set_blocking(self._reads, False)
        self._coming = pid

    def _look_at_the_coming(self) -> None:
        if self._ending or not self._serving:
            return  # it was told to leave, as all are
        with suppress(BlockingIOError):
            pids = os.read(self._reads, 128 * _PID)
            self._ready.update(pids[at : at + _PID] for at in range(0, len(pids), _PID))
        if len(self._ready) >= self._workers:
            sleep(SETTLES)
            _log.info("Another generation serves; the one before leaves")
            self._tell(self._serving, REPLACED)
            self._leaving.add(self._serving)
            self._serving, self._coming = self._coming, 0
            os.close(self._reads)
        elif monotonic() > self._until:
            os.kill(self._coming, signal.SIGKILL)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        self._leaving.discard(pid)
        self._overdue.pop(pid, None)
        if pid == self._coming:
            self._coming = 0
            os.close(self._reads)
            if not self._ending:
                _log.error("Another generation did not start; the one before goes on")
        elif pid == self._serving:
            self._serving = 0
            self._code = code if code >= 0 else 1
            if self._ending and code in AS_TOLD:
                self._code = 0
            if not self._ending:  # it crashed: whoever started us may start us again
                self._end(signal.SIGTERM)


def _forked() -> tuple[int, int]:
    """A child's id, 0 in the child; and where to read what its workers say."""
    keeper = os.getpid()
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        os.set_inheritable(writes, True)
        os.environ[READY], os.environ[KEEPER] = str(writes), str(keeper)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    else:
        os.close(writes)
    return pid, reads


def _become_another() -> NoReturn:
    """The same command anew, with the code and the settings file that are there by now."""
    kept = {name: value for name, value in os.environ.items() if name not in variables.from_file}
    script = sys.argv[0]
    if os.access(script, os.X_OK):  # its first line may name another Python by now
        os.execve(script, sys.argv, kept)  # noqa: S606 - ourselves
    os.execve(sys.executable, sys.orig_argv, kept)  # noqa: S606
