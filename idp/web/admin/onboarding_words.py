"""How far a guardian has come, in words: one for a list, sentences for the person's page."""

from typing import Final

from flask_babel import gettext as _

from idp.desk.people.onboarding import Onboarding, OnboardingStep
from idp.web.admin import mail_words
from idp.web.dates import day, moment

_GOOD: Final = {OnboardingStep.SIGNED_IN, OnboardingStep.PASSWORD_SET}
_BAD: Final = {
    OnboardingStep.REFUSED,
    OnboardingStep.DROPPED,
    OnboardingStep.EXPIRED,
    OnboardingStep.DISABLED,
    OnboardingStep.NO_ADDRESS,
}


def tone(onboarding: Onboarding) -> str:
    """``good``, ``bad`` or nothing: how a list marks it, beside the words."""
    return "good" if onboarding.step in _GOOD else "bad" if onboarding.step in _BAD else ""


def short(onboarding: Onboarding) -> str:
    """The one thing that a list tells, in a few words."""
    at = _day_of(onboarding)
    if at:
        dated = _dated(onboarding.step, at)
        if dated:
            return dated
    return _undated(onboarding.step)


def long(onboarding: Onboarding) -> list[str]:
    """Everything that is known, a sentence for each fact, in the order in which it happened."""
    match onboarding.step:
        case OnboardingStep.ENDED | OnboardingStep.DISABLED:
            return [short(onboarding)]
    mail = [*_mail(onboarding), *_token(onboarding)]
    if onboarding.active:
        # A token from before the last password is history
        newer = onboarding.mailed_at and (
            onboarding.password_set_at is None or onboarding.mailed_at > onboarding.password_set_at
        )
        return [*_use(onboarding), *(mail if newer else [])]
    if not onboarding.has_address:
        return [str(_("No e-mail address is known")), *mail]
    return mail or [str(_("Not invited yet"))]


def _day_of(onboarding: Onboarding) -> str:
    when = {
        OnboardingStep.ENDED: onboarding.ended_at,
        OnboardingStep.SIGNED_IN: onboarding.last_sign_in_at,
        OnboardingStep.PASSWORD_SET: onboarding.password_set_at,
        OnboardingStep.OPENED: onboarding.opened_at,
        OnboardingStep.EXPIRED: onboarding.expires_at,
        OnboardingStep.SENT: onboarding.mailed_at,
        OnboardingStep.REFUSED: onboarding.mailed_at,
        OnboardingStep.QUEUED: onboarding.mailed_at,
        OnboardingStep.PRINTED: onboarding.printed_at,
    }.get(onboarding.step)
    return day(when) if when else ""


def _dated(step: OnboardingStep, at: str) -> str:
    words: str = {
        OnboardingStep.ENDED: _("Access ended on %(day)s", day=at),
        OnboardingStep.SIGNED_IN: _("Signed in on %(day)s", day=at),
        OnboardingStep.PASSWORD_SET: _("Password chosen on %(day)s", day=at),
        OnboardingStep.OPENED: _("Token opened on %(day)s", day=at),
        OnboardingStep.EXPIRED: _("Token expired on %(day)s", day=at),
        OnboardingStep.SENT: _("Invited on %(day)s", day=at),
        OnboardingStep.REFUSED: _("Mail of %(day)s refused", day=at),
        OnboardingStep.PRINTED: _("Letter printed on %(day)s", day=at),
    }.get(step, "")
    return words


def _undated(step: OnboardingStep) -> str:
    words: dict[OnboardingStep, str] = {
        OnboardingStep.ENDED: _("Access ended"),
        OnboardingStep.DISABLED: _("Account disabled"),
        OnboardingStep.SIGNED_IN: _("Has signed in"),
        OnboardingStep.PASSWORD_SET: _("Password chosen"),
        OnboardingStep.OPENED: _("Token opened"),
        OnboardingStep.EXPIRED: _("Token expired"),
        OnboardingStep.REFUSED: _("Mail refused"),
        OnboardingStep.DROPPED: _("Mail not sent"),
        OnboardingStep.SENT: _("Invited"),
        OnboardingStep.QUEUED: _("Mail is about to leave"),
        OnboardingStep.PRINTED: _("Letter printed"),
        OnboardingStep.NOT_INVITED: _("Not invited yet"),
        OnboardingStep.NO_ADDRESS: _("No e-mail address"),
    }
    return words[step]


def _mail(onboarding: Onboarding) -> list[str]:
    if not onboarding.mail:
        return []
    sentences = []
    if onboarding.mailed_at is None:
        sentences.append(_("A mail with a token was asked for"))
    elif onboarding.active:
        sentences.append(
            _("New token asked for on %(moment)s", moment=moment(onboarding.mailed_at))
        )
    else:
        sentences.append(_("Invited on %(moment)s", moment=moment(onboarding.mailed_at)))
    sentences += mail_fate(onboarding.mail, onboarding.meaning)
    return [str(each) for each in sentences]


def mail_fate(status: str, meaning: str) -> list[str]:
    """What became of a mail, and why; ``meaning``: as the outbox keeps it, or empty."""
    if status == "sent":
        return [str(_("The mail server took the mail"))]
    fates = {
        "refused": _("The mail was refused by the server"),
        "dropped": _("The mail was not sent"),
        "queued": _("The mail waits for another try")
        if meaning
        else _("The mail is about to leave"),
    }
    return [str(fates[status]), *([str(mail_words.REASONS[meaning].why)] if meaning else [])]


def _token(onboarding: Onboarding) -> list[str]:
    sentences = []
    if onboarding.printed_at:
        sentences.append(
            _("A letter was printed on %(moment)s", moment=moment(onboarding.printed_at))
        )
    if onboarding.opened_at:
        sentences.append(
            _("The token was opened on %(moment)s", moment=moment(onboarding.opened_at))
        )
    if onboarding.expires_at and onboarding.expired:
        sentences.append(_("The token expired on %(day)s", day=day(onboarding.expires_at)))
    elif onboarding.expires_at:
        sentences.append(
            _("The token works until %(moment)s", moment=moment(onboarding.expires_at))
        )
    return [str(each) for each in sentences]


def _use(onboarding: Onboarding) -> list[str]:
    sentences = []
    if not onboarding.has_address:
        sentences.append(_("No e-mail address is known"))
    if onboarding.password_set_at:
        sentences.append(_("Password chosen on %(day)s", day=day(onboarding.password_set_at)))
    if onboarding.last_sign_in_at:
        sentences.append(
            _("Last signed in on %(moment)s", moment=moment(onboarding.last_sign_in_at))
        )
    return [str(each) for each in sentences] or [_undated(onboarding.step)]
