"""Applications that the browser itself tells (OpenID Connect Front-Channel Logout 1.0)."""

from urllib.parse import urlencode

from sqlalchemy import select

from idp import settings
from idp.clients.models import Client
from idp.database import db
from idp.deliveries.hearing import FRONT_CHANNEL, has
from idp.oidc import subjects
from idp.oidc.models import Grant


def addresses_of(session_id: str) -> list[str]:
    """What a browser loads when this session of it ends: an address of each application in it."""
    signed_in = select(Grant.client_id).where(Grant.session_id == session_id)
    clients = db.session.scalars(
        select(Client)
        .where(Client.id.in_(signed_in), has(FRONT_CHANNEL), Client.disabled_at.is_(None))
        .order_by(Client.id)
    )
    return [_address(client, session_id) for client in clients]


def _address(client: Client, session_id: str) -> str:
    # §3: iss and sid, both or none; who does not require them may have them
    address: str = client.metadata_[FRONT_CHANNEL]
    sid = subjects.of_session(session_id, client)
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode({'iss': settings.current().issuer, 'sid': sid})}"
