"""What clients make us ask goes through the operator's proxy, unless NO_PROXY names the host."""

import pytest
from flask import Flask

from idp.outgoing import guarded, session
from idp.outgoing.trouble import Away, NotAllowed
from tests.outgoing.conftest import NAME, Names
from tests.outgoing.servers import Server, reply

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def proxy(strict: Flask, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("HTTPS_PROXY", server.address(path=""))
    server.answer = reply(b"", "502 Bad Gateway")
    return server


def lines(proxy: Server) -> list[bytes]:
    return [b" ".join(request.split()[:2]) for request in proxy.requests]


def test_the_proxy_connects_by_name(proxy: Server, names: Names) -> None:
    names.mean(NAME, ["93.184.215.14"])
    with pytest.raises(Away):
        guarded.fetch(f"https://{NAME}/keys")
    assert lines(proxy) == [f"CONNECT {NAME}:443".encode()]


def test_a_host_that_only_the_proxy_knows_is_the_proxys(proxy: Server, names: Names) -> None:
    names.mean(NAME, [])
    with pytest.raises(Away):
        guarded.fetch(f"https://{NAME}/keys")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "2130706433"])
def test_r14_private_addresses_are_refused_before_the_proxy_hears_of_them(
    proxy: Server, host: str
) -> None:
    with pytest.raises(NotAllowed):
        guarded.fetch(f"https://{host}/keys")
    assert proxy.requests == []


def test_r14_a_name_of_a_private_address_too(proxy: Server, names: Names) -> None:
    names.mean(NAME, ["10.0.0.1"])
    with pytest.raises(NotAllowed):
        guarded.fetch(f"https://{NAME}/keys")
    assert proxy.requests == []


def test_no_proxy_is_respected(
    proxy: Server, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", f"other.example,{NAME}")
    names.mean(NAME, ["10.0.0.1"])
    with pytest.raises(NotAllowed):
        guarded.fetch(f"https://{NAME}/keys")
    assert proxy.requests == []


def test_a_proxy_that_drips_is_cut(
    proxy: Server, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.mean(NAME, ["93.184.215.14"])
    monkeypatch.setattr(session, "SECONDS", 0.5)
    proxy.drip = 0.05
    proxy.answer = reply(b"", "200 Connection established", Padding="x" * 5000)
    with pytest.raises(Away, match="slow"):
        guarded.fetch(f"https://{NAME}/keys")
