"""How far a guardian has come, in words: one for a list, sentences for the person's page."""

from typing import Final

from flask_babel import gettext as _

from idp.desk.people.onboarding import Stage, Standing
from idp.web.admin import mail_words
from idp.web.dates import day, moment

_GOOD: Final = {Stage.SIGNED_IN, Stage.PASSWORD_SET}
_BAD: Final = {Stage.REFUSED, Stage.DROPPED, Stage.EXPIRED, Stage.DISABLED, Stage.NO_ADDRESS}


def tone(standing: Standing) -> str:
    """``good``, ``bad`` or nothing: how a list marks it, beside the words."""
    return "good" if standing.stage in _GOOD else "bad" if standing.stage in _BAD else ""


def short(standing: Standing) -> str:
    """The one thing that a list tells, in a few words."""
    at = _day_of(standing)
    if at:
        dated = _dated(standing.stage, at)
        if dated:
            return dated
    return _undated(standing.stage)


def long(standing: Standing) -> list[str]:
    """Everything that is known, a sentence for each fact, in the order in which it happened."""
    match standing.stage:
        case Stage.ENDED | Stage.DISABLED:
            return [short(standing)]
    mail = [*_mail(standing), *_token(standing)]
    if standing.active:
        # A token from before the last password is history
        newer = standing.mailed_at and (
            standing.password_set_at is None or standing.mailed_at > standing.password_set_at
        )
        return [*_use(standing), *(mail if newer else [])]
    if not standing.has_address:
        return [str(_("No e-mail address is known")), *mail]
    return mail or [str(_("Not invited yet"))]


def _day_of(standing: Standing) -> str:
    when = {
        Stage.ENDED: standing.ended_at,
        Stage.SIGNED_IN: standing.last_sign_in_at,
        Stage.PASSWORD_SET: standing.password_set_at,
        Stage.OPENED: standing.opened_at,
        Stage.EXPIRED: standing.expires_at,
        Stage.SENT: standing.mailed_at,
        Stage.REFUSED: standing.mailed_at,
        Stage.QUEUED: standing.mailed_at,
        Stage.PRINTED: standing.printed_at,
    }.get(standing.stage)
    return day(when) if when else ""


def _dated(stage: Stage, at: str) -> str:
    words: str = {
        Stage.ENDED: _("Access ended on %(day)s", day=at),
        Stage.SIGNED_IN: _("Signed in on %(day)s", day=at),
        Stage.PASSWORD_SET: _("Password chosen on %(day)s", day=at),
        Stage.OPENED: _("Token opened on %(day)s", day=at),
        Stage.EXPIRED: _("Token expired on %(day)s", day=at),
        Stage.SENT: _("Invited on %(day)s", day=at),
        Stage.REFUSED: _("Mail of %(day)s refused", day=at),
        Stage.PRINTED: _("Letter printed on %(day)s", day=at),
    }.get(stage, "")
    return words


def _undated(stage: Stage) -> str:
    words: dict[Stage, str] = {
        Stage.ENDED: _("Access ended"),
        Stage.DISABLED: _("Account disabled"),
        Stage.SIGNED_IN: _("Has signed in"),
        Stage.PASSWORD_SET: _("Password chosen"),
        Stage.OPENED: _("Token opened"),
        Stage.EXPIRED: _("Token expired"),
        Stage.REFUSED: _("Mail refused"),
        Stage.DROPPED: _("Mail not sent"),
        Stage.SENT: _("Invited"),
        Stage.QUEUED: _("Mail is about to leave"),
        Stage.PRINTED: _("Letter printed"),
        Stage.NOT_INVITED: _("Not invited yet"),
        Stage.NO_ADDRESS: _("No e-mail address"),
    }
    return words[stage]


def _mail(standing: Standing) -> list[str]:
    if not standing.mail:
        return []
    told = []
    if standing.mailed_at is None:
        told.append(_("A mail with a token was asked for"))
    elif standing.active:
        told.append(_("New token asked for on %(moment)s", moment=moment(standing.mailed_at)))
    else:
        told.append(_("Invited on %(moment)s", moment=moment(standing.mailed_at)))
    told += mail_fate(standing.mail, standing.meaning)
    return [str(each) for each in told]


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


def _token(standing: Standing) -> list[str]:
    told = []
    if standing.printed_at:
        told.append(_("A letter was printed on %(moment)s", moment=moment(standing.printed_at)))
    if standing.opened_at:
        told.append(_("The token was opened on %(moment)s", moment=moment(standing.opened_at)))
    if standing.expires_at and standing.expired:
        told.append(_("The token expired on %(day)s", day=day(standing.expires_at)))
    elif standing.expires_at:
        told.append(_("The token works until %(moment)s", moment=moment(standing.expires_at)))
    return [str(each) for each in told]


def _use(standing: Standing) -> list[str]:
    told = []
    if not standing.has_address:
        told.append(_("No e-mail address is known"))
    if standing.password_set_at:
        told.append(_("Password chosen on %(day)s", day=day(standing.password_set_at)))
    if standing.last_sign_in_at:
        told.append(_("Last signed in on %(moment)s", moment=moment(standing.last_sign_in_at)))
    return [str(each) for each in told] or [_undated(standing.stage)]
