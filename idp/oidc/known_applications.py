"""The applications that know a guardian: by a grant that holds, or by what was allowed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from idp.clients.metadata import has_made_up_email
from idp.clients.models import Client
from idp.database import db
from idp.oidc import consent
from idp.oidc.models import AccessToken, ChildConsent, Consent, Grant, RefreshToken
from idp.people import guardianships
from idp.people.names import sort_key


@dataclass
class KnownApplication:
    """An application, what it may see of a guardian, since when, and when it last asked.

    ``children``: the ids of the children of whom it is told, of those whom the guardian may
    see now (security rule C2): of a third party those whom the guardian allowed (rule N3).
    """

    client: Client
    since: datetime
    scopes: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    allowed_at: datetime | None = None
    allowed_fields: dict[str, set[str]] = field(default_factory=dict)
    """By the id of a child, what a third party may see of it."""
    last_used_at: datetime | None = None

    @property
    def ours(self) -> bool:
        """The school's own, rather than a third party's."""
        return bool(self.client.metadata_["first_party"])

    @property
    def personal_scopes(self) -> list[str]:
        """Those by which it learns something: an address that is made up tells nothing."""
        made_up = has_made_up_email(self.client.metadata_)
        return consent.about(self.scopes, made_up_email=made_up)

    @property
    def child_fields(self) -> set[str]:
        """What it gets about a child; a third party no more than was allowed (rule C5)."""
        if "child" not in self.scopes:
            return set()
        registered = set(self.client.metadata_["child_fields"])
        return registered if self.ours else registered & self._allowed()

    def _allowed(self) -> set[str]:
        return {name for child in self.children for name in self.allowed_fields.get(child, ())}


def of_account(account_id: str) -> list[KnownApplication]:
    """Every application that knows this guardian, by name; five queries, however many there are."""
    by_client: dict[str, KnownApplication] = {}
    mine = {child.id for child, _link in guardianships.live_children(account_id)}
    for grant, client in _grants(account_id):
        known = by_client.setdefault(client.id, KnownApplication(client, since=grant.created_at))
        known.since = min(known.since, grant.created_at)
        known.scopes |= set(grant.scope.split())
        known.children |= {grant.child_id or ""} & mine
    for allowed, client in _consents(account_id):
        known = by_client.setdefault(client.id, KnownApplication(client, since=allowed.granted_at))
        known.since = min(known.since, allowed.granted_at)
        known.scopes |= set(allowed.scope.split())
        known.allowed_at = allowed.granted_at
    for child_consent in _child_consents(account_id):
        if child_consent.client_id in by_client and child_consent.child_id in mine:
            by_client[child_consent.client_id].allowed_fields[child_consent.child_id] = set(
                child_consent.fields.split()
            )
    for known in by_client.values():
        known.scopes &= set(known.client.metadata_["scope"].split())  # what it gets now
        if not known.ours:
            known.children = set(known.allowed_fields)
    for client_id, used_at in _last_uses(account_id):
        if client_id in by_client:
            by_client[client_id].last_used_at = used_at
    return sorted(by_client.values(), key=lambda each: (sort_key(each.client.name), each.client.id))


def _grants(account_id: str) -> Iterable[Any]:
    return db.session.execute(
        select(Grant, Client)
        .join(Client, Client.id == Grant.client_id)
        .where(Grant.account_id == account_id, Grant.ended_at.is_(None))
    )


def _consents(account_id: str) -> Iterable[Any]:
    return db.session.execute(
        select(Consent, Client)
        .join(Client, Client.id == Consent.client_id)
        .where(Consent.account_id == account_id, Consent.withdrawn_at.is_(None))
    )


def _child_consents(account_id: str) -> Iterable[ChildConsent]:
    return db.session.scalars(
        select(ChildConsent).where(
            ChildConsent.account_id == account_id, ChildConsent.withdrawn_at.is_(None)
        )
    )


def _last_uses(account_id: str) -> Iterable[Any]:
    """When each application last got something: a sign-in, or a token by refreshing.

    UserInfo is not counted: an access token is used for an hour at most after it was given.
    """
    grants = select(Grant.id, Grant.client_id, Grant.created_at.label("at")).where(
        Grant.account_id == account_id
    )
    mine = grants.subquery()
    tokens = (
        select(mine.c.client_id, model.issued_at.label("at")).join(
            mine, mine.c.id == model.grant_id
        )
        for model in (AccessToken, RefreshToken)
    )
    used = select(mine.c.client_id, mine.c.at).union_all(*tokens).subquery()
    return db.session.execute(
        select(used.c.client_id, func.max(used.c.at)).group_by(used.c.client_id)
    )
