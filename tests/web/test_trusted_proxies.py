"""Rule E8: whose request it is, by what a trusted proxy writes."""

from ipaddress import ip_network

import pytest

from idp.credentials import throttling
from idp.settings.networks import is_within
from idp.settings.variables import networks
from idp.web.trusted_proxies import nearest

TRUSTED = (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize("connection", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.9"])
@pytest.mark.parametrize(
    ("forwarded", "visitor"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("203.0.113.7, 10.0.0.9:443", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.0.0.9", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7:1, 10.0.0.9", "203.0.113.7"),
    ],
)
def test_the_visitor_is_the_nearest_that_is_no_proxy_however_written(
    connection: str, forwarded: str, visitor: str
) -> None:
    assert nearest(connection, forwarded, TRUSTED) == visitor


@pytest.mark.parametrize(
    "forwarded", ["unknown", "_hidden", "", "203.0.113.7, ", "[", "1:2:x", "a:b"]
)
def test_what_names_no_address_leaves_the_proxys(forwarded: str) -> None:
    assert nearest("127.0.0.1", forwarded, TRUSTED) == "127.0.0.1"


@pytest.mark.parametrize("stranger", ["192.0.2.66", "::ffff:192.0.2.66", "2001:db8::66"])
def test_a_stranger_speaks_for_nobody_else(stranger: str) -> None:
    own = stranger.removeprefix("::ffff:")
    assert nearest(stranger, "203.0.113.7", TRUSTED) == nearest(stranger, "", ()) == own
    assert not is_within(stranger, TRUSTED)


def test_an_address_is_throttled_as_one_by_whichever_way_it_came() -> None:
    one = {throttling.address_prefix(way) for way in ("192.0.2.66", "::ffff:192.0.2.66")}
    assert one == {"192.0.2.66/32"}


def test_a_proxy_may_be_named_by_either_way_of_writing_it() -> None:
    trusted = networks("::ffff:127.0.0.1, ::ffff:10.0.0.0/104, 2001:db8::/32")
    assert trusted == networks("127.0.0.1, 10.0.0.0/8, 2001:db8::/32")
    for way in ("10.0.0.9", "::ffff:10.0.0.9"):
        assert nearest(way, "203.0.113.7", trusted) == "203.0.113.7"
