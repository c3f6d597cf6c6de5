"""E-mail addresses: which can be mailed, everywhere alike, and which look like slips."""

import pytest

from idp.mail import smtp
from idp.mail.messages import mailbox
from idp.people import addresses


@pytest.mark.parametrize(
    "address",
    [
        *("zoe@example.org", "Zoe.Moreau+ecole@Example.org", "o'brien@example.org", "a@b.be"),
        *("zoe@münchen.example", "zoe@xn--mnchen-3ya.example", "root@localhost"),
    ],
)
def test_what_is_taken_can_be_mailed(address: str) -> None:
    assert addresses.can_be_mailed(address)
    assert smtp.is_addressable(mailbox(address))


@pytest.mark.parametrize(
    "address",
    [
        *("zoé.moreau@example.org", "ünal@münchen.example", "zoe", "zoe@", "@example.org"),
        *(
            "zoe@example",
            "a b@example.org",
            "a@b@example.org",
            "zoe@exa mple.org",
            "a,b@example.org",
        ),
        *("zoe@-example.org", ".zoe@example.org", "zoe..m@example.org", "<zoe@example.org>", ""),
        *("zoe@example.org\r\nBcc: x@example.org", "z" * 65 + "@example.org"),
    ],
)
def test_what_cannot_be_mailed_is_not_taken(address: str) -> None:
    assert not addresses.can_be_mailed(address)
    assert not smtp.is_addressable(mailbox(address))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("zoe@gmial.com", "zoe@gmail.com"),
        ("zoe@gamil.com", "zoe@gmail.com"),
        ("zoe@gmal.com", "zoe@gmail.com"),
        ("Zoe@Gmail.con", "Zoe@gmail.com"),
        ("zoe@gmail.co", "zoe@gmail.com"),
        ("zoe@hotmial.be", "zoe@hotmail.be"),
        ("zoe@hotmai.fr", "zoe@hotmail.fr"),
        ("zoe@outlok.com", "zoe@outlook.com"),
        ("zoe@telnet.be", "zoe@telenet.be"),
        ("zoe@skynt.be", "zoe@skynet.be"),
        ("zoe@yaho.fr", "zoe@yahoo.fr"),
        ("zoe@live.con", "zoe@live.com"),
    ],
)
def test_a_slip_in_a_large_providers_name_is_seen(typed: str, meant: str) -> None:
    assert addresses.meant(typed) == meant


@pytest.mark.parametrize(
    "domain",
    [
        *("gmail.com", "mail.com", "ymail.com", "email.com", "hotmail.be", "live.be", "live.nl"),
        *("gmx.de", "gmx.net", "web.de", "free.fr", "sfr.fr", "example.org", "ecole.be", "me.com"),
        *("olive.be", "lime.com", "orange.be", "laposte.fr", "proton.me", "outlook.it", "line.be"),
    ],
)
def test_an_address_of_its_own_is_no_slip(domain: str) -> None:
    assert addresses.meant(f"zoe@{domain}") is None
