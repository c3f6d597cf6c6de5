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

    @property
    def sentence(self) -> str:
        """The line as it is read: without stars and bars, « what: must be so – what to do »."""
        what, *others = self.line.replace("**", "").strip("| ").split(" | ")
        return f"{what}: {' – '.join(others)}" if others else what


_BEFORE_LIVE: Final = "docs/integrate.md#before-you-go-live"
_CHECKED: Final = "docs/integrate.md#what-to-check-in-an-id-token"
_WHO: Final = "docs/integrate.md#3-who-the-parent-is-which-child-it-is"
_SWITCH: Final = "docs/integrate.md#4-another-child-another-person"
_NOTICES: Final = "docs/integrate.md#what-to-check-in-what-you-are-told"
_ERRORS: Final = "docs/integrate.md#7-errors-that-you-may-get"
_LEADS_ON: Final = (
    "An answer with `error`, or one that you had before (the back button), shows a page that a"
    " parent understands, with a link that leads on."
)
_EACH_TIME: Final = (
    "**The child is chosen for each sign-in.** Store it in your session, not with the parent's"
    " account: tomorrow, or in another tab, the same parent may come for a sibling."
)
_NO_PERSON: Final = (
    "**An e-mail address is no person.** Two parents may share one, and some have none: key"
    " parents by `sub`."
)
_TEXT: Final = (
    "**Names are text to show**: up to 120 characters, in any letters. Keep them in Unicode, and"
    " leave room."
)
_KNOCKS: Final = (
    "Whoever knows the address can send you something. Close nothing before all of this is so"
)

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
        "| `state` | is the one that this browser was sent with. Keep them for each sign-in that"
        " was begun, not one for all",
    ),
    Check(
        "nonce",
        "An ID token with another nonce, or with none, is refused",
        _CHECKED,
        "| `nonce` | is the one that this browser was sent with, and is there |",
    ),
    Check(
        "issuer",
        "An ID token of another issuer is refused",
        _CHECKED,
        "| `iss` | is the provider's address, to the letter |",
    ),
    Check(
        "audience",
        "An ID token for another application is refused",
        _CHECKED,
        "| `aud` | is your client id, or a list that holds it |",
    ),
    Check(
        "expired",
        "An ID token that has expired is refused",
        _CHECKED,
        "| `exp` | is not over; two minutes for clocks that differ are enough |",
    ),
    Check(
        "signature",
        "An ID token that a stranger signed, or nobody, is refused",
        _CHECKED,
        "| the signature | is by a key of `jwks_uri`, with the algorithm that you are registered"
        " for; never `none`.",
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
        "| `sub` of UserInfo | is the ID token's; otherwise the answer is not used |",
    ),
    Check(
        "child",
        "The page is about the child of the ID token",
        _WHO,
        "**The child is in the ID token**, as `child`, of each sign-in that asks for the scope"
        " `child`.",
    ),
    Check(
        "child_again",
        "Whoever signs in again for another child sees that child",
        _WHO,
        _EACH_TIME,
    ),
    Check(
        "switch",
        "« Another child » shows the other child",
        _SWITCH,
        "Send the parent to the provider with `prompt=select_account`. The page with the children"
        " comes always, whatever was chosen before",
    ),
    Check(
        "email_key",
        "Two parents with one e-mail address are two people",
        _WHO,
        _NO_PERSON,
    ),
    Check(
        "child_key",
        "Two parents of one child are two people",
        _WHO,
        "**`sub` is always the parent.** A child never signs in. Two parents of one child have"
        " two `sub` and one `child.sub`.",
    ),
    Check(
        "four_children",
        "A parent of four children sees the one that was chosen",
        _WHO,
        _EACH_TIME,
    ),
    Check(
        "no_child",
        "A parent without a child at the school gets a page that says so",
        _ERRORS,
        "| `access_denied`, with `error_description` « The guardian has no child at this school »"
        " | the account is linked to no child of your schools, as our page has told the parent |"
        " say so, and that the school can change it: nobody cancelled |",
    ),
    Check(
        "two_schools",
        "A parent with a child in each of two schools sees the one that was chosen",
        _WHO,
        _EACH_TIME,
    ),
    Check(
        "no_address",
        "A parent without an e-mail address gets in",
        _WHO,
        _NO_PERSON,
    ),
    Check(
        "ended_link",
        "A child whose guardianship has ended is not shown",
        "docs/integrate.md#6-when-the-guardianship-ends",
        "A school may end a guardianship at any time, and a court's decision works at once",
    ),
    Check(
        "long_name",
        "A parent with a name of 60 characters gets in",
        _WHO,
        _TEXT,
    ),
    Check(
        "other_letters",
        "A name in other letters than Latin ones is shown as it is",
        _WHO,
        _TEXT,
    ),
    Check(
        "first_sign_in",
        "A parent who never signed in comes by a token of the school's letter",
        _CHECKED,
        "Keep what a browser was sent with for an hour: whoever signs in for the first time reads"
        " a letter, chooses a password, and comes back late.",
    ),
    Check(
        "refused_consent",
        "A parent who refuses consent gets a page that says so",
        _ERRORS,
        "| `access_denied`, with `error_description` « The guardian did not consent » | the"
        " parent read what your application asks for, and did not allow it | show your start"
        " page; don't ask again at once |",
    ),
    Check(
        "cancelled",
        "« Annuler » leads to a page of the application",
        _BEFORE_LIVE,
        _LEADS_ON,
    ),
    Check(
        "repeated",
        "The callback's address, opened a second time, breaks nothing",
        _BEFORE_LIVE,
        _LEADS_ON,
    ),
    Check(
        "second_tab",
        "Two tabs that sign in beside each other both arrive",
        _CHECKED,
        "Keep them for each sign-in that was begun, not one for all: a parent has two tabs",
    ),
    Check(
        "sign_out",
        "Signing out ends the session here and at the provider",
        "docs/integrate.md#5-sign-out",
        "Forget your own session first. Then send the browser to the `end_session_endpoint`",
    ),
    Check(
        "ended",
        "The page closes after the end of the guardianship",
        "docs/integrate.md#6-when-the-guardianship-ends",
        "`401 invalid_token` from UserInfo or `invalid_grant` from a refresh means: end your"
        " session for this child.",
    ),
    Check(
        "sibling",
        "A sibling's page stays, and the other parent's, when one guardianship ends",
        _NOTICES,
        "A security event ends the sessions of this `sub` about this `child.sub`, and no others: a"
        " sibling's page stays, and so does the other parent's",
    ),
    Check(
        "logout_token",
        "A good logout token closes the page, a forged or repeated one does not",
        _NOTICES,
        _KNOCKS,
    ),
    Check(
        "security_event",
        "A good security event closes the page, a forged or repeated one does not",
        _NOTICES,
        _KNOCKS,
    ),
)
