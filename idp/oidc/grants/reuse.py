"""A code or a refresh token that comes a second time: what it gave ends (RFC 6749 §4.1.2, RFC 9700
§4.5, §4.14.2).
"""

from dataclasses import dataclass
from typing import Final, NoReturn

from authlib.oauth2.rfc6749 import InvalidGrantError

from idp.audit import events
from idp.database import retried, transaction
from idp.oidc import grants_service
from idp.oidc.models import Grant, GrantRow
from idp.people.models import AccountRow


@dataclass(frozen=True)
class Reuse:
    """How the reuse of one kind is called: of its grant, in the audit log, to the client."""

    reason: str
    event: str
    description: str


OF_CODE: Final = Reuse("code reused", "code_reused", "The code was used before")
OF_REFRESH_TOKEN: Final = Reuse(
    "refresh token reused", "refresh_reused", "The refresh token was used before"
)


@retried
def refuse_reuse(reuse: Reuse, grant: GrantRow, account: AccountRow) -> NoReturn:
    """End the grant, and raise ``InvalidGrantError``."""
    with transaction():
        grants_service.end(reuse.reason, Grant.id == grant.id)
        events.record(
            reuse.event,
            result="refused",
            account_id=account.id,
            client_id=grant.client_id,
            grant=grant.id,
        )
    raise InvalidGrantError(reuse.description)
