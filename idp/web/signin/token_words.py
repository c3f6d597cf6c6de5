"""What is said of a token that does not work, by what was typed: its form, never whose it is."""

from typing import Final

from flask_babel import gettext as _
from flask_babel import ngettext

from idp.credentials import one_time_tokens, passwords
from idp.credentials.one_time_tokens import Expired, Live, Lookup, Spent
from idp.people.models import Account

_LEAST: Final = 8
"""Fewer characters are no token of which something is missing."""


def reason(typed: str) -> str:
    """A sentence that helps on; one and the same for unknown, replaced and mistyped tokens."""
    if one_time_tokens.normalise(typed) is None:
        missing = one_time_tokens.LENGTH - one_time_tokens.count_typed(typed)
        if 0 < missing <= one_time_tokens.LENGTH - _LEAST:
            return _missing(missing)
        if _is_name(typed):
            return str(
                _(
                    "This looks like a user name or an e-mail address. The token has seven groups"
                    " of four letters and digits, such as ABCD-EFGH."
                )
            )
    return str(
        _(
            "This token does not work. Check it against the e-mail, and use the newest e-mail:"
            " each new token replaces the one before."
        )
    )


def spent(account: Account) -> str:
    """Of a token that has done its work: how its holder gets in now."""
    if passwords.has_password(account.id):
        return str(_("This token was used already: sign in with your password."))
    return str(_("This token was used already. Sign in, or ask for a new token."))


def ended(was: Lookup) -> str | None:
    """Of a token that its holder has proved in this interaction, and what it is now; None of one
    that still works. One and the same for a replaced token and for a closed account's.
    """
    match was:
        case Live():
            return None
        case Spent(account):
            return spent(account)
        case Expired():
            words = _(
                "This token has expired meanwhile. Type it here once more, and you see how to get a"
                " new one."
            )
        case _:
            words = _(
                "This token no longer works. Use the one in the newest e-mail or letter: each new"
                " token replaces the one before."
            )
    return str(words)


def is_token(typed: str) -> bool:
    """Whether somebody has typed a token where something else was asked for."""
    return one_time_tokens.normalise(typed) is not None


def _missing(characters: int) -> str:
    groups, rest = divmod(characters, one_time_tokens.GROUP)
    if rest:
        return str(
            ngettext(
                "The token is not complete: %(num)d character is missing.",
                "The token is not complete: %(num)d characters are missing.",
                characters,
            )
        )
    return str(
        ngettext(
            "The token is not complete: %(num)d group of four is missing.",
            "The token is not complete: %(num)d groups of four are missing.",
            groups,
        )
    )


def _is_name(typed: str) -> bool:
    words = typed.strip()
    return "@" in words or ("." in words.strip(".") and " " not in words and len(words) < 64)
