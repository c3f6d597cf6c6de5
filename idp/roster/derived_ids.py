"""The ids of people whom a list gives no number: what the list says of them, under our hash key.

They are what the next list is compared with. When the key is followed by another one
(``IDP_TOKEN_HASH_KEY`` holds both), known people get their new id with the next list, so that
nobody is taken for somebody new, and nothing hangs on the former key for longer.
"""

from typing import Any, Final

from sqlalchemy import Select, select, update

from idp.database import db, hashes, transaction
from idp.roster.models import RosterIdentity, RosterPupil

BEGINS: Final = "~"


class DerivedIds:
    """Those of one school, while one list of it is read."""

    def __init__(self, school_id: str) -> None:
        self._school_id = school_id
        self._known: set[str] = set()
        self._renewed: dict[str, str] = {}
        self._of_pupils: dict[str, list[str]] = {}
        """An id → the same person's under each key."""
        self._renews = False
        if len(hashes.known()) > 1:
            self._known = set(db.session.scalars(_known_at(school_id)))
            waiting = select(RosterPupil.run_id).where(RosterPupil.school_id == school_id).limit(1)
            # A list that was read before, and waits, speaks of people by the ids that they have
            self._renews = db.session.scalar(waiting) is None

    def of(self, kind: str, *parts: str, pupil: str = "") -> str:
        """The id of whom the list describes so; ``pupil``: the id of whose guardian it is."""
        newest, *former = each = self._under_each_key(kind, parts, pupil)
        known = next((id_ for id_ in former if id_ in self._known), None)
        if known is None or newest in self._known:
            id_ = newest
        elif self._renews:
            id_ = self._renewed[known] = newest
        else:
            id_ = known
        if former:
            self._of_pupils[id_] = each
        return id_

    def _under_each_key(self, kind: str, parts: tuple[str, ...], pupil: str) -> list[str]:
        made = []
        for place, key in enumerate(hashes.known()):
            owner = self._of_pupils[pupil][place] if pupil in self._of_pupils else pupil
            message = (self._school_id, *parts, *([f"of {owner}"] if pupil else ()))
            made.append(BEGINS + key.stored(f"roster {kind}", "\0".join(message)))
        return made

    def renew(self) -> None:
        """Let known people have their new ids, once the list is read to its end."""
        if not self._renewed:
            return
        with transaction() as writes:
            for former, newest in self._renewed.items():
                writes.execute(
                    update(RosterIdentity)
                    .where(
                        RosterIdentity.school_id == self._school_id,
                        RosterIdentity.sourced_id == former,
                    )
                    .values(sourced_id=newest)
                )
        self._renewed.clear()


def _known_at(school_id: str) -> Select[Any]:
    return select(RosterIdentity.sourced_id).where(
        RosterIdentity.school_id == school_id,
        RosterIdentity.sourced_id.startswith(BEGINS, autoescape=True),
    )
