"""What happened to a guardian's account, as far as it is this scope's business.

Decided for rule C3, for everybody but an operator:

- nothing where access has ended, and nothing from before the first guardianship within the
  scope: then the account was another school's, or nobody's;
- a sign-in is the person's, to the platform, whatever for: its time, device and method are
  told, and when a device that stays signed in last came back on it. Which applications it opened
  is told only of those that serve a school of the scope, and not where the application was given
  another school's pupil;
- the mails that the page about mails tells this scope (``desk.mail.told_to``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, or_, select

from idp.audit.models import AuditEvent
from idp.clients.models import Client, ClientSchool
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import SchoolScope
from idp.desk.audit_log import colleagues
from idp.desk.mail import told_to
from idp.desk.people.page import Person
from idp.mail.models import OutboxMessage
from idp.oidc.models import Grant
from idp.people.models import Child
from idp.sessions.models import BrowserSession

MOST: Final = 20
"""Of each: for older ones there is the audit log."""


@dataclass(frozen=True)
class SignIn:
    """A sign-in, and the applications of this scope that were opened with it.

    A device that stays signed in comes back on the same sign-in, day after day: that is one, as in
    its owner's own history, which tells the same events.
    """

    at: datetime | None
    """None where it was before this scope knew them; then ``came_back_at`` is told alone."""
    came_back_at: datetime | None
    """When its device last came back without signing in, if it ever did."""
    device: str
    amr: tuple[str, ...]
    applications: tuple[str, ...]


@dataclass(frozen=True)
class Act:
    """What somebody at the desk did, by an event that this scope may read."""

    at: datetime
    event: str
    actor: str
    changes: dict[str, list[Any]]


def mails(person: Person, school_scope: SchoolScope) -> list[OutboxMessage]:
    """The newest mails about the account; the words in them are kept nowhere."""
    if not person.known:
        return []
    query = select(OutboxMessage).where(
        OutboxMessage.account_id == person.account.id, told_to(school_scope)
    )
    query = _since(query, OutboxMessage.created_at, person)
    newest = query.order_by(OutboxMessage.created_at.desc(), OutboxMessage.id)
    return list(db.session.scalars(newest.limit(MOST)))


def sign_ins(person: Person, school_scope: SchoolScope) -> list[SignIn]:
    """The newest sign-ins; two queries."""
    if not person.known:
        return []
    each = _each_with_its_returns(person.account.id).subquery()
    latest = func.coalesce(each.c.came_back_at, each.c.auth_time)
    query = _since(select(each).where(each.c.place == 1), latest, person)
    rows = db.session.execute(query.order_by(latest.desc(), each.c.browser).limit(MOST)).all()
    opened = _applications(person.account.id, school_scope) if rows else {}
    return [
        SignIn(
            person.window.seen(row.auth_time),
            row.came_back_at,
            row.device,
            tuple(row.amr.split()),
            tuple(sorted(opened.get((row.browser, row.auth_time), ()))),
        )
        for row in rows
    ]


_BROWSER: Final = func.coalesce(BrowserSession.persistent_login_id, BrowserSession.id)
"""What the sessions of one browser share that stays signed in; of any other it is the session."""


def _each_with_its_returns(account_id: str) -> Select[Any]:
    """The sessions of an account; ``place`` 1 is the newest of those on one sign-in."""
    returns = (
        select(AuditEvent.session_id, func.max(AuditEvent.at).label("at"))
        .where(AuditEvent.account_id == account_id, AuditEvent.event == "device_returned")
        .group_by(AuditEvent.session_id)
        .subquery()
    )
    same = (_BROWSER, BrowserSession.auth_time)
    newest_first = (BrowserSession.created_at.desc(), BrowserSession.id)
    return (
        select(
            _BROWSER.label("browser"),
            BrowserSession.auth_time,
            BrowserSession.device,
            BrowserSession.amr,
            func.max(returns.c.at).over(partition_by=same).label("came_back_at"),
            func.row_number().over(partition_by=same, order_by=newest_first).label("place"),
        )
        .outerjoin(returns, returns.c.session_id == BrowserSession.id)
        .where(BrowserSession.account_id == account_id)
    )


def acts(person: Person, school_scope: SchoolScope) -> list[Act]:
    """What staff of this scope did to the account, the newest first."""
    query = select(AuditEvent).where(
        AuditEvent.account_id == person.account.id, AuditEvent.actor != person.account.id
    )
    if school_scope.everywhere:
        query = query.where(AuditEvent.actor.not_in(("", "worker")))
    else:
        query = query.where(scope.at(school_scope, AuditEvent.school_id))
    events = list(db.session.scalars(query.order_by(AuditEvent.id.desc()).limit(MOST)))
    known = colleagues({event.actor for event in events}, school_scope)
    names = {account_id: each.name for account_id, each in known.items()}
    return [
        Act(event.at, event.event, names.get(event.actor, ""), event.detail.get("changes") or {})
        for event in events
    ]


def _since(query: Any, column: Any, person: Person) -> Any:
    since = person.window.since
    return query if since is None else query.where(column >= since)


def _applications(
    account_id: str, school_scope: SchoolScope
) -> dict[tuple[str, datetime], set[str]]:
    """The names of this scope's applications, by browser and sign-in."""
    query = (
        select(_BROWSER, BrowserSession.auth_time, Client.name)
        .join(Grant, Grant.session_id == BrowserSession.id)
        .join(Client, Client.id == Grant.client_id)
        .where(BrowserSession.account_id == account_id)
    )
    if not school_scope.everywhere:
        ours = select(ClientSchool.client_id).where(scope.at(school_scope, ClientSchool.school_id))
        pupils = select(Child.id).where(scope.children(school_scope))
        query = query.where(
            Grant.client_id.in_(ours), or_(Grant.child_id.is_(None), Grant.child_id.in_(pupils))
        )
    opened: dict[tuple[str, datetime], set[str]] = {}
    for browser, auth_time, name in db.session.execute(query.distinct()):
        opened.setdefault((browser, auth_time), set()).add(name)
    return opened
