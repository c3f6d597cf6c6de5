"""Whatever a client makes us ask: bounded, to public addresses only (security rule R14)."""

import gzip
import socket
import threading
import time
from typing import Any

import pytest
from flask import Flask

from idp.database import db, transaction
from idp.outgoing import guarded, places, session
from idp.outgoing.trouble import Away, Busy, NotAllowed, Trouble, WrongAnswer
from tests.outgoing.conftest import NAME, Names, change
from tests.outgoing.servers import Server, reply

pytestmark = pytest.mark.quick_on("sqlite")


def test_r14_what_a_listed_host_answers_comes_back(
    strict: Flask, tls_server: Server, names: Names
) -> None:
    names.mean(NAME, ["127.0.0.1"])
    change(strict, outgoing_private_hosts=(NAME,))
    tls_server.answer = reply(b'{"keys": []}', Cache_Control="max-age=60")

    answer = guarded.fetch(tls_server.address(NAME, "https"))

    assert (answer.status, answer.json_object()) == (200, {"keys": []})
    assert answer.headers["cache-control"] == "max-age=60"
    assert tls_server.requests[0].startswith(b"GET /keys HTTP/1.1\r\n")


def test_r10_a_certificate_of_another_name_is_refused(
    strict: Flask, tls_server: Server, names: Names
) -> None:
    names.mean("other.example", ["127.0.0.1"])
    change(strict, outgoing_private_hosts=("other.example",))
    with pytest.raises(Away, match="unreachable"):
        guarded.fetch(tls_server.address("other.example", "https"))
    assert tls_server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
@pytest.mark.parametrize("as_a_name", [False, True])
def test_r14_addresses_that_are_not_public_are_refused(
    strict: Flask, names: Names, address: str, as_a_name: bool
) -> None:
    names.mean(NAME, [address])
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(NotAllowed, match="private address"):
        guarded.fetch(f"https://{NAME if as_a_name else literal}/keys")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_r14_another_spelling_of_this_machine_is_this_machine(
    strict: Flask, server: Server, host: str
) -> None:
    with pytest.raises(Trouble):
        guarded.fetch(server.address(host, "https"))
    assert server.requests == []


def test_r14_one_private_address_among_public_ones_is_enough(strict: Flask, names: Names) -> None:
    names.mean(NAME, ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(NotAllowed):
        guarded.fetch(f"https://{NAME}/keys")


def test_r14_a_name_is_looked_up_once_and_pinned(
    strict: Flask, tls_server: Server, names: Names
) -> None:
    """DNS rebinding: what the name means a moment later changes nothing."""
    names.mean(NAME, ["127.0.0.1"], ["10.0.0.1"])
    change(strict, outgoing_private_hosts=("127.0.0.0/8",))

    assert guarded.fetch(tls_server.address(NAME, "https")).status == 200

    assert names.lookups == [NAME]
    with pytest.raises(NotAllowed):
        guarded.fetch(tls_server.address(NAME, "https"))


def test_r14_the_next_address_is_tried_where_the_first_is_silent(
    strict: Flask, tls_server: Server, names: Names
) -> None:
    names.mean(NAME, ["127.0.0.2", "127.0.0.1"])  # nobody listens at the first one
    change(strict, outgoing_private_hosts=(NAME,))
    assert guarded.fetch(tls_server.address(NAME, "https")).status == 200


@pytest.mark.parametrize(
    "listed", ["client.example", ".example", "127.0.0.1/32", "127.0.0.0/8", "127.0.0.1"]
)
def test_the_operator_lists_hosts_domains_and_networks(
    strict: Flask, tls_server: Server, names: Names, listed: str
) -> None:
    names.mean(NAME, ["127.0.0.1"])
    change(strict, outgoing_private_hosts=(listed,))
    assert guarded.fetch(tls_server.address(NAME, "https")).status == 200


@pytest.mark.parametrize("listed", ["example", "ient.example", ".client.example", "10.0.0.0/8"])
def test_what_is_not_listed_stays_refused(strict: Flask, names: Names, listed: str) -> None:
    names.mean(NAME, ["127.0.0.1"])
    change(strict, outgoing_private_hosts=(listed,))
    with pytest.raises(NotAllowed):
        guarded.fetch(f"https://{NAME}/keys")


def test_plain_http_is_for_this_machine_alone(strict: Flask, server: Server, names: Names) -> None:
    names.mean(NAME, ["10.1.2.3"])
    with pytest.raises(NotAllowed, match="private address"):
        guarded.fetch(server.address())
    change(strict, outgoing_private_hosts=(NAME, "127.0.0.1"))
    with pytest.raises(NotAllowed, match="not https"):
        guarded.fetch(server.address(NAME))
    assert guarded.fetch(server.address()).status == 200


def test_a_demo_asks_this_machine(app: Flask, no_proxy: None, server: Server) -> None:
    assert guarded.fetch(server.address()).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "ftp://client.example/keys",
        "file:///etc/passwd",
        "//client.example/keys",
        "https:///keys",
        "https://user:secret@client.example/keys",
        "https://client.example:99999/",
        "https://" + "x" * 3000,
        "gopher://127.0.0.1:25/_MAIL",
    ],
)
def test_r14_what_is_no_address_of_the_web_is_not_asked(strict: Flask, address: str) -> None:
    with pytest.raises(NotAllowed):
        guarded.fetch(address)


def test_r14_redirects_are_not_followed(app: Flask, no_proxy: None, server: Server) -> None:
    server.answer = reply(b"", "302 Found", Location=server.address(path="/inside"))
    with pytest.raises(WrongAnswer, match="redirect"):
        guarded.fetch(server.address())
    with pytest.raises(WrongAnswer, match="redirect"):
        guarded.post(server.address(), b"x", "text/plain")
    assert len(server.requests) == 2


def test_r14_64_kib_and_no_more(app: Flask, no_proxy: None, server: Server) -> None:
    server.answer = reply(b" " * 64 * 1024)
    assert len(guarded.fetch(server.address()).body) == 64 * 1024
    server.answer = reply(b" " * (64 * 1024 + 1))
    with pytest.raises(WrongAnswer, match="too large"):
        guarded.fetch(server.address())


def test_r14_a_body_without_an_end_is_left(app: Flask, no_proxy: None, server: Server) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 5_000_000
    with pytest.raises(WrongAnswer, match="too large"):
        guarded.fetch(server.address())


def test_r14_compressed_answers_are_not_unpacked(
    app: Flask, no_proxy: None, server: Server
) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.answer = reply(bomb[: 60 * 1024], Content_Encoding="gzip")
    with pytest.raises(WrongAnswer, match="compressed"):
        guarded.fetch(server.address())
    assert b"Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("dripping", ["head", "body"])
def test_r14_five_seconds_in_all_however_slowly_it_drips(
    app: Flask, no_proxy: None, server: Server, monkeypatch: pytest.MonkeyPatch, dripping: str
) -> None:
    assert session.SECONDS == 5
    monkeypatch.setattr(session, "SECONDS", 0.5)
    server.answer = reply(b" " * 5000)
    if dripping == "body":
        server.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 5000
    server.drip = 0.05
    began = time.monotonic()
    with pytest.raises(Away, match="slow"):
        guarded.fetch(server.address())
    assert time.monotonic() - began < 2


def test_r14_a_silent_resolver_counts_in_the_same_seconds(
    strict: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SECONDS", 0.3)
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(Away, match="slow"):
        guarded.fetch("https://silent.example/keys")
    assert time.monotonic() - began < 2
    over.set()


def test_an_unknown_host_is_away(strict: Flask, names: Names) -> None:
    names.mean(NAME, [])
    with pytest.raises(Away, match="unknown host"):
        guarded.fetch(f"https://{NAME}/keys")


@pytest.mark.parametrize("status", ["500 Oh", "503 Later", "429 Slowly"])
def test_a_server_in_trouble_is_away(
    app: Flask, no_proxy: None, server: Server, status: str
) -> None:
    server.answer = reply(b"", status)
    with pytest.raises(Away, match=status[:3]):
        guarded.fetch(server.address())


def test_a_post_is_sent_once_and_its_answer_told(
    app: Flask, no_proxy: None, server: Server
) -> None:
    server.answer = reply(b'{"error":"invalid_request"}', "400 Bad Request")

    answer = guarded.post(
        server.address(), b"logout_token=x", "application/x-www-form-urlencoded", {"X-Id": "7"}
    )

    assert (answer.status, answer.json_object()) == (400, {"error": "invalid_request"})
    [request] = server.requests
    assert request.startswith(b"POST /keys HTTP/1.1\r\n")
    assert b"Content-Type: application/x-www-form-urlencoded" in request
    assert b"X-Id: 7" in request
    assert request.endswith(b"\r\n\r\nlogout_token=x")
    assert b"Cookie" not in request
    assert b"Authorization" not in request


def test_of_an_answer_to_a_post_little_is_read(app: Flask, no_proxy: None, server: Server) -> None:
    server.answer = reply(b" " * 9000)
    with pytest.raises(WrongAnswer, match="too large"):
        guarded.post(server.address(), b"", "text/plain")


@pytest.mark.quick_on("postgresql")
def test_nothing_is_asked_while_a_transaction_is_open(
    app: Flask, no_proxy: None, server: Server
) -> None:
    with transaction(), pytest.raises(Busy, match="in a transaction"):
        guarded.fetch(server.address())
    assert server.requests == []


def test_no_database_connection_is_held_meanwhile(
    app: Flask, no_proxy: None, server: Server
) -> None:
    db.session.connection()
    pool: Any = db.engine.pool
    held: list[int] = []
    server.before = lambda: held.append(pool.checkedout())
    assert pool.checkedout() == 1

    guarded.fetch(server.address())

    assert held == [0]


def test_one_slow_client_leaves_places_to_the_others(app: Flask) -> None:
    limited = places.PlacesByHost(4, of_one_host=1)
    with limited.apart("slow.example"):
        with pytest.raises(Busy), limited.apart("slow.example"):
            pass
        with limited.apart("other.example"):
            pass
    with limited.apart("slow.example"):
        pass


def test_secrets_stand_in_no_message(app: Flask, no_proxy: None, server: Server) -> None:
    server.answer = reply(b"s3cret-in-the-body")
    with pytest.raises(WrongAnswer) as caught:
        guarded.fetch(server.address(path="/s3cret-in-the-path")).json()
    assert "s3cret" not in repr(caught.value)
    assert "s3cret" not in repr(guarded.fetch(server.address()))
