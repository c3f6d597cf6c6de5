"""Ends and erases whom the rules say (``leavers``), and says beforehand whom it would.

It walks by id, some hundred at a time, and does each part in a transaction of its own, in which it
holds them and asks the rule again: who comes back at that moment, by an import or at the desk, was
first and stays, or waits and comes back as somebody new.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from time import sleep
from typing import Any, Final

from sqlalchemy import func, select

from idp import clock
from idp.audit.models import InstallationMark
from idp.database import db, retried, transaction, update_all, upserting
from idp.lifecycle import endings
from idp.mail import outbox
from idp.people.models import Account, Child, Guardianship
from idp.purge import erasing, steady
from idp.purge.leavers import HELD, NOTICE, RULES, Rule

LOOKED_AT: Final = 2_000
"""People whom one question looks at; more than are ended in one transaction."""
_BEGAN: Final = "people purged"


@dataclass(frozen=True)
class Due:
    """Somebody of whom a purge would do something now."""

    rule: str
    does: str
    id: str
    school_id: str | None
    """Of a child its own; of an account one at which its holder was guardian last."""


def end_people(batch: int, pause: float, warn: Callable[[str], object]) -> dict[str, int]:
    """Do what the rules say now; returns how many left each table, and how many were ended.

    ``warn`` is called where the clock can't be believed: then nothing is done.
    """
    done: Counter[str] = Counter({"children": 0, "accounts": 0})
    began = _begin()
    if doubt := steady.find_doubt():
        warn(doubt)
        return dict(done)
    for rule in RULES:
        if rule.does in {"end", "erase"} and clock.now() < began + NOTICE:
            continue
        for ids in _due_ids(rule):
            for first in range(0, len(ids), min(batch, erasing.AT_ONCE)):
                some = ids[first : first + min(batch, erasing.AT_ONCE)]
                count = _do(rule, some)
                if rule.does == "erase":
                    done[rule.model.__tablename__] += count
                sleep(pause)
    if sum(done.values()):
        erasing.scrub()
    return dict(done)


def list_due() -> Iterator[Due]:
    """Whom a purge would tell, end or erase now, and whom it holds back; nothing is changed."""
    for rule in (*RULES, *HELD):
        for ids in _due_ids(rule):
            schools = _schools(rule, ids)
            for each in ids:
                yield Due(rule.name, rule.does, each, schools.get(each))


def begins_at() -> datetime:
    """Before this nobody is ended or erased by these rules: an upgrade surprises nobody."""
    mark = db.session.get(InstallationMark, _BEGAN)
    return (mark.at if mark else clock.now()) + NOTICE


def _begin() -> datetime:
    """When a purge first knew of these rules."""
    with transaction() as session:
        values = {"name": _BEGAN, "value": "", "at": clock.now()}
        insert = upserting(InstallationMark).values(**values)
        session.execute(insert.on_conflict_do_nothing(index_elements=["name"]))
    return begins_at() - NOTICE


def _due_ids(rule: Rule) -> Iterator[list[str]]:
    """The ids of those of whom it speaks, as they were before anything is done: the next part
    begins behind the last one that was looked at.
    """
    key, last = rule.model.id, ""
    while True:
        ahead = select(key).where(key > last).order_by(key).limit(LOOKED_AT).subquery()
        end = db.session.scalar(select(func.max(ahead.c.id)))
        if end is None:
            return
        due = select(key).where(key > last, key <= end, rule.is_due(clock.now())).order_by(key)
        if ids := list(db.session.scalars(due)):
            yield ids
        last = end


@retried
def _do(rule: Rule, ids: list[str]) -> int:
    """One part, in a transaction that holds them and asks once more; returns of how many."""
    model = rule.model
    with transaction() as session:
        is_due = model.id.in_(ids), rule.is_due(clock.now())
        held = session.scalars(
            select(model.id)
            .where(*is_due)
            .order_by(model.id)
            .with_for_update(skip_locked=True, of=model)
        ).all()
        # A question of its own: it sees what others did to other tables before we held these
        still = select(model.id).where(model.id.in_(held), *is_due)
        return _done(rule, list(session.scalars(still)))


def _done(rule: Rule, ids: list[str]) -> int:
    if not ids:
        return 0
    if rule.does == "announce":
        return _announce(ids)
    if rule.does == "forget":
        return update_all(Account, Account.id.in_(ids), end_announced_at=None)
    if rule.does == "end":
        noted = func.coalesce(Account.end_announced_at, clock.now())
        update_all(Account, Account.id.in_(ids), end_announced_at=noted)
        return endings.close_accounts(ids)
    of_children = rule.model is Child
    return erasing.erase_held(
        [] if of_children else ids, ids if of_children else [], rule.name.removeprefix("account_")
    )


def _announce(ids: list[str]) -> int:
    now = clock.now()
    update_all(Account, Account.id.in_(ids), end_announced_at=now)
    on = (now + NOTICE).isoformat()
    for each in ids:
        outbox.enqueue("account_ends", account_id=each, about={"on": on})
    return len(ids)


def _schools(rule: Rule, ids: list[str]) -> dict[str, str]:
    query: Any = select(Child.id, Child.school_id).where(Child.id.in_(ids))
    if rule.model is Account:
        query = (
            select(Guardianship.account_id, func.min(Child.school_id))
            .join(Child, Child.id == Guardianship.child_id)
            .where(Guardianship.account_id.in_(ids))
            .group_by(Guardianship.account_id)
        )
    return {row[0]: row[1] for row in db.session.execute(query)}
