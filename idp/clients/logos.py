"""The logo of an application: fetched once from its ``logo_uri``, made anew, shown from here.

A parent's browser asks nobody else for it, so that an application does not see who looks at its
page of consent (security rules O19, R14).
"""

import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select

from idp.clients.models import ClientLogo
from idp.database import db, delete_all, transaction
from idp.errors import Invalid
from idp.outgoing.documents import Documents
from idp.outgoing.guarded import Answer
from idp.outgoing.trouble import NotAllowed, Trouble, WrongAnswer
from idp.people.logos import cleaned

log = logging.getLogger(__name__)

MOST: Final = 20  # pictures that a worker keeps between a check and the registration


def read(document: Mapping[str, Any]) -> bytes | None:
    """The picture at the ``logo_uri`` as the PNG that pages show; None where there is none.

    It is asked for before a transaction is open, and comes from memory within one. A picture that
    can't be had just now, or that is none, refuses no registration: a page goes without it.
    Raises ``Invalid`` for an address that we don't call.
    """
    address = document.get("logo_uri")
    if not address:
        return None
    try:
        return _pictures.at(address).get()
    except NotAllowed:
        raise Invalid("logo_uri", "uri_not_called", address=address) from None
    except Trouble as trouble:
        log.warning("no logo of an application: %s", trouble.reason)
        return None


def keep(client_id: str, document: Mapping[str, Any], png: bytes | None) -> None:
    """Store what was read at this address, or nothing; in the caller's transaction."""
    address = document.get("logo_uri")
    with transaction() as session:
        if png is None:
            delete_all(
                ClientLogo, ClientLogo.client_id == client_id, ClientLogo.address != (address or "")
            )
            return
        delete_all(ClientLogo, ClientLogo.client_id == client_id)
        digest = sha256(png).hexdigest()
        session.add(ClientLogo(client_id=client_id, address=address, png=png, digest=digest))


def digest_of(client_id: str) -> str | None:
    """What tells this application's logo from another one; None where it has none."""
    return db.session.scalar(select(ClientLogo.digest).where(ClientLogo.client_id == client_id))


def find_logo(client_id: str) -> ClientLogo | None:
    """The logo of an application."""
    return db.session.get(ClientLogo, client_id)


def _of_answer(answer: Answer) -> bytes:
    try:
        return cleaned(answer.body)
    except Invalid as unusable:
        raise WrongAnswer(unusable.code) from None


_pictures: Final = Documents("logo_uri", _of_answer, most=MOST, accept="image/png, image/*;q=0.8")
