"""Subjects: who a token speaks of, as one client may know them (OpenID Connect Core §8)."""

import hashlib
import hmac

from idp import settings
from idp.clients.models import ClientRow
from idp.database import base64url
from idp.people.models import AccountRow, ChildColumns


def of_guardian(account: AccountRow, client: ClientRow) -> str:
    """The guardian's ``sub`` for this client: always the guardian, never the child."""
    return _subject(account.subject_id, client)


def of_child(child: ChildColumns, client: ClientRow) -> str:
    """The child's ``child.sub`` for this client, such as ``c_7Qm2…``; stable, unguessable."""
    return "c_" + _subject(child.subject_id, client)


def of_session(session_id: str, client: ClientRow) -> str:
    """The ``sid`` for this client: two clients can't compare the sessions of a guardian."""
    return _derive("sid", client.id, session_id)


def _subject(subject_id: str, client: ClientRow) -> str:
    if client.metadata_["subject_type"] == "public":
        return _derive("public", "", subject_id)
    return _derive("pairwise", client.sector, subject_id)


def _derive(kind: str, sector: str, subject_id: str) -> str:
    """128 bits of HMAC-SHA-256 over sector and subject (Core §8.1, third example method)."""
    message = f"{kind}\0{sector}\0{subject_id}".encode()
    digest = hmac.digest(settings.current().subject_key, message, hashlib.sha256)
    return base64url(digest[:16])
