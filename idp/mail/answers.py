"""What a mail server's answer means, by its codes (RFC 5321 §4.2, RFC 3463).

The outbox asks once, when an answer comes in, and keeps the meaning beside it: every page, list
and figure tells that one.
"""

import re
from typing import Final

_ENHANCED: Final = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
_BASIC: Final = re.compile(r"(?:^|: )([45]\d\d)\b")

MEANINGS: Final = (
    "unknown_address",
    "unknown_domain",
    "mailbox_full",
    "mailbox_off",
    "unwanted",
    "too_often",
    "later",
    "no_address",
    "server_away",
    "given_up",
    "refused",
    "limited",
    "nobody",
    "ours",
    "restored",
)
"""Every answer has one of these meanings."""

_BY_WORDS: Final = (
    # A large provider's « no such mailbox here »: its codes alone say that a host did not answer
    (re.compile(r"^550 5\.4\.1 .*recipient address rejected", re.IGNORECASE), "unknown_address"),
    (re.compile(r"^5\d\d .*(user unknown|unknown user|no such user)", re.IGNORECASE),
     "unknown_address"),
    (re.compile(r"^5\d\d .*(mailbox (is )?full|over ?quota)", re.IGNORECASE), "mailbox_full"),
)  # fmt: skip
"""What servers write out, where it says more than their codes."""

# RFC 3463 §3: the class (first digit) says whether it is for good, subject and detail say why
_BY_DETAIL: Final = {
    ("1", "1"): "unknown_address",
    ("1", "0"): "unknown_address",
    ("1", "3"): "unknown_address",
    ("1", "6"): "unknown_address",
    ("1", "10"): "unknown_domain",  # RFC 7505: the domain takes no mail at all
    ("1", "2"): "unknown_domain",
    ("4", "4"): "unknown_domain",
    ("2", "1"): "mailbox_off",
    ("2", "2"): "mailbox_full",
    ("4", "5"): "later",
}
_BY_SUBJECT: Final = {"7": "unwanted", "6": "unwanted"}
_BY_CODE: Final = {
    "550": "unknown_address",
    "551": "unknown_address",
    "553": "unknown_address",
    "552": "mailbox_full",
    "452": "later",
    "554": "unwanted",
    "421": "later",
    "450": "later",
    "451": "later",
}
RESTORED: Final = "restored from a backup"
_OURS: Final = (
    ("not an address", "no_address"),
    ("too many for one address", "limited"),
    ("a later one waits", "limited"),
    ("nobody to write to", "nobody"),
    ("can't be written", "ours"),
    (RESTORED, "restored"),
    ("the connection broke", "server_away"),
    ("sender refused", "server_away"),
    ("SMTP", "server_away"),
)
"""What our own worker writes in place of a server's answer; see ``idp.mail``."""


def meaning(answer: str) -> str:
    """One of ``MEANINGS``, for an answer as the outbox keeps it; ``refused`` for all others."""
    text = answer
    if text.startswith("given up after"):
        text = text.partition(": ")[2]
        return (
            "given_up"
            if _reason_of(text) in {"later", "server_away", "refused"}
            else _reason_of(text)
        )
    return _reason_of(text)


def code(answer: str) -> str:
    """The codes in an answer, for whoever asks the mail's provider: ``550 5.1.1``."""
    codes = [match[1] for match in [_BASIC.search(answer)] if match]
    codes += [match[0] for match in [_ENHANCED.search(answer)] if match]
    return " ".join(codes)


def _reason_of(text: str) -> str:
    for beginning, ours in _OURS:
        if text.startswith(beginning):
            return ours
    for pattern, plain in _BY_WORDS:
        if pattern.search(text):
            return plain
    basic, enhanced = _BASIC.search(text), _ENHANCED.search(text)
    if basic is None:
        return "server_away" if text.endswith("Error") else "refused"
    passing = basic[1].startswith("4")
    if enhanced is None:
        return _BY_CODE.get(basic[1]) or ("later" if passing else "refused")
    subject, detail = enhanced[1], enhanced[2]
    meant = _BY_DETAIL.get((subject, detail)) or _BY_SUBJECT.get(subject)
    if meant == "unwanted" and passing:
        return "too_often"  # grey lists and rates: a later attempt is let in
    return meant or ("later" if passing else "refused")
