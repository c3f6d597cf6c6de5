"""The sets that a cause is about, and the conditions by which each thing of theirs is found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select, true, tuple_

from idp.clients.models import Client, RegistrationToken
from idp.credentials import devices
from idp.credentials.models import (
    EmailChange,
    KnownDevice,
    OneTimeToken,
    Passkey,
    PasskeyChallenge,
    Password,
    RecoveryCode,
    TotpEnrolment,
    TotpSecret,
)
from idp.database import Ids
from idp.federation import authorization_request
from idp.federation.models import FederatedLink, FederationState, PendingLink
from idp.lifecycle.endings_table import By, Thing
from idp.mail.models import OutboxMessage
from idp.oidc.models import ChildConsent, Consent, DeviceCode, Grant
from idp.people.link_models import LinkRequest
from idp.people.models import Child, Guardianship
from idp.sessions import interactions, submissions
from idp.sessions.models import BrowserSession, ChildChoice, FormSubmission, Interaction


@dataclass(frozen=True, kw_only=True)
class These:
    """What a cause is about: ids, in a list or as a ``Select`` that yields the same each time."""

    accounts: Ids = ()
    guardianships: Ids = ()
    sessions: Ids = ()
    clients: Ids = ()
    schools: Ids = ()
    browser: str = ""
    keep_session: str | None = None
    keep_device: str | None = None
    """The secret of a known device."""
    keep_interaction: str = ""
    replaced: bool = False
    """The sessions: by another one of the same guardian in the same browser."""
    since: datetime | None = None


_TABLES: Final[dict[Thing, Any]] = {
    Thing.PASSWORD: Password,
    Thing.PASSKEYS: Passkey,
    Thing.RECOVERY_CODES: RecoveryCode,
    Thing.APP: TotpSecret,
    Thing.ENROLMENTS: TotpEnrolment,
    Thing.LINKS: FederatedLink,
    Thing.SESSIONS: BrowserSession,
    Thing.CHOICES: ChildChoice,
    Thing.CONSENTS: Consent,
    Thing.CHILD_CONSENTS: ChildConsent,
    Thing.GRANTS: Grant,
    Thing.DEVICE_CODES: DeviceCode,
    Thing.REGISTRATION_TOKENS: RegistrationToken,
    Thing.MANAGEMENT: Client,
    Thing.TOKENS: OneTimeToken,
    Thing.ADDRESS_CHANGES: EmailChange,
    Thing.WAYS_BACK: EmailChange,
    Thing.DISPUTES: EmailChange,
    Thing.DEVICES: KnownDevice,
    Thing.STEPS: Interaction,
    Thing.WAITING_IDENTITIES: PendingLink,
    Thing.PROVIDER_REQUESTS: FederationState,
    Thing.FORMS: FormSubmission,
    Thing.CHALLENGES: PasskeyChallenge,
    Thing.INTERACTIONS: Interaction,
    Thing.MAILS: OutboxMessage,
    Thing.QUESTIONS: LinkRequest,
}
_SINCE: Final[dict[Thing, Any]] = {
    Thing.PASSKEYS: Passkey.created_at,
    Thing.RECOVERY_CODES: select(TotpSecret.created_at)
    .where(TotpSecret.account_id == RecoveryCode.account_id)
    .scalar_subquery(),
    Thing.APP: TotpSecret.created_at,
    Thing.LINKS: FederatedLink.linked_at,
    Thing.CONSENTS: Consent.granted_at,
    Thing.CHILD_CONSENTS: ChildConsent.granted_at,
    Thing.WAYS_BACK: EmailChange.asked_at,
}
_BROWSER_HASH: Final[dict[Thing, Callable[[str], str]]] = {
    Thing.STEPS: interactions.browser_hash,
    Thing.WAITING_IDENTITIES: authorization_request.browser_hash,
    Thing.PROVIDER_REQUESTS: authorization_request.browser_hash,
    Thing.FORMS: submissions.browser_hash,
}
_IS_ONLINE: Final = (" " + Grant.scope + " ").not_like("% offline_access %")
"""``offline_access`` is the wish to outlive the session (OpenID Connect Core §11)."""


def which(thing: Thing, by: By, these: These) -> tuple[ColumnElement[bool], ...]:
    """The conditions by which a thing's function finds those that end."""
    table = _TABLES[thing]
    match by:
        case By.PAIR:
            pairs = select(Guardianship.account_id, Guardianship.child_id)
            owner = BrowserSession if thing is Thing.CHOICES else table
            live = pairs.where(Guardianship.id.in_(_asked_first(these.guardianships)))
            return (tuple_(owner.account_id, table.child_id).in_(live),)
        case By.SCHOOL:
            pupils = select(Child.id).where(Child.school_id.in_(these.schools))
            return table.account_id.in_(these.accounts), table.child_id.in_(pupils)
        case By.SESSION | By.ONLINE:
            column = table.id if thing is Thing.SESSIONS else table.session_id
            online = () if by is By.SESSION else (_IS_ONLINE,)
            return column.in_(these.sessions), *online
        case By.CLIENT | By.PERMISSION:
            whose = () if by is By.CLIENT else (table.account_id.in_(these.accounts),)
            return table.client_id.in_(these.clients), *whose
        case By.BROWSER | By.ELSEWHERE:
            in_browser = table.browser_hash == _BROWSER_HASH[thing](these.browser)
            but = () if by is By.BROWSER else (table.interaction_id != these.keep_interaction,)
            return in_browser, *but
        case By.EVERYBODY:
            return (true(),)
    return table.account_id.in_(these.accounts), *_of_account(thing, by, these)


def _asked_first(ids: Ids) -> Ids:
    """The same ids, by a query that the database does not join into the one around it.

    PostgreSQL 18 leaves out the join of a table with itself, and then forgets that the pairs name
    the account by which grants are found: it would go through all grants.
    """
    return ids.offset(0) if isinstance(ids, Select) else ids


def _of_account(thing: Thing, by: By, these: These) -> tuple[ColumnElement[bool], ...]:
    if by is By.SINCE:
        return (_SINCE[thing] >= these.since,)
    if by is By.ACCOUNT:
        return ()
    goes_on = {
        Thing.SESSIONS: BrowserSession.id != (these.keep_session or ""),
        Thing.GRANTS: Grant.session_id != (these.keep_session or ""),
        Thing.DEVICES: KnownDevice.device_hash != devices.device_hash(these.keep_device),
    }
    return (goes_on[thing],)
