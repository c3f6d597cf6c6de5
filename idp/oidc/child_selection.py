"""Which children an application may see, and which one is chosen (docs/child-claim.md)."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, select

from idp import clock
from idp.clients.models import Client, ClientRow, ClientSchool
from idp.database.prepared import Prepared, columns
from idp.oidc import subjects
from idp.people import guardianships
from idp.people.models import Child, ChildRow, Guardianship, School
from idp.sessions.models import BrowserSession, ChildChoice

_CHILD: Final = columns(Child, ChildRow, school_name=School.name)


def link(account_id: Any, child_id: Any, client_id: Any) -> Select[Any]:
    """The child of a ``bare_link``: columns of ``ChildRow``, and the relationship."""
    return (
        bare_link(account_id, child_id, client_id)
        .with_only_columns(*_CHILD, Guardianship.relationship)
        .join(School, School.id == Child.school_id)
    )


def bare_link(account_id: Any, child_id: Any, client_id: Any) -> Select[Any]:
    """The live guardianship through which a client may see a child, kept from ending until
    the transaction does (security rule C6): a token that names the child is made before the
    end is committed, or not at all.
    """
    return (
        select(Guardianship.id)
        .join(Child, Child.id == Guardianship.child_id)
        .join(ClientSchool, ClientSchool.school_id == Child.school_id)
        .where(
            Guardianship.account_id == account_id,
            Guardianship.child_id == child_id,
            guardianships.live(),
            ClientSchool.client_id == client_id,
        )
        .with_for_update(read=True, of=Guardianship)
    )


_LOCKED_LINK: Final[Prepared[Any]] = Prepared(
    link(bindparam("account_id"), bindparam("child_id"), bindparam("client_id")), ChildRow
)


@dataclass(frozen=True)
class Candidate:
    """A live child of the guardian at a school of the client."""

    child: ChildRow
    relationship: str
    chosen_at: datetime | None
    """When the guardian chose this child in this session; None if not chosen."""
    chosen_for: str | None = None
    """The application on whose page that was; None where it is not known."""


_OF_CANDIDATE: Final = (
    *_CHILD,
    Guardianship.relationship,
    ChildChoice.selected_at,
    ChildChoice.client_id,
)
_CHOSEN: Final = and_(ChildChoice.school_id == Child.school_id, ChildChoice.child_id == Child.id)
_IN_ORDER: Final = (Child.given_name, Child.family_name, Child.id)

_CANDIDATES: Final = Prepared(
    select(*_OF_CANDIDATE)
    .join(Guardianship, Guardianship.child_id == Child.id)
    .join(School, School.id == Child.school_id)
    .join(ClientSchool, ClientSchool.school_id == Child.school_id)
    .outerjoin(ChildChoice, _CHOSEN & (ChildChoice.session_id == bindparam("session_id")))
    .where(
        Guardianship.account_id == bindparam("account_id"),
        guardianships.live(),
        ClientSchool.client_id == bindparam("client_id"),
    )
    .order_by(*_IN_ORDER),
    ChildRow,
    into=Candidate,
)


def with_candidates(statement: Select[Any]) -> Select[Any]:
    """A statement that tells a client, a session and its account, and with them what fills a
    ``Candidate``: a row for each child, and one at least. ``candidates_among`` says which count.

    Each table is joined by its key to the ones before it: PostgreSQL has no choice of another
    order, such as through all children of a school, which it takes where it knows no figures yet.
    """
    return (
        guardianships.beside_accounts(statement.add_columns(*_OF_CANDIDATE))
        .outerjoin(
            ClientSchool,
            and_(ClientSchool.client_id == Client.id, ClientSchool.school_id == Child.school_id),
        )
        .outerjoin(School, School.id == ClientSchool.school_id)
        .outerjoin(ChildChoice, _CHOSEN & (ChildChoice.session_id == BrowserSession.id))
        .order_by(*_IN_ORDER)
    )


def candidates_among(rows: Iterable[Sequence[Any]]) -> tuple[Candidate, ...]:
    """The candidates in what ``with_candidates`` read: a child at a school that the client does not
    serve has none in its row.
    """
    return tuple(Candidate(*row) for row in rows if row[0].school_name is not None)


@dataclass(frozen=True)
class Selection:
    """The child that a grant will name. ``how`` is only, user or remembered."""

    child: ChildRow
    how: str
    selected_at: datetime
    switchable: bool


def candidates(account_id: str, client_id: str, session_id: str) -> list[Candidate]:
    """The guardian's live children at the client's schools, with this session's choices.

    One query.
    """
    return _CANDIDATES.all(account_id=account_id, client_id=client_id, session_id=session_id)


def decide(
    candidates: Sequence[Candidate],
    *,
    chosen_id: str | None,
    ask_again: bool,
    ask_of_one: bool = False,
    made_for: str | None = None,
) -> Selection | None:
    """The child to name, or None where the guardian has to choose. ``candidates`` is not empty.

    ``chosen_id``: the child chosen on this very request's page. ``ask_again``: the request
    says ``prompt=select_account``, so a remembered choice does not count. ``ask_of_one``: even
    an only child is shown, beside the way to sign in as somebody else. ``made_for``: only
    a choice made on this application's own page counts. What was chosen for the school's portal
    is no choice for a third party (security rule N3).
    """
    chosen = next((each for each in candidates if each.child.id == chosen_id), None)
    if len(candidates) == 1:
        if ask_of_one and chosen is None:
            return None
        return Selection(candidates[0].child, "only", clock.now(), switchable=False)
    if chosen is not None:
        # When it was chosen, not when the page after it was answered
        return Selection(chosen.child, "user", chosen.chosen_at or clock.now(), switchable=True)
    remembered = [
        each
        for each in candidates
        if each.chosen_at is not None and made_for in {None, each.chosen_for}
    ]
    if ask_again or not remembered:
        return None
    latest = max(remembered, key=lambda each: each.chosen_at or clock.now())
    return Selection(latest.child, "remembered", latest.chosen_at or clock.now(), switchable=True)


def hinted(candidates: Sequence[Candidate], hint: str | None, client: ClientRow) -> ChildRow | None:
    """The child that ``child_hint`` names, if it is one of them; a foreign hint is as absent."""
    match = None
    for each in candidates:
        if hmac.compare_digest(
            subjects.of_child(each.child, client).encode(), (hint or "").encode()
        ):
            match = each.child
    return match


def lock_link(account_id: str, child_id: str, client_id: str) -> bool:
    """Whether the link is live, and kept as ``link`` says until the transaction ends.

    False once the guardianship has ended, the child has left, or the client serves the school
    no more.
    """
    return locked_link(account_id, child_id, client_id) is not None


def locked_link(account_id: str, child_id: str, client_id: str) -> tuple[ChildRow, str] | None:
    """The child and the relationship, kept as ``lock_link`` says."""
    row: tuple[ChildRow, str] | None = _LOCKED_LINK.one_or_none(
        account_id=account_id, child_id=child_id, client_id=client_id
    )
    return row
