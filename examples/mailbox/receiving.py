"""From the bytes on the wire to a mail that can be shown."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from examples.mailbox.store import Mail, Mailbox


class Receiver:
    """aiosmtpd's handler: accepts every recipient and keeps one mail for each."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
    ) -> str:
        """Keep the mail, then say so: what was accepted is on the disk."""
        message = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
        received_at = datetime.now(UTC)
        for recipient in envelope.rcpt_tos:
            self.mailbox.add(_mail(recipient, message, received_at))
            print(f"{received_at:%H:%M:%S} mail to {recipient}", flush=True)
        return "250 Kept"


def _mail(recipient: str, message: EmailMessage, received_at: datetime) -> Mail:
    return Mail(
        to=recipient,
        subject=str(message["Subject"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        received_at=received_at.isoformat(timespec="milliseconds"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""
