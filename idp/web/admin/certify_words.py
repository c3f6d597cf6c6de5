"""What the desk says about the checks of `idp certify`."""

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import pgettext

from idp.clients.certification import FAILED, PASSED, UNTOLD, Report, Result


@dataclass(frozen=True)
class Group:
    """Checks that are about one thing, and why that matters."""

    title: str
    meaning: str
    checks: dict[str, str]
    """The sentence of each check by its code."""


def groups() -> list[Group]:
    """Every check, in the order in which they are made."""
    return [_answers(), _people(), _cases(), _visits()]


def titles() -> dict[str, str]:
    """Every check's sentence."""
    return {code: title for group in groups() for code, title in group.checks.items()}


def verdicts() -> dict[str, tuple[str, str]]:
    """How each verdict is called, and the tag that shows it."""
    return {
        PASSED: (pgettext("check", "Passed"), "tag-good"),
        FAILED: (pgettext("check", "Failed"), "tag-bad"),
        UNTOLD: (pgettext("check", "Could not be told"), ""),
    }


def in_order(report: Report) -> list[Result]:
    """What failed first, then what could not be told, then the rest."""
    return [*report.of(FAILED), *report.of(UNTOLD), *report.of(PASSED)]


def _answers() -> Group:
    return Group(
        _("What comes back"),
        _("Otherwise a stranger can sign a parent in as somebody else."),
        {
            "sign_in": _("A parent of one child signs in, and the page says who it is"),
            "pkce": _("The request carries PKCE with S256"),
            "state": _("An answer with another state, or begun in another browser, is refused"),
            "nonce": _("An ID token with another nonce, or with none, is refused"),
            "issuer": _("An ID token of another issuer is refused"),
            "audience": _("An ID token for another application is refused"),
            "expired": _("An ID token that has expired is refused"),
            "signature": _("An ID token that a stranger signed, or nobody, is refused"),
            "rotation": _(
                "After a change of keys sign-ins go on, and a stranger's signature is refused"
            ),
            "userinfo": _("A UserInfo answer about somebody else is refused"),
        },
    )


def _people() -> Group:
    return Group(
        _("Who is who"),
        _("Otherwise a parent sees what is another family's."),
        {
            "child": _("The page is about the child of the ID token"),
            "child_again": _("Whoever signs in again for another child sees that child"),
            "switch": _("« Another child » shows the other child"),
            "email_key": _("Two parents with one e-mail address are two people"),
            "child_key": _("Two parents of one child are two people"),
        },
    )


def _cases() -> Group:
    return Group(
        _("Metrics as they are"),
        _("Otherwise some parents never get in, and call the school."),
        {
            "four_children": _("A parent of four children sees the one that was chosen"),
            "no_child": _("A parent without a child at the school gets a page that says so"),
            "two_schools": _(
                "A parent with a child in each of two schools sees the one that was chosen"
            ),
            "no_address": _("A parent without an e-mail address gets in"),
            "ended_link": _("A child whose guardianship has ended is not shown"),
            "long_name": _("A parent with a name of 60 characters gets in"),
            "other_letters": _("A name in other letters than Latin ones is shown as it is"),
            "first_sign_in": _(
                "A parent who never signed in comes by a token of the school's letter"
            ),
            "refused_consent": _("A parent who refuses consent gets a page that says so"),
        },
    )


def _visits() -> Group:
    return Group(
        _("How a visit goes on and ends"),
        _("Otherwise a click too many ends in an error, or a page stays open that should not."),
        {
            "cancelled": _("« Annuler » leads to a page of the application"),
            "repeated": _("The callback's address, opened a second time, breaks nothing"),
            "second_tab": _("Two tabs that sign in beside each other both arrive"),
            "sign_out": _("Signing out ends the session here and at the provider"),
            "ended": _("The page closes after the end of the guardianship"),
            "sibling": _(
                "A sibling's page stays, and the other parent's, when one guardianship ends"
            ),
            "logout_token": _(
                "A good logout token closes the page, a forged or repeated one does not"
            ),
            "security_event": _(
                "A good security event closes the page, a forged or repeated one does not"
            ),
        },
    )
