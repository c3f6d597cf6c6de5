"""What happened to a guardian's account, as far as it is this scope's business.

Decided for rule C3, for everybody but an operator:

- nothing where access has ended, and nothing from before the first guardianship within the
  scope: then the account was another school's, or nobody's;
- a sign-in is the person's, to the platform, whatever for: its time, device and method are
  told. Which applications it opened is told only of those that serve a school of the scope,
  and not where the application was given another school's pupil;
- the mails that the page about mails tells this scope (``desk.mail.told_to``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select

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
    """A sign-in, and the applications of this scope that were opened with it."""

    at: datetime
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
    query = select(BrowserSession).where(BrowserSession.account_id == person.account.id)
    query = _since(query, BrowserSession.auth_time, person)
    newest = query.order_by(BrowserSession.auth_time.desc(), BrowserSession.id)
    sessions = list(db.session.scalars(newest.limit(MOST)))
    opened = _applications([session.id for session in sessions], school_scope)
    return [
        SignIn(
            session.auth_time,
            session.device,
            tuple(session.amr.split()),
            tuple(sorted(opened.get(session.id, ()))),
        )
        for session in sessions
    ]


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


def _applications(session_ids: list[str], school_scope: SchoolScope) -> dict[str, set[str]]:
    """The names of this scope's applications, by session."""
    query = (
        select(Grant.session_id, Client.name)
        .join(Client, Client.id == Grant.client_id)
        .where(Grant.session_id.in_(session_ids))
    )
    if not school_scope.everywhere:
        ours = select(ClientSchool.client_id).where(scope.at(school_scope, ClientSchool.school_id))
        pupils = select(Child.id).where(scope.children(school_scope))
        query = query.where(
            Grant.client_id.in_(ours), or_(Grant.child_id.is_(None), Grant.child_id.in_(pupils))
        )
    opened: dict[str, set[str]] = {}
    for session_id, name in db.session.execute(query.distinct()):
        opened.setdefault(session_id, set()).add(name)
    return opened
