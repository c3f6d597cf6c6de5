"""A lean HTTP/1.1 client: many keep-alive connections in one thread.

The load generator shares the processor with the provider that it measures, so there is no
event-loop library here: one ``epoll``, one socket for each visitor, plain slices of bytes.
It speaks to 127.0.0.1 only.
"""

import heapq
import select
import socket
from collections.abc import Callable, Iterable
from time import perf_counter

from bench.exchange import Answer, Call, Plan, Reconnect, Unexpected, Wait

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds without a byte after which an answer is given up."""

UNKNOWN, CHUNKED = -1, -2

Heard = Callable[[str, float], None]


class Line:
    """One visitor: a plan, its connection, and the answer that is arriving."""

    __slots__ = ("body_at", "buffer", "call", "need", "plan", "sent_at", "socket", "trouble")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.socket: socket.socket | None = None
        self.call: Call | None = None
        self.sent_at = 0.0
        self.buffer = b""
        self.body_at = 0
        self.trouble: Unexpected | None = None
        self.need = UNKNOWN
        """Bytes of the whole answer, once its head is complete, unless it comes in chunks."""

    def take(self, received: bytes) -> Answer | None:
        """Add what arrived; the answer once it is complete."""
        self.buffer = self.buffer + received if self.buffer else received
        if self.need == UNKNOWN:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self.body_at = end + 4
            self.need = _length(self.buffer, self.body_at)
        if self.need == CHUNKED:
            return self._chunked()
        if len(self.buffer) < self.need:
            return None
        return self._answer(self.buffer[self.body_at : self.need])

    def _chunked(self) -> Answer | None:
        if not self.buffer.endswith(b"0\r\n\r\n"):
            return None
        body, position = b"", self.body_at
        while True:
            end = self.buffer.find(b"\r\n", position)
            size = int(self.buffer[position:end].split(b";")[0], 16) if end > 0 else -1
            if size < 0 or end + 2 + size > len(self.buffer):
                return None
            if size == 0:
                return self._answer(body)
            body += self.buffer[end + 2 : end + 2 + size]
            position = end + 4 + size

    def _answer(self, body: bytes) -> Answer:
        head = self.buffer[: self.body_at - 2]
        self.buffer, self.need = b"", UNKNOWN
        return Answer(int(head[9:12]), head, body, perf_counter() - self.sent_at)


def _length(buffer: bytes, body_at: int) -> int:
    head = buffer[:body_at].lower()
    start = head.find(b"\r\ncontent-length:")
    if start >= 0:
        return body_at + int(head[start + 17 : head.find(b"\r\n", start + 17)])
    if b"\r\ntransfer-encoding: chunked" in head:
        return CHUNKED
    return body_at


class Crowd:
    """Runs plans side by side until all have ended."""

    def __init__(self, port: int, heard: Heard = lambda *_: None) -> None:
        self._port = port
        self._heard = heard
        self._epoll = select.epoll()
        self._lines: dict[int, Line] = {}
        self._waiting: list[tuple[float, int, Line]] = []
        self._numbers = 0

    def run(self, plans: Iterable[Plan]) -> None:
        """Run the plans; a lost connection is raised inside its plan as ``Unexpected``."""
        try:
            for plan in plans:
                self._advance(Line(plan), None)
            while self._lines or self._waiting:
                self._turn()
        finally:
            for line in self._lines.values():
                if line.socket:
                    line.socket.close()
            self._epoll.close()

    def _turn(self) -> None:
        now = perf_counter()
        while self._waiting and self._waiting[0][0] <= now:
            self._advance(heapq.heappop(self._waiting)[2], None)
        timeout = self._waiting[0][0] - perf_counter() if self._waiting else 1.0
        events = self._epoll.poll(min(max(timeout, 0.0), 1.0))
        for number, _ in events:
            if line := self._lines.get(number):
                self._read(line)
        if not events:
            self._give_up()

    def _read(self, line: Line) -> None:
        assert line.socket is not None
        try:
            received = line.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received or line.call is None:  # or bytes that nobody asked for
            self._lost(line, "closed by the server")
        elif answer := line.take(received):
            self._heard(line.call.step, answer.seconds)
            line.call = None
            if b"\r\nconnection: close" in answer.head.lower():
                self._hang_up(line)
            self._advance(line, answer)

    def _advance(self, line: Line, answer: Answer | None) -> None:
        try:
            action = self._resume(line, answer)
            while isinstance(action, Reconnect):
                self._hang_up(line)
                action = next(line.plan)
            if isinstance(action, Wait):
                self._park(line, action.until)
            else:
                self._send(line, action)
        except StopIteration:
            self._hang_up(line)

    def _resume(self, line: Line, answer: Answer | None) -> Call | Wait | Reconnect:
        trouble, line.trouble = line.trouble, None
        if trouble:
            return line.plan.throw(trouble)
        return line.plan.send(answer)  # type: ignore[arg-type]  # None begins or goes on

    def _park(self, line: Line, until: float) -> None:
        self._numbers += 1
        heapq.heappush(self._waiting, (until, self._numbers, line))

    def _send(self, line: Line, call: Call) -> None:
        line.call, line.buffer, line.need = call, b"", UNKNOWN
        try:
            if line.socket is None:
                self._connect(line)
            assert line.socket is not None
            line.sent_at = perf_counter()
            sent = line.socket.send(call.request)
            if sent < len(call.request):
                raise OSError("the request did not fit into the socket's buffer")
        except OSError as error:
            self._lost(line, str(error))

    def _connect(self, line: Line) -> None:
        line.socket = socket.create_connection((HOST, self._port), timeout=5)
        line.socket.setblocking(False)
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines[line.socket.fileno()] = line
        self._epoll.register(line.socket.fileno(), select.EPOLLIN)

    def _hang_up(self, line: Line) -> None:
        if line.socket:
            del self._lines[line.socket.fileno()]
            self._epoll.unregister(line.socket.fileno())
            line.socket.close()
            line.socket = None

    def _lost(self, line: Line, reason: str) -> None:
        call, line.call = line.call, None
        self._hang_up(line)
        if call:  # otherwise an idle connection was closed; the next call opens another
            line.trouble = Unexpected(f"{call.step}: connection lost: {reason}")
            self._park(line, perf_counter())

    def _give_up(self) -> None:
        now = perf_counter()
        late = [x for x in self._lines.values() if x.call and now - x.sent_at > PATIENCE]
        for line in late:
            self._lost(line, f"no answer in {PATIENCE:.0f} s")
