"""Requests to other providers respect the operator's proxy, and where it does not count."""

import socket
import threading
from collections.abc import Iterator

import pytest

from idp.federation.identity import ProviderAway
from idp.federation.outgoing import BoundedSession


class Proxy:
    """Notes the first line that each connection says, and answers none."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).split(b"\r\n")[0].decode())
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Proxy()
    monkeypatch.setenv("HTTPS_PROXY", made.address)
    monkeypatch.setenv("HTTP_PROXY", made.address)
    yield made
    made.close()


def ask(url: str) -> None:
    with BoundedSession() as session, pytest.raises(ProviderAway):
        session.request("GET", url, withhold_token=True)


def test_requests_go_through_the_proxy(proxy: Proxy) -> None:
    ask("https://provider.invalid/keys")
    assert [line.rsplit(" ", 1)[0] for line in proxy.asked] == ["CONNECT provider.invalid:443"]


@pytest.mark.parametrize(
    "excepted", ["provider.invalid", ".invalid", "other.example, invalid", "*"]
)
def test_no_proxy_is_respected(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    monkeypatch.setenv("NO_PROXY", excepted)
    ask("https://provider.invalid/keys")
    assert proxy.asked == []


def test_another_name_in_no_proxy_changes_nothing(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,other.invalid")
    ask("https://provider.invalid/keys")
    assert len(proxy.asked) == 1


def test_plain_http_never_goes_through_a_proxy(proxy: Proxy) -> None:
    ask("http://127.0.0.1:1/keys")
    assert proxy.asked == []
