"""How far a guardian has come, in words: one for a list, sentences for the person's page."""

import re
from typing import Final

from flask_babel import gettext as _

from idp.desk.standing import Stage, Standing
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


def answer(standing_answer: str) -> str:
    """What a mail server's answer means, as somebody would say it on the phone."""
    for pattern, words in _ANSWERS:
        if re.search(pattern, standing_answer, re.IGNORECASE):
            return str(words())
    return standing_answer


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
    told.append(mail_fate(standing.mail, standing.answer))
    return [str(each) for each in told]


def mail_fate(status: str, server_answer: str) -> str:
    """What became of a mail."""
    match status:
        case "sent":
            return str(_("The mail server took the mail"))
        case "refused" if server_answer:
            return str(_("The mail was refused: %(answer)s", answer=answer(server_answer)))
        case "refused":
            return str(_("The mail was refused by the server"))
        case "dropped" if server_answer:
            return str(_("The mail was not sent: %(answer)s", answer=answer(server_answer)))
        case "dropped":
            return str(_("The mail was not sent"))
        case _waits if server_answer:
            return str(
                _("The mail waits for another try: %(answer)s", answer=answer(server_answer))
            )
    return str(_("The mail is about to leave"))


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


_ANSWERS: Final = (
    (
        r"too many for one address",
        lambda: _("there were too many mails to this address within an hour"),
    ),
    (r"a later one waits", lambda: _("a newer mail replaces it")),
    (r"nobody to write to", lambda: _("the account had no address, or needed no token any more")),
    (
        r"\b5\.1\.[0-36]\b|user unknown|no such user|mailbox unavailable|does not exist",
        lambda: _("the address does not exist"),
    ),
    (r"\b[45]\.2\.2\b|mailbox full|quota", lambda: _("the mailbox is full")),
    (
        r"\b5\.1\.[48]\b|\b5\.4\.4\b|host.*not found|domain.*not found",
        lambda: _("the part after the @ does not exist"),
    ),
    (r"\b5\.7\.\d+\b|spam|blocked|blacklist", lambda: _("the server took it for spam")),
    (
        r"\b4\.\d\.\d\b|greylist|try again",
        lambda: _("the server asked us to try again later"),
    ),
    (r"timed? ?out|connection|unreachable", lambda: _("the mail server can't be reached")),
)
"""What servers say (RFC 3463), and what that means for whoever is on the phone."""
