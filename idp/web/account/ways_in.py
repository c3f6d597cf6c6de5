"""How somebody signed in, in words: RFC 8176 values as parents read them."""

from collections.abc import Collection

from flask_babel import gettext as _


def signed_in_how(amr: Collection[str]) -> str:
    """A sentence about a sign-in by these methods."""
    used = set(amr)
    if used & {"hwk", "swk"}:
        return str(_("Signed in with a passkey"))
    if "fed" in used:
        return str(_("Signed in with an account at another provider"))
    if "pwd" in used and len(used) > 1:
        return str(_("Signed in with the password and a second step"))
    if "pwd" in used:
        return str(_("Signed in with the password"))
    if "otp" in used:
        return str(_("Signed in with a token from an e-mail or a letter"))
    return str(_("Signed in"))
