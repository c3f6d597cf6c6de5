"""What `idp certify` looks at in an application, each with the line of the documents that helps."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Check:
    """One thing that is looked at. ``line`` stands in the documentation, under ``place``."""

    code: str
    title: str
    place: str
    line: str


_BEFORE_LIVE: Final = "docs/integrate.md#before-you-go-live"
_CHECKED: Final = "docs/integrate.md#what-to-check-in-an-id-token"
_WHO: Final = "docs/integrate.md#3-who-the-parent-is-which-child-it-is"
_SWITCH: Final = "docs/integrate.md#4-another-child-another-person"
_NOTICES: Final = "docs/integrate.md#what-to-check-in-what-you-are-told"
_ERRORS: Final = "docs/integrate.md#7-errors-that-you-may-get"

CHECKS: Final = (
    Check(
        "sign_in",
        "A parent of one child signs in, and the page says who it is",
        "docs/integrate.md#1-register",
        "The redirect URI must be the same as in your program, to the letter.",
    ),
    Check(
        "pkce",
        "The request carries PKCE with S256",
        _BEFORE_LIVE,
        "PKCE with S256, `state` and `nonce` are on",
    ),
    Check(
        "state",
        "An answer with another state, or begun in another browser, is refused",
        _CHECKED,
        "| `state` | is the one that this browser was sent with",
    ),
    Check(
        "nonce",
        "An ID token with another nonce, or with none, is refused",
        _CHECKED,
        "| `nonce` | is the one that this browser was sent with",
    ),
    Check(
        "issuer",
        "An ID token of another issuer is refused",
        _CHECKED,
        "| `iss` | is the provider's address, to the letter",
    ),
    Check(
        "audience",
        "An ID token for another application is refused",
        _CHECKED,
        "| `aud` | is your client id, or a list that holds it",
    ),
    Check(
        "expired",
        "An ID token that has expired is refused",
        _CHECKED,
        "| `exp` | is not over",
    ),
    Check(
        "signature",
        "An ID token that a stranger signed, or nobody, is refused",
        _CHECKED,
        "| the signature | is by a key of `jwks_uri`",
    ),
    Check(
        "rotation",
        "After a change of keys sign-ins go on, and a stranger's signature is refused",
        _CHECKED,
        "An unknown `kid` means: fetch the keys anew, then refuse what they don't verify.",
    ),
    Check(
        "userinfo",
        "A UserInfo answer about somebody else is refused",
        _CHECKED,
        "| `sub` of UserInfo | is the ID token's",
    ),
    Check(
        "child",
        "The page is about the child of the ID token",
        _WHO,
        "| `child.sub` | the key of the child in your database",
    ),
    Check(
        "child_again",
        "Whoever signs in again for another child sees that child",
        _WHO,
        "**The child is chosen for each sign-in.**",
    ),
    Check(
        "switch",
        "« Another child » shows the other child",
        _SWITCH,
        "Send the parent to the provider with `prompt=select_account`.",
    ),
    Check(
        "email_key",
        "Two parents with one e-mail address are two people",
        _WHO,
        "a key: two parents may share one",
    ),
    Check(
        "child_key",
        "Two parents of one child are two people",
        _WHO,
        "**`sub` is always the parent.**",
    ),
    Check(
        "four_children",
        "A parent of four children sees the one that was chosen",
        _WHO,
        "**The child is chosen for each sign-in.**",
    ),
    Check(
        "no_child",
        "A parent without a child at the school gets a page that says so",
        _ERRORS,
        "say so, and that the school can change it: nobody cancelled",
    ),
    Check(
        "two_schools",
        "A parent with a child in each of two schools sees the one that was chosen",
        _WHO,
        "| `child.sub` | the key of the child in your database",
    ),
    Check(
        "no_address", "A parent without an e-mail address gets in", _WHO, "an address to write to"
    ),
    Check(
        "ended_link",
        "A child whose guardianship has ended is not shown",
        "docs/integrate.md#6-when-the-guardianship-ends",
        "A school may end a guardianship at any time",
    ),
    Check(
        "long_name",
        "A parent with a name of 60 characters gets in",
        _WHO,
        "text to show",
    ),
    Check(
        "other_letters",
        "A name in other letters than Latin ones is shown as it is",
        _WHO,
        "text to show",
    ),
    Check(
        "first_sign_in",
        "A parent who never signed in comes by a token of the school's letter",
        _ERRORS,
        "the parent pressed « Annuler »",
    ),
    Check(
        "refused_consent",
        "A parent who refuses consent gets a page that says so",
        _ERRORS,
        "the parent read what your application asks for",
    ),
    Check(
        "cancelled",
        "« Annuler » leads to a page of the application",
        _BEFORE_LIVE,
        "An answer with `error` shows a page that a parent understands.",
    ),
    Check(
        "repeated",
        "The callback's address, opened a second time, breaks nothing",
        _BEFORE_LIVE,
        "An answer with `error` shows a page that a parent understands.",
    ),
    Check(
        "second_tab",
        "Two tabs that sign in beside each other both arrive",
        _CHECKED,
        "Keep them for each sign-in that was begun, not one for all",
    ),
    Check(
        "sign_out",
        "Signing out ends the session here and at the provider",
        "docs/integrate.md#5-sign-out",
        "Forget your own session first.",
    ),
    Check(
        "ended",
        "The page closes after the end of the guardianship",
        "docs/integrate.md#6-when-the-guardianship-ends",
        "end your session for this",
    ),
    Check(
        "sibling",
        "A sibling's page stays, and the other parent's, when one guardianship ends",
        _NOTICES,
        "the sessions of this `sub` about this `child.sub`, and no others",
    ),
    Check(
        "logout_token",
        "A good logout token closes the page, a forged or repeated one does not",
        _NOTICES,
        "Whoever knows the address can send you something.",
    ),
    Check(
        "security_event",
        "A good security event closes the page, a forged or repeated one does not",
        _NOTICES,
        "Whoever knows the address can send you something.",
    ),
)
