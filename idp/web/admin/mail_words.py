"""What became of a mail, in the words of the desk: what it was, its fate, why, what to do."""

from dataclasses import dataclass
from typing import Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from idp.mail import answers
from idp.mail.kinds import KINDS, Kind
from idp.mail.models import OutboxMessage
from idp.web.i18n import translated

FATES: Final = {
    "queued": _("Waiting"),
    "sent": _("Sent"),
    "refused": _("Refused"),
    "dropped": _("Not sent"),
}
TRYING_AGAIN: Final = _("Waiting, tried already")
TONES: Final = {"sent": "good", "refused": "bad"}


@dataclass(frozen=True)
class Reason:
    """Why a mail did not leave or arrive, and what to do about it."""

    why: LazyString
    advice: LazyString


_ASK_ADDRESS: Final = _("Ask the parent for the right address, correct it, then send again.")
_NOTHING: Final = _("Nothing to do: we try again by ourselves.")
_OTHER_ADDRESS: Final = _("Ask the parent for another address, or print a letter.")
_TELL_PLATFORM: Final = _("Tell the people who run the platform, with the code.")

REASONS: Final = {
    "unknown_address": Reason(_("Nobody has this address."), _ASK_ADDRESS),
    "unknown_domain": Reason(
        _("What follows the @ does not exist or takes no mail."), _ASK_ADDRESS
    ),
    "mailbox_full": Reason(
        _("The parent's mailbox is full."),
        _("Ask the parent to make room, or for another address, then send again."),
    ),
    "mailbox_off": Reason(_("This mailbox is closed."), _OTHER_ADDRESS),
    "unwanted": Reason(_("The parent's mail server took our mail for spam."), _TELL_PLATFORM),
    "too_often": Reason(_("The parent's mail server asked us to wait."), _NOTHING),
    "later": Reason(_("The parent's mail server could not take it just then."), _NOTHING),
    "no_address": Reason(_("This is not an address that mail can be sent to."), _ASK_ADDRESS),
    "server_away": Reason(_("Our own mail server did not answer."), _NOTHING),
    "given_up": Reason(
        _("We tried for three days, and the parent's mail server never took it."), _OTHER_ADDRESS
    ),
    "refused": Reason(_("The parent's mail server refused it."), _TELL_PLATFORM),
    "limited": Reason(
        _("The same mail had been asked for several times within the hour."),
        _("The parent uses the newest one."),
    ),
    "nobody": Reason(
        _("There was nobody to write to: the account had no address, or was past this mail."),
        _("Look at the parent's page: perhaps they have signed in since, or need an address."),
    ),
    "ours": Reason(_("We could not write this mail."), _TELL_PLATFORM),
    "restored": Reason(
        _("It waited when our database was restored from a backup, and may have been sent before."),
        _("Send it again, if it did not arrive."),
    ),
}


@dataclass(frozen=True)
class Fate:
    """A mail's fate, as a page shows it."""

    label: LazyString
    tone: str
    reason: Reason | None
    code: str


def kind_label(kind: str) -> str:
    """What the mail was."""
    return translated(KINDS[kind].listed if kind in KINDS else Kind.listed)


def fate_of(message: OutboxMessage) -> Fate:
    """The words for what the outbox keeps of a mail."""
    meaning, sent = message.meaning, message.status == "sent"
    waits_after_trouble = message.status == "queued" and bool(meaning)
    return Fate(
        TRYING_AGAIN if waits_after_trouble else FATES[message.status],
        TONES.get(message.status, ""),
        REASONS[meaning] if meaning and not sent else None,
        "" if sent else answers.code(message.answer or ""),
    )
