"""What hangs on each secret of a list: counted by the mark that it left, and until when it can.

``ON_TOKEN_HASH_KEY`` names every column that holds a keyed hash, ``ON_PEPPER`` what the pepper
made; ``DERIVED`` what bears no mark, and so goes by time. docs/operator.md tells the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, null, select, true

from idp import clock, settings
from idp.clients.models import Client, RegistrationToken, UsedAssertion
from idp.credentials import devices, one_time_tokens, peppers
from idp.credentials.models import (
    EmailChange,
    EmailChangeLink,
    KnownDevice,
    OneTimeToken,
    PasskeyChallenge,
    Password,
    RecoveryCode,
    ThrottleCounter,
    TotpEnrolment,
    TotpSecret,
)
from idp.database import db, hashes
from idp.federation.models import DELETIONS_KEPT, DeletionRequest, FederationState, PendingLink
from idp.lifecycle import factor_undo, link_requests
from idp.mail.models import OutboxMessage
from idp.oidc import database_store
from idp.oidc.key_models import StoredKey
from idp.oidc.models import (
    AccessToken,
    AuthorizationCode,
    DeviceCode,
    PushedRequest,
    RefreshToken,
)
from idp.readiness import marks
from idp.roster.models import RosterIdentity
from idp.sessions.models import BrowserSession, FormSubmission, Interaction, PersistentLogin
from idp.settings.secrets import MARK_LENGTH

Condition = Callable[[datetime], ColumnElement[bool]]
UNTIL_USED: Final = "its next use"


@dataclass(frozen=True)
class Kind:
    """One kind of row that bears the mark of what made it in ``column``."""

    name: str
    column: Any
    live: Condition
    until: Any = None
    """When the row is worth nothing any more; None: nothing but its use ends it."""
    more: timedelta = timedelta(0)
    """How long after ``until``."""
    place: int = 1
    """Where the mark's ``~`` stands."""
    renewed: str = ""
    """When it is made anew under the newest one."""
    is_marked: bool = False
    """Whether every row bears a mark, in ``place`` itself."""

    def counted(self, now: datetime) -> Any:
        """The statement that counts its live rows by their mark."""
        marked = func.substr(self.column, self.place, 1) == hashes.MARKED
        mark: Any = case((marked, func.substr(self.column, self.place + 1, MARK_LENGTH)), else_="")
        if self.is_marked:
            mark = func.substr(self.column, self.place, MARK_LENGTH)
        until: Any = null() if self.until is None else func.max(self.until)
        which = and_(self.column.is_not(None), self.live(now))
        return select(mark, func.count(), until).where(which).group_by(mark)


def _lasting(column: Any, *which: ColumnElement[bool]) -> Condition:
    return lambda now: and_(column > now, *which)


def _kind(name: str, column: Any, until: Any, *which: ColumnElement[bool], **more: Any) -> Kind:
    """A kind that ends at a time of its own."""
    return Kind(name, column, _lasting(until, *which), until, **more)


def _while(name: str, column: Any, *which: ColumnElement[bool], **more: Any) -> Kind:
    """A kind that time does not end."""
    return Kind(name, column, lambda _now: and_(true(), *which), **more)


_CHANGE: Final = EmailChangeLink.change_id == EmailChange.id
_SPENT: Final = OneTimeToken.spent_at.is_not(None)
_USE: Final = {"renewed": UNTIL_USED}

ON_TOKEN_HASH_KEY: Final = (
    _while("client secrets", Client.secret_hash, Client.disabled_at.is_(None), **_USE),
    _kind("former client secrets", Client.previous_secret_hash, Client.previous_secret_expires_at),
    _while(
        "registration access tokens",
        *(Client.registration_token_hash, Client.disabled_at.is_(None)),
        **_USE,
    ),
    _kind(
        "initial access tokens",
        *(RegistrationToken.token_hash, RegistrationToken.expires_at),
        RegistrationToken.ended_at.is_(None),
    ),
    _kind(
        "sessions",
        *(BrowserSession.secret_hash, BrowserSession.expires_at),
        BrowserSession.ended_at.is_(None),
        **_USE,
    ),
    _kind("device keys", PersistentLogin.secret_hash, PersistentLogin.expires_at, **_USE),
    _kind("families of device keys", PersistentLogin.family_hash, PersistentLogin.expires_at),
    _kind(
        "authorization codes",
        *(AuthorizationCode.code_hash, AuthorizationCode.expires_at),
        AuthorizationCode.redeemed_at.is_(None),
    ),
    _kind(
        "access tokens",
        *(AccessToken.token_hash, AccessToken.expires_at),
        AccessToken.revoked_at.is_(None),
    ),
    _kind(
        "refresh tokens",
        *(RefreshToken.token_hash, RefreshToken.expires_at),
        *(RefreshToken.revoked_at.is_(None), RefreshToken.rotated_at.is_(None)),
        **_USE,
    ),
    _kind("device codes", DeviceCode.device_hash, DeviceCode.expires_at),
    _kind("user codes", DeviceCode.user_hash, DeviceCode.expires_at),
    _kind(
        "pushed requests",
        *(PushedRequest.uri_hash, PushedRequest.expires_at),
        PushedRequest.used_at.is_(None),
    ),
    _kind(
        "one-time tokens",
        *(OneTimeToken.token_hash, OneTimeToken.expires_at),
        one_time_tokens.unspent(),
    ),
    _kind("addresses of one-time tokens", OneTimeToken.sent_to, OneTimeToken.expires_at),
    Kind(
        "links of address changes",
        EmailChangeLink.secret_hash,
        lambda now: and_(_CHANGE, EmailChange.expires_at > now, EmailChange.ended_at.is_(None)),
        EmailChange.expires_at,
    ),
    _while("recovery codes", RecoveryCode.code_hash, RecoveryCode.used_at.is_(None)),
    Kind(
        "known devices",
        KnownDevice.device_hash,
        lambda now: KnownDevice.last_seen_at > now - devices.REMEMBERED,
        KnownDevice.last_seen_at,
        more=devices.REMEMBERED,
        renewed="the next sign-in",
    ),
    _kind("passkey challenges", PasskeyChallenge.challenge_hash, PasskeyChallenge.expires_at),
    _kind(
        "passkey challenges' browsers", PasskeyChallenge.browser_hash, PasskeyChallenge.expires_at
    ),
    _kind("apps being set up", TotpEnrolment.browser_hash, TotpEnrolment.expires_at),
    _kind("requests to providers", FederationState.state_hash, FederationState.expires_at),
    _kind("browsers of these requests", FederationState.browser_hash, FederationState.expires_at),
    _kind("identities to be linked", PendingLink.browser_hash, PendingLink.expires_at),
    Kind(
        "confirmations of deletion",
        DeletionRequest.code_hash,
        lambda now: DeletionRequest.created_at > now - DELETIONS_KEPT,
        DeletionRequest.created_at,
        more=DELETIONS_KEPT,
    ),
    _kind("interactions", Interaction.browser_hash, Interaction.expires_at),
    _kind("sent forms", FormSubmission.key_hash, FormSubmission.expires_at),
    _kind("sent forms' browsers", FormSubmission.browser_hash, FormSubmission.expires_at),
    _kind("what works once", UsedAssertion.jti_hash, UsedAssertion.expires_at),
    _while(
        "people whom a list gives no number",
        *(RosterIdentity.sourced_id, RosterIdentity.sourced_id.startswith(hashes.MARKED)),
        place=2,
        renewed="the school's next list",
    ),
)
BEGINS_ANEW: Final = (ThrottleCounter.key, OutboxMessage.recipient_hash)
"""Counts, of guesses and of mails to an address: under another key they begin anew, and nothing
waits for them."""
ON_PEPPER: Final = (
    _while("passwords", Password.hash, place=3, renewed="the next sign-in"),
    _while("authenticator apps", TotpSecret.sealed_secret, **_USE),
    _kind("authenticator apps being set up", TotpEnrolment.sealed_secret, TotpEnrolment.expires_at),
)
DERIVED: Final[dict[str, dict[str, Callable[[], timedelta]]]] = {
    "token_hash_key": {
        "links that undo a way in": lambda: factor_undo.UNDONE_WITHIN,
        "links that answer a school": lambda: link_requests.ANSWERED_WITHIN,
        "requests that browsers carry": lambda: settings.current().interaction_lifetime,
    },
    "session_secret": {
        "form tokens and the browser's cookie": lambda: settings.current().interaction_lifetime,
    },
    "password_pepper": {},
    database_store.NAME: {},
}
"""What bears no mark, and for how long it lasts after the last worker has made such a thing."""
COUNTED: Final[dict[str, Sequence[Kind]]] = {
    "token_hash_key": ON_TOKEN_HASH_KEY,
    "password_pepper": ON_PEPPER,
    "session_secret": (),
    database_store.NAME: (
        _while("signing keys", StoredKey.private, renewed="`idp keys ensure`", is_marked=True),
    ),
}


@dataclass
class Hanging:
    """What hangs on one secret."""

    name: str
    place: int
    """In its list, 1 being the newest; 0: it is gone from there."""
    fingerprint: str
    counts: dict[str, int] = field(default_factory=dict)
    until: datetime | None = None
    """When time has ended all that it can end."""
    waits_for: dict[str, str] = field(default_factory=dict)
    """What time does not end → what does."""

    @property
    def may_go(self) -> bool:
        """Whether it may be taken out of its list, and nothing is lost."""
        gone = self.until is None or self.until <= clock.now()
        return self.place != 1 and not self.counts and gone


def load_all() -> list[Hanging]:
    """What hangs on each secret of each list, and on those that are gone; some statements each."""
    return [each for name in COUNTED for each in load_list(name)]


def load_list(name: str) -> list[Hanging]:
    """What hangs on each secret of one list, the newest first; then on one that is gone."""
    secrets = [each for each in getattr(settings.current(), name).all if each]
    hanging = [Hanging(name, place, each.fingerprint) for place, each in enumerate(secrets, 1)]
    by_mark = dict(zip(_marks(name), hanging, strict=False))
    gone = Hanging(name, 0, "")
    now = clock.now()
    for kind in COUNTED[name]:
        for mark, count, until in db.session.execute(kind.counted(now)):
            _add(by_mark.get(mark, gone), kind, count, until)
    _add_derived(name, hanging[1:])
    return [*hanging, gone] if gone.counts else hanging


def lost() -> list[Hanging]:
    """What hangs on secrets that are gone and no time ends, of each list; the others run out."""
    losses = []
    for name, kinds in COUNTED.items():
        gone, known = Hanging(name, 0, ""), set(_marks(name))
        for kind in kinds:
            if kind.until is None:
                for mark, count, _until in db.session.execute(kind.counted(clock.now())):
                    if mark not in known:
                        _add(gone, kind, count, None)
        if gone.counts:
            losses.append(gone)
    return losses


def _marks(name: str) -> list[str]:
    if not COUNTED[name]:
        return []
    if name == database_store.NAME:
        return [each.mark for each in settings.current().keys_encryption_key.all if each]
    if name == hashes.NAME:
        return [key.mark for key in hashes.known()]
    return [pepper.mark for pepper in peppers.known()]


def _add(hanging: Hanging, kind: Kind, count: int, until: datetime | None) -> None:
    hanging.counts[kind.name] = count
    if until is None:
        hanging.waits_for[kind.name] = kind.renewed or "whoever has them makes new ones"
    elif hanging.until is None or hanging.until < until + kind.more:
        hanging.until = until + kind.more


def _add_derived(name: str, former: Sequence[Hanging]) -> None:
    """A former secret made such things until the last worker began with another newest one."""
    mark = marks.read(name).get(name)
    longest = max((each() for each in DERIVED[name].values()), default=None)
    if mark is None or longest is None:
        return
    for each in former:
        if (over := mark.at + longest) > clock.now():
            each.until = max(each.until or over, over)
